"""Ways around the functions: objects on our tables, other roles, statistics, views that leak, calls broken off."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.api import Api
from support.hostile import BATCH, digest_query, furnish

Connection = psycopg.Connection[Any]
LOGINS = ["test_app", "test_reader", "test_monitor", "test_admin", "test_nobody"]
SECRET = "the-secret-of-this-context"

# A caller who may make things of its own, and tries to hang them on ours.
HANGERS = [
    "create table mine.t (id text references fsm_internal.sessions)",
    "create table mine.t () inherits (fsm_internal.sessions)",
    "create table mine.t (like fsm_internal.sessions including all)",
    "create table mine.t (s fsm_internal.sessions)",
    "create table mine.t of fsm_internal.outcome",
    "create view mine.v as select * from fsm_internal.sessions",
    "create materialized view mine.v as select * from fsm_internal.history",
    "create function mine.f() returns setof fsm_internal.sessions language sql as 'select null'",
    "create function mine.f(fsm_internal.outcome) returns int language sql as 'select 1'",
    "create rule r as on insert to fsm_internal.history do instead nothing",
    "create rule \"_RETURN\" as on select to fsm.sessions do instead select 1",
    "create policy p on fsm_internal.sessions using (false)",
    "create index on fsm_internal.sessions (version)",
    "create statistics mine.s on version, state from fsm_internal.sessions",
    "create trigger t instead of update on fsm.sessions for each row execute function mine.f()",
    "create publication p for table fsm_internal.sessions",
    "create domain mine.d as fsm_internal.outcome",
    "create cast (fsm_internal.outcome as text) with inout",
    "create operator class mine.o default for type fsm_internal.history_kind using btree as operator 1 <",
    "alter table fsm_internal.sessions disable trigger all",
    "alter table fsm_internal.sessions enable row level security",
    "alter view fsm.sessions set (security_invoker = true)",
    "alter function fsm.load_session(text, bigint, timestamptz) security invoker",
    "alter function fsm.load_session(text, bigint, timestamptz) reset search_path",
    "alter function fsm.load_session(text, bigint, timestamptz) owner to current_user",
    "alter default privileges for role fsm_owner grant execute on functions to public",
    "alter default privileges for role fsm_owner in schema fsm_internal grant all on tables to public",
    "grant execute on function fsm.delete_session(text) to public",
    "grant fsm_owner to current_user",
    "alter role fsm_app createrole",
    "alter role fsm_owner login password 'x'",
    "drop owned by fsm_owner",
    "reassign owned by fsm_owner to current_user",
    "set session authorization fsm_owner",
    "set role fsm_owner",
    "vacuum full fsm_internal.sessions",
    "cluster fsm_internal.sessions using sessions_pkey",
    "reindex table fsm_internal.sessions",
    "lock table fsm.sessions in access exclusive mode",
    "insert into fsm.sessions (session_id) values ('x')",
    "update fsm.sessions set version = 1",
    "delete from fsm.machines",
    "copy fsm_internal.history to stdout",
    "copy fsm.sessions from stdin",
    "copy (select 1) to program 'true'",
    "select pg_read_file('PG_VERSION')",
    "select lo_import('/etc/passwd')",
    "select * from pg_statistic",
    "select pg_stat_reset()",
    "comment on view fsm.sessions is 'mine'",
    "security label on table fsm_internal.sessions is 'x'",
]  # fmt: skip
_FOUND = "select check_name, message from fsm.doctor() where severity = 'error' and check_name <> 'connect'"
_ADVISORY_LOCKS = """
select count(*) from pg_locks
where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
"""
_ALONE = ("vacuum", "cluster", "reindex")
"""These run in no transaction block."""
_REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.WrongObjectType,
    # A server without any provider of labels, of which nobody gets past the first look.
    psycopg.errors.InvalidParameterValue,
    psycopg.errors.ObjectNotInPrerequisiteState,
)


@pytest.mark.parametrize("login", LOGINS)
def test_nothing_can_be_hung_on_ours(
    db: Connection, connect_as: Callable[..., Connection], login: str, dbname: str
) -> None:
    db.execute(sql.SQL("create schema mine; grant all on schema mine to {}").format(sql.Identifier(login)))
    db.execute(sql.SQL("grant create on database {} to {}").format(sql.Identifier(dbname), sql.Identifier(login)))
    before = db.execute("select count(*) from pg_class").fetchone()
    found = db.execute(_FOUND).fetchall()
    caller = connect_as(login)
    caller.execute("set lock_timeout = '1s'")
    taken = []
    for statement in HANGERS:
        try:
            with nullcontext() if statement.startswith(_ALONE) else caller.transaction():
                caller.execute(statement)
        except _REFUSALS:
            continue
        taken.append(statement)
    # Who may not do these is only warned that nothing was done.
    assert [one for one in taken if not one.startswith(("vacuum", "grant execute"))] == []
    assert db.execute("select count(*) from pg_class").fetchone() == before
    assert db.execute(_FOUND).fetchall() == found


@pytest.fixture
def secretive(db: Connection, connect_as: Callable[..., Connection]) -> Api:
    """Sessions with a secret in context, note, patch, definition's schema and original."""
    admin = Api(connect_as("test_admin"))
    furnish(admin.conn, db)
    admin.create("secretive", "m", context={"n": 2, "x": SECRET}, note={"why": SECRET}, machine_version=1)
    admin.update("secretive", patch={"y": SECRET, SECRET: 1})
    items = [{"source": "p", "session_id": "bad", "data": {"x": SECRET}, "original": SECRET}]
    admin.rows("import_sessions", items=items, batch=BATCH, dry_run=False)
    with pytest.raises(psycopg.Error):
        admin.update("secretive", patch={"t": SECRET.upper()})
    for _ in range(5):
        admin.send("secretive", "STAY")
    return admin


def test_who_watches_sees_no_context(secretive: Api, connect_as: Callable[..., Connection], db: Connection) -> None:
    """Not in a view, not in a function, not in a plan, not in the statistics, not in the activity of others."""
    db.execute("analyze")
    monitor = connect_as("test_monitor")
    monitor.execute("set client_min_messages = debug5")
    said: list[str] = []
    monitor.add_notice_handler(lambda diagnostic: said.append(str(diagnostic.message_primary)))
    views = [
        name
        for (name,) in db.execute("select oid::regclass::text from pg_class where relnamespace = 'fsm'::regnamespace")
    ]
    readable = []
    for query in [
        *(f"select to_jsonb(v)::text from {view} v" for view in views),
        *(f"explain (analyze, verbose, buffers) select * from {view}" for view in views),
        "select fsm.metrics()::text",
        "select f::text from fsm.doctor() f",
        "select l::text from fsm.looping_sessions() l",
        "select l::text from fsm.stuck_sessions('0') l",
        "select s::text from pg_stats s",
        "select s::text from pg_stat_activity s",
        "select s::text from pg_prepared_statements s",
        "select s::text from pg_seclabels s",
    ]:
        try:
            readable += [str(row) for row in monitor.execute(query)]
        except psycopg.errors.InsufficientPrivilege:
            assert "quarantine" in query
    assert len(readable) > 50
    assert any("secretive" in line for line in readable)
    assert [line for line in readable + said if SECRET in line] == []
    assert any(SECRET in str(row) for row in db.execute("select s::text from pg_stats s")), (
        "there was something to be found"
    )


def test_a_function_that_leaks_sees_what_its_caller_may_see(
    secretive: Api, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    """The planner asks a cheap function first, before the joins inside a view: it gets no more columns for that."""
    reader = connect_as("test_reader")
    db.execute("create schema mine; grant all on schema mine to test_reader")
    reader.execute(
        "create function mine.leak(anyelement) returns boolean language plpgsql cost 0.0000001 as"
        " $$begin raise notice 'leaked %', $1; return true; end$$"
    )
    seen: list[str] = []
    reader.add_notice_handler(lambda diagnostic: seen.append(str(diagnostic.message_primary)))
    for view in ("sessions", "machines", "transition_counts", "active_turns"):
        reader.execute(f"select 1 from fsm.{view} v where mine.leak(v)")
    assert len(seen) > 5
    assert [line for line in seen if SECRET in line] == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("select 1 from fsm.quarantine where mine.leak(session_id)")


def test_what_a_refusal_tells_is_what_its_caller_may_read(
    secretive: Api, connect_as: Callable[..., Connection]
) -> None:
    """DETAIL names state, version and holder, never what a context holds."""
    app = Api(connect_as("test_app"))
    told = []
    calls: list[Callable[[], Any]] = [
        lambda: app.save("secretive", "b", {"n": 0}),
        lambda: app.save("secretive", "nowhere"),
        lambda: app.save("secretive", "a", {}, version=1),
        lambda: app.create("secretive", "m"),
        lambda: app.update("held"),
        lambda: app.send("secretive", "NO"),
        lambda: app.rollback("secretive", 99),
        lambda: app.update("secretive", append={"y": [1]}),
    ]
    for call in calls:
        with pytest.raises(psycopg.Error) as caught:
            call()
        told.append(f"{caught.value} {caught.value.diag.message_detail} {caught.value.diag.message_hint}")
    assert [one for one in told if SECRET in one] == []


@pytest.mark.parametrize("function", ["save_sessions", "import_sessions", "upgrade_sessions"])
def test_a_call_that_runs_out_of_time_has_done_nothing_or_all(
    db: Connection, connect_as: Callable[..., Connection], function: str
) -> None:
    admin = Api(connect_as("test_admin"))
    furnish(admin.conn, db)
    for number in range(60):
        admin.create(f"x-{number}", "m", context={"n": 2, "x": "x" * 500}, machine_version=1)
    items = [{"session_id": f"x-{number}", "state": "a", "context": {"n": number}} for number in range(60)]
    originals = [{"source": "p", "session_id": f"y-{number}", "data": {"x": number}} for number in range(60)]
    every: dict[str, dict[str, Any]] = {
        "save_sessions": {"items": json.dumps(items)},
        "import_sessions": {"items": json.dumps(originals), "batch": BATCH, "dry_run": False},
        "upgrade_sessions": {"machine": "m", "from_version": 1, "to_version": 2, "dry_run": False},
    }
    arguments = every[function]
    query = digest_query(db)
    before = db.execute(query).fetchone()
    outcomes = set()
    milliseconds = 1
    while "done" not in outcomes:
        admin.conn.execute(sql.SQL("set statement_timeout = {}").format(milliseconds))
        try:
            admin.rows(function, **arguments)
            outcomes.add("done")
        except psycopg.errors.QueryCanceled:
            outcomes.add("broken off")
            assert db.execute(query).fetchone() == before
        milliseconds = milliseconds + 1 + milliseconds // 3
        assert db.execute(_ADVISORY_LOCKS).fetchone() == (0,)
    assert outcomes == {"broken off", "done"}
    assert db.execute(query).fetchone() != before
    assert db.execute("select * from fsm.verify_sessions()").fetchall() == []
