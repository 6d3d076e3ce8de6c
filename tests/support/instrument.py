"""Copies of the functions with pause points, and weakened copies; put into a test's own database and nowhere else.

The shipped text is read back from the catalogue and changed, so what is explored is what is shipped, plus the pauses. A
pause stands before each statement that reads or writes a session's tables, and inside the functions that take a lock:
between the snapshot of the statement that calls them and the lock. It waits for an advisory lock that the controller
of the schedule holds, under the locale of the caller's number, and only in connections that have such a number.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg

from support.plpgsql import statements

Connection = psycopg.Connection[Any]

TABLES = ("sessions", "history", "turns", "deadlines", "history_cuts", "deleted_sessions", "import_items")
_TOUCHES = re.compile(rf"\b(from|join|update|into)\s+fsm_internal\.({'|'.join(TABLES)})\b")
_HEADER = re.compile(r"\bAS \$function\$(.*)\$function\$", re.DOTALL)
# What reads for a report or a drawing: nothing is decided by it.
_LEFT_OUT = re.compile(r"^(doctor|metrics|diagram|version_of_session|stuck|looping|loops_of|live_session)")

# The key of the lock on which a caller waits: this, and twice its number plus the parity of its step.
PAUSE_CLASS = 1_346_459_987

_PAUSE = f"""
create schema explorer;
create function explorer.pause(p_name text) returns boolean language plpgsql volatile as $$
declare
  v_lane integer := nullif(current_setting('explorer.lane', true), '')::integer;
  v_step integer;
begin
  if v_lane is not null then
    v_step := current_setting('explorer.step')::integer;
    perform set_config('application_name', p_name, false), set_config('explorer.step', (v_step + 1)::text, false);
    perform pg_advisory_lock_shared({PAUSE_CLASS}, v_lane * 2 + v_step % 2);
    perform pg_advisory_unlock_shared({PAUSE_CLASS}, v_lane * 2 + v_step % 2);
  end if;
  return true;
end
$$;
grant usage on schema explorer to public;
grant execute on function explorer.pause(text) to public;
"""

# The functions in SQL that take a lock: the same in PL/pgSQL, waiting before it.
_LOCKS = """
create or replace function fsm_internal.{name}(p_session_id text) returns boolean language plpgsql volatile as $$
begin
  if explorer.pause('{name}') then null; end if;
  return {lock};
end
$$;
"""

# Between two rows of one statement: the row is held while the caller waits.
_ROWS = """
create function explorer.pause_at_row() returns trigger language plpgsql security definer as $$
begin
  perform explorer.pause(lower(tg_op) || ' of a row of ' || tg_table_name);
  return case when tg_op = 'DELETE' then old else new end;
end
$$;
create trigger pause_at_row before update or delete on fsm_internal.{table}
for each row execute function explorer.pause_at_row();
"""


def source(db: Connection, function: str) -> str:
    """Return the statement that makes a function again; `function`: ``schema.name``, which must be only one."""
    schema, name = function.split(".")
    [(text,)] = db.execute(
        "select pg_get_functiondef(p.oid) from pg_proc p where p.pronamespace = %s::regnamespace and p.proname = %s",
        (schema, name),
    ).fetchall()
    return str(text)


def weaken(db: Connection, function: str, *changes: tuple[str, str]) -> None:
    """Replace texts in a function. Each must be there, exactly once: else the variant would be the shipped one."""
    text = source(db, function)
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {function}"
        text = text.replace(old, new)
    db.execute(text.encode())


def with_pauses(name: str, body: str) -> str:
    """Return a body with a pause before each statement that touches a session's tables or takes many locks."""
    parts: list[str] = []
    done = count = 0
    for one in statements(body):
        touched = _TOUCHES.search(one.text)
        if one.is_branch or not (touched or "pg_advisory_xact_lock(" in one.text):
            continue
        count += 1
        what = f"{touched[1]} {touched[2]}" if touched else "lock"
        # An IF, because PERFORM would set FOUND, which the statement may be about to ask for.
        parts += [body[done : one.start], f"if explorer.pause('{name}.{count} {what}') then null; end if; "]
        done = one.start
    return "".join([*parts, body[done:]])


def make_pause(db: Connection) -> None:
    """Make the function that pauses."""
    db.execute(_PAUSE.encode())


def instrument(db: Connection) -> int:
    """Put pauses into every function that touches a session; weaken first, if at all. Returns how many were changed."""
    in_sql = {
        "lock_session": "pg_advisory_xact_lock(hashtextextended('fsm:session:' || p_session_id, 0)) is not null",
        "try_lock_session": "pg_try_advisory_xact_lock(hashtextextended('fsm:session:' || p_session_id, 0))",
    }
    for name, lock in in_sql.items():
        if lock.split("(")[0] in source(db, f"fsm_internal.{name}"):  # else it was weakened
            db.execute(_LOCKS.format(name=name, lock=lock).encode())
    found = db.execute(
        "select p.proname, pg_get_functiondef(p.oid) from pg_proc p join pg_language l on l.oid = p.prolang"
        " where p.pronamespace::regnamespace::text in ('fsm', 'fsm_internal') and l.lanname = 'plpgsql'"
        " order by p.proname"
    ).fetchall()
    changed = 0
    for name, text in found:
        body = _HEADER.search(text)
        assert body is not None, text
        paused = with_pauses(name, body[1])
        if name not in in_sql and paused != body[1] and not _LEFT_OUT.match(name):
            db.execute((text[: body.start(1)] + paused + text[body.end(1) :]).encode())
            changed += 1
    return changed


def pause_at_rows(db: Connection, table: str) -> None:
    """Put a pause before each row that is updated or deleted in a table."""
    db.execute(_ROWS.format(table=table).encode())
