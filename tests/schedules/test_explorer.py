"""The explorer itself: where it pauses, that its schedules differ, that it knows when one call waits for another."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

from support.databases import Connection
from support.explored import calls
from support.exploring import Ground, ground
from support.instrument import pause_at_rows, source, weaken, with_pauses
from support.lanes import Lane, Stand
from support.plpgsql import statements

BODY = dedent("""
    declare
      v_one text := case when true then 'a' end;  -- begin; not yet
    begin
      if (select case when x then 1 else 2 end from y) = 1 then
        for v_row in select ';' from z loop
          perform a(b, (select c)); /* ; */
          continue when d;
        end loop;
      elsif e then
        v_one := case f when 1 then 'then' else 'loop' end;
      else
        return query select "begin", g from h where found;
      end if;
      begin
        delete from i;
      end;
      return v_one;
    end
""")


def test_statements_are_found_in_the_text() -> None:
    assert [one.text for one in statements(BODY)] == [
        "if (select case when x then 1 else 2 end from y) = 1",
        "for v_row in select ';' from z",
        "perform a(b, (select c))",
        "continue when d",
        "elsif e",
        "v_one := case f when 1 then 'then' else 'loop' end",
        'return query select "begin", g from h where found',
        "delete from i",
        "return v_one",
    ]


def test_a_pause_stands_before_what_touches_a_session() -> None:
    body = "begin a := 1; update fsm_internal.history set x = 1; if found then b := 2; end if; end"
    assert with_pauses("f", body) == (
        "begin a := 1; if explorer.pause('f.1 update history') then null; end if; "
        "update fsm_internal.history set x = 1; if found then b := 2; end if; end"
    )


# What each call passes through, in this order; between any two of them the other caller may come.
STEPS: dict[tuple[str, str], list[str]] = {
    ("open", "save_request"): ["lock_session", "from sessions", "from history", "update sessions", "into history"],
    ("open", "send_request"): ["lock_session", "from sessions", "from history", "update sessions", "into history"],
    ("open", "update"): ["lock_session", "from sessions", "update sessions", "into history"],
    ("open", "batch"): ["lock_sessions.1 lock"] * 2 + ["update sessions", "into history"] * 2,
    ("open", "rollback"): ["lock_session", "from sessions", "from history", "update sessions", "into history"],
    ("open", "fork"): ["lock_session", "from sessions", "into sessions", "into history"],
    ("open", "delete"): ["lock_session", "from import_items", "from sessions", "from history"],
    ("open", "begin"): ["lock_session", "from sessions", "from turns", "update sessions", "into turns"],
    ("open", "fire"): ["from sessions", "try_lock_session", "from deadlines", "from sessions", "update sessions"],
    ("open", "upgrade"): ["from sessions", "lock_sessions.1 lock", "from sessions", "update sessions", "into history"],
    ("open", "purge"): ["from sessions", "try_lock_session", "from sessions", "from history"],
    ("open", "trim"): ["from sessions", "try_lock_session", "from history", "into history_cuts"],
    ("held", "extend"): ["lock_session", "from sessions", "from turns", "update turns"],
    ("held", "end"): ["lock_session", "from sessions", "from turns", "update turns"],
    ("empty", "create"): ["lock_session", "from sessions", "into deadlines", "into sessions", "into history"],
    ("empty", "import_row"): ["lock_sessions.1 lock", "from import_items", "into sessions", "into import_items"],
    ("imported", "undo"): [
        "lock_batch.1 lock",
        "from import_items",
        "try_lock_session",
        "from sessions",
        "update import_items",
    ],
    ("imported", "purge_import"): ["from import_items"],
    ("loop", "send"): ["lock_session", "from sessions", "from history", "update sessions", "into history"],
}


@pytest.mark.parametrize(("world", "name"), STEPS)
def test_a_call_is_paused_where_it_matters(shipped: Ground, world: str, name: str) -> None:
    """The steps are there in the order of the call, others may lie between."""
    start = shipped.starts[world]
    run = shipped.explorer.run(start.world, [shipped.call(world, name)] * 2, (0,))
    mine = iter(step for step in run.trace if step.startswith("A "))
    missing = [wanted for wanted in STEPS[world, name] if not any(step.endswith(wanted) for step in mine)]
    assert missing == [], run.trace
    assert "A commit" in run.trace


def test_every_function_that_writes_is_instrumented(shipped: Ground) -> None:
    """Whatever is added later, too: a body that writes to a session's table has a pause."""
    rows = shipped.db.execute(
        "select p.proname, p.prosrc from pg_proc p where p.pronamespace::regnamespace::text in ('fsm', 'fsm_internal')"
    ).fetchall()
    writes = re.compile(
        r"(update|into|delete from) fsm_internal\.(sessions|history|turns|deadlines|deleted_sessions)\b"
    )
    bare = [name for name, text in rows if writes.search(text) and "explorer.pause(" not in text]
    assert bare == []
    assert shipped.functions > 50


def test_schedules_are_complete_and_all_different(shipped: Ground) -> None:
    """Two saves of one session: the second can wait from any step of the first on, and the other way round."""
    found = shipped.explore("open", "save", "save_any")
    assert found.is_complete
    assert found.schedules == len(found.traces)
    first = [trace for trace in found.traces if trace[0].startswith("A")]
    waits_after = {next((n for n, step in enumerate(trace) if "(waits)" in step), None) for trace in first}
    steps = len([step for step in next(trace for trace in first if "waits" not in str(trace)) if step.startswith("A")])
    assert waits_after == {None, *range(1, steps)}


def test_a_limit_is_kept(shipped: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSMSTORE_SCHEDULES", "3")
    found = shipped.explore("open", "save", "fire")
    assert (found.schedules, found.is_complete) == (3, False)
    monkeypatch.setenv("FSMSTORE_SCHEDULES", "all")
    assert shipped.explore("open", "save", "load").is_complete


def to_the_end(lane: Lane, other: Lane) -> None:
    """Let one of the callers do all that is left for it."""
    while lane.stand is not Stand.ENDED:
        lane.go_on(other)


def test_a_waiting_caller_stands_at_its_lock(shipped: Ground) -> None:
    """Seen from outside: it is at no pause, and goes on by itself when the other has ended."""
    start = shipped.starts["open"]
    one, other = shipped.explorer.lanes
    start.world.restore()
    one.begin(shipped.call("open", "save_any"), other)
    other.begin(shipped.call("open", "save_any"), one)
    one.go_on(other)
    other.go_on(one)
    assert (one.stand, other.stand) == (Stand.PAUSED, Stand.BLOCKED)
    to_the_end(one, other)
    other.settle(one)
    assert other.stand is Stand.PAUSED
    to_the_end(other, one)
    assert [lane.answer["rows"][0]["version"] for lane in (one, other)] == [5, 6]


def test_a_text_that_is_not_there_cannot_be_weakened(db: Connection) -> None:
    before = source(db, "fsm_internal.lock_session")
    with pytest.raises(AssertionError, match="occurs 0 times"):
        weaken(db, "fsm_internal.lock_session", ("no such text", ""))
    assert source(db, "fsm_internal.lock_session") == before


def test_every_call_of_a_world_can_be_made(shipped: Ground) -> None:
    """By itself it is answered, by rows or by one of our refusals; else its pairs would show nothing."""
    for world, start in shipped.starts.items():
        for name in calls(world, start.turn):
            run = shipped.explorer.run(start.world, [shipped.call(world, name)] * 2, (0,))
            assert "rows" in run.answers[0] or run.answers[0]["sqlstate"] in ("SM010", "SM011", "SM050", "22023"), name


def test_rows_of_one_statement_do_not_deadlock_when_plans_differ(pg_admin: Connection, built: str) -> None:
    """purge_import and delete_session delete the same originals, each by its own plan, in the order of their key."""

    def by_key_and_by_place(db: Connection) -> None:
        pause_at_rows(db, "import_items")
        db.execute("create table explorer.items as table world_imported.import_items")
        db.execute("truncate world_imported.import_items")
        db.execute("insert into world_imported.import_items table explorer.items order by digest desc")
        for scan in ("seqscan", "bitmapscan"):
            db.execute(f"alter function fsm.purge_import set enable_{scan} = off".encode())

    with ground(pg_admin, built, by_key_and_by_place) as rows:
        found = rows.explore("imported", "purge_import", "delete", until_found=60)
    assert (found.deadlocks, found.violations) == (0, [])
