"""fsm.doctor finds what goes wrong in operation."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.waiting import wait_until, wait_until_blocked

Findings = Callable[..., list[tuple[str, str, str]]]
RAW_SESSIONS = """
    insert into fsm_internal.sessions
      (session_id, machine, machine_version, state, version, context, entered_at, created_at, updated_at)
    select 'raw-' || n, 'door', 1, 'closed', 1, '{}', now(), now(), now() from generate_series(1, %s) n"""


def test_a_copy_in_another_cluster(db: psycopg.Connection[Any], findings: Findings) -> None:
    assert findings("feed_epoch") == []
    db.execute("update fsm_internal.feed_epochs set system_identifier = '17'")
    [(severity, message, hint)] = findings("feed_epoch")
    assert severity == "error"
    assert message.startswith("the data come from cluster 17 and are now in cluster ")
    assert "fsm.new_feed_epoch()" in hint
    db.execute(
        "insert into fsm_internal.feed_epochs"
        " select 2, 1::bigint << 48, system_identifier::text, 1, now() from pg_control_system()"
    )
    assert findings("feed_epoch") == [], "only the newest counts"


def test_a_server_that_took_over(db: psycopg.Connection[Any], findings: Findings) -> None:
    assert findings("feed_timeline") == []
    db.execute("update fsm_internal.feed_epochs set timeline = timeline - 1")
    [(severity, message, hint)] = findings("feed_timeline")
    assert severity == "warning"
    assert message == "this server took over or was recovered: its timeline is 1, that of the feed is 0"
    assert "fsm.new_feed_epoch()" in hint
    db.execute("select fsm.new_feed_epoch()")
    assert findings("feed_timeline") == []


def test_sessions_in_unknown_states(api: Api, db: psycopg.Connection[Any], findings: Findings) -> None:
    for number in range(5):
        api.create(f"s-{number}")
    assert findings("unknown_state") == []
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id in ('s-1', 's-3')")
    [(severity, message, _)] = findings("unknown_state")
    assert severity == "error"
    assert message.startswith("2 of 5 sessions looked at are in a state ")
    assert message.endswith('the first is "s-1"')


def test_forgotten_sessions(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any], findings: Findings
) -> None:
    define({"a": {"on": {"END": "z"}}, "z": {"type": "final"}})
    for session_id in ("old", "young", "done"):
        api.create(session_id, "m")
    api.send("done", "END")
    db.execute("update fsm_internal.sessions set updated_at = now() - interval '29 days'")
    assert findings("stuck_sessions") == []
    db.execute("update fsm_internal.sessions set updated_at = now() - interval '31 days' where session_id <> 'young'")
    [(severity, message, _)] = findings("stuck_sessions")
    assert (severity, message.split(" looked at ")[0]) == ("info", "1 of 3 sessions")


def test_a_part_of_the_sessions_stands_for_all(api: Api, db: psycopg.Connection[Any]) -> None:
    db.execute(RAW_SESSIONS, (5000,))
    db.execute("update fsm_internal.sessions set state = 'nowhere'")
    query = """
        select split_part(message, ' ', 3)::int from fsm_internal.doctor_sessions(%s)
        where check_name = 'unknown_state'"""
    [(few,)] = db.execute(query, (20,)).fetchall()
    [(every,)] = db.execute(query, (100_000,)).fetchall()
    assert every == 5000
    assert 0 < few < 3000


def test_deadlines_that_nobody_fires(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any], findings: Findings
) -> None:
    define({"a": {"after": {"3600000": "b"}, "on": {"X": "b"}}, "b": {"on": {"X": "a"}}})
    for name in ("late", "later", "gone", "in time"):
        api.create(name, "m")
    api.send("gone", "X")
    for name, minutes in (("late", 66), ("later", 70), ("gone", 90), ("in time", 64)):
        values = (minutes, name)
        db.execute(
            "update fsm_internal.sessions set entered_at = now() - %s * interval '1 minute' where session_id = %s",
            values,
        )
        db.execute(
            "update fsm_internal.deadlines set wake_at = now() - (%s - 60) * interval '1 minute' where session_id = %s",
            values,
        )
    [(severity, message, hint)] = findings("deadlines_overdue")
    assert severity == "warning"
    assert message.startswith("2 deadlines are overdue by more than 5 minutes")
    assert "; the oldest by 60" in message
    assert "fsm.fire_deadlines()" in hint
    api.rows("fire_deadlines")
    assert findings("deadlines_overdue") == []


def test_deadlines_that_are_refused(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any], findings: Findings
) -> None:
    define({"a": {"after": {"1": "b"}}, "b": {"on": {"X": "a"}, "meta": {"invariant": "$.never == 1"}}})
    api.create("s-1", "m")
    db.execute("update fsm_internal.sessions set entered_at = now() - interval '1 hour'")
    for number in range(1, 6):
        db.execute("update fsm_internal.deadlines set wake_at = now() - interval '1 second'")
        assert [row.sqlstate for row in api.rows("fire_deadlines")] == ["SM021"]
        found = findings("deadlines_refused")
        assert len(found) == (number >= 5)
    [(severity, message, _)] = found
    assert (severity, message[:2], message[-5:]) == ("warning", "1 ", '"s-1"')


def test_a_long_wait_for_a_session(
    api: Api, db: psycopg.Connection[Any], connect_as: Callable[..., Any], findings: Findings
) -> None:
    """Whoever waits and whoever is waited for is told, to the owner too, who sees no more of others than that."""
    api.create("s-1")
    holder, waiter = connect_as("test_admin"), connect_as("test_app", autocommit=True)
    query = """
        select message from fsm_internal.doctor_locks('0')
        where check_name = 'lock_wait' and message like 'process ' || %s || ' %%'"""
    holder.execute("begin")
    Api(holder).update("s-1")
    waiting = waiter.info.backend_pid
    thread = threading.Thread(target=lambda: Api(waiter).update("s-1"))
    thread.start()
    try:
        wait_until_blocked(db, waiting)
        for role in ("postgres", "fsm_owner"):
            db.execute(f"set role {role}")
            [(message,)] = db.execute(query, (waiting,)).fetchall()
            db.execute("reset role")
            assert message.endswith(f"held by process {holder.info.backend_pid} (test_admin)")
        assert findings("lock_wait") == [], "ten seconds have not passed"
    finally:
        holder.execute("rollback")
        thread.join()
    assert db.execute(query, (waiting,)).fetchall() == []


def test_dead_rows_and_autovacuum_off(api: Api, db: psycopg.Connection[Any], findings: Findings) -> None:
    assert findings("autovacuum") == []
    assert findings("dead_rows") == []
    db.execute("alter table fsm_internal.sessions set (autovacuum_enabled = off)")
    [(severity, message, hint)] = findings("autovacuum")
    assert (severity, message) == ("warning", "autovacuum is off for table fsm_internal.sessions")
    db.execute(RAW_SESSIONS, (10_001,))
    db.execute("delete from fsm_internal.sessions")
    wait_until(lambda: len(findings("dead_rows")) == 1, "dead rows are counted")
    [(severity, message, _)] = findings("dead_rows")
    assert (severity, message) == ("warning", "table fsm_internal.sessions has 10001 dead rows beside 0 live ones")
    db.execute("vacuum fsm_internal.sessions")
    wait_until(lambda: findings("dead_rows") == [], "the vacuum is counted")
    db.execute(hint)
    assert findings("autovacuum") == []


def test_updates_that_are_not_hot(api: Api, db: psycopg.Connection[Any], findings: Findings) -> None:
    db.execute(RAW_SESSIONS, (400,))
    for _ in range(3):
        db.execute("update fsm_internal.sessions set version = version")
        db.execute("vacuum fsm_internal.sessions")
    counted = "select n_tup_upd from pg_stat_user_tables where relid = 'fsm_internal.sessions'::regclass"
    wait_until(lambda: db.execute(counted).fetchone() == (1200,), "the updates are counted")
    assert findings("hot_updates") == []
    db.execute("create index mine on fsm_internal.sessions (version)")
    for _ in range(3):
        db.execute("update fsm_internal.sessions set version = version + 1")
    wait_until(lambda: len(findings("hot_updates")) == 1, "the updates are counted")
    [(severity, message, _)] = findings("hot_updates")
    assert severity == "warning"
    assert message.endswith("% of the updates of sessions were HOT")


def test_a_history_that_nobody_trims(api: Api, db: psycopg.Connection[Any], findings: Findings) -> None:
    api.create("s-1")
    query = "select severity, check_name, message from fsm_internal.doctor_retention(%s)"
    [(severity, check, message)] = db.execute(query, (8192,)).fetchall()
    assert (severity, check) == ("warning", "history_size")
    assert message.endswith("and nothing was trimmed for 30 days")
    assert findings("history_size") == [], "ten gigabytes have not come together"
    db.execute("insert into fsm_internal.history_cuts values ('s-1', 1, null, now() - interval '31 days')")
    assert len(db.execute(query, (8192,)).fetchall()) == 1
    db.execute("update fsm_internal.history_cuts set cut_at = now() - interval '29 days'")
    assert db.execute(query, (8192,)).fetchall() == []


def test_errors_come_first(api: Api, db: psycopg.Connection[Any]) -> None:
    api.create("s-1")
    api.create("s-2")
    db.execute("create index mine on fsm_internal.sessions (updated_at)")
    db.execute("update fsm_internal.feed_epochs set system_identifier = '17'")
    db.execute("update fsm_internal.sessions set updated_at = now() - interval '1 year'")
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 's-2'")
    found = [tuple(row) for row in db.execute("select severity, check_name from fsm.doctor()")]
    severities = ["error", "warning", "info"]
    assert found == sorted(found, key=lambda row: (severities.index(row[0]), row[1]))
    assert {
        ("error", "feed_epoch"),
        ("error", "unknown_state"),
        ("warning", "extra_index"),
        ("info", "stuck_sessions"),
    } <= set(found)


def test_every_check_is_explained(db: psycopg.Connection[Any]) -> None:
    [(comment,)] = db.execute("select obj_description('fsm.doctor()'::regprocedure, 'pg_proc')").fetchall()
    bodies = db.execute(
        "select string_agg(coalesce(pg_get_function_sqlbody(oid), prosrc), '') from pg_proc"
        " where proname like 'doctor\\_%'"
    ).fetchone()
    named = set(re.findall(r"'(?:error|warning|info)'(?:::text)?,\s*'(\w+)'", (bodies or ("",))[0]))
    assert len(named) > 20
    for check in named:
        assert check in comment, check


@pytest.mark.parametrize("login", ["test_app", "test_reader", "test_nobody"])
def test_who_may_not(connect_as: Callable[..., Any], login: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        Api(connect_as(login)).rows("doctor")


def test_the_monitor_is_told_what_the_owner_sees(db: psycopg.Connection[Any], connect_as: Callable[..., Any]) -> None:
    db.execute("update fsm_internal.feed_epochs set system_identifier = '17'")
    monitor = connect_as("test_monitor").execute("select * from fsm.doctor()").fetchall()
    assert monitor == db.execute("select * from fsm.doctor()").fetchall()
    assert "feed_epoch" in [row[1] for row in monitor]
