"""Who schedules deadlines and who takes them away: sessions.wake_at and deadlines.wake_at are always the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.stored import age, deadline, problems

STATES: dict[str, Any] = {
    "plain": {"on": {"GO": "timed"}},
    "timed": {"on": {"BACK": "plain", "LONG": "long"}, "after": {"60000": "done"}},
    "long": {"on": {"GO": "timed"}, "after": {"3600000": "plain"}},
    "done": {"type": "final"},
}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 is in a state without deadlines."""
    define(STATES)
    api.create("s-1", "m")
    return api


def _same(db: psycopg.Connection[Any]) -> None:
    rows = db.execute(
        "select coalesce(s.session_id, d.session_id), s.wake_at::text, d.wake_at::text"
        " from fsm_internal.sessions s full join fsm_internal.deadlines d using (session_id)"
        " where s.wake_at is distinct from d.wake_at"
    ).fetchall()
    assert rows == []


def _due(db: psycopg.Connection[Any], session_id: str = "s-1") -> Any:
    _same(db)
    found = deadline(db, session_id)
    return None if found is None else found[0]


def test_creation(s: Api, db: psycopg.Connection[Any], define: Callable[..., int]) -> None:
    assert _due(db) is None
    define(STATES, name="other", initial="timed")
    created = s.create("s-2", "other")
    assert _due(db, "s-2") == created.entered_at + MINUTE


def test_transitions(s: Api, db: psycopg.Connection[Any]) -> None:
    there = s.send("s-1", "GO")
    assert _due(db) == there.entered_at + MINUTE
    # Into a state that is left later, or that has none: somebody looks too early, which costs nothing.
    s.send("s-1", "LONG")
    assert _due(db) == there.entered_at + MINUTE
    age(db, "30 minutes")
    assert s.fire() == []
    assert _due(db) == s.load("s-1").entered_at + 60 * MINUTE
    # Into one that is due earlier.
    back = s.send("s-1", "GO")
    assert _due(db) == back.entered_at + MINUTE
    s.send("s-1", "BACK")
    assert _due(db) == back.entered_at + MINUTE
    age(db)
    assert s.fire() == []
    assert _due(db) is None


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.save("s-1", "timed", {}),
        lambda s: s.batch([{"session_id": "s-1", "state": "timed", "context": {}}]),
    ],
)
def test_saves(s: Api, db: psycopg.Connection[Any], write: Callable[[Api], Any]) -> None:
    write(s)
    assert _due(db) == s.load("s-1").entered_at + MINUTE


def test_a_batch_that_goes_there_and_on(s: Api, db: psycopg.Connection[Any]) -> None:
    s.batch([{"session_id": "s-1", "state": state, "context": {}} for state in ("timed", "long", "timed", "plain")])
    age(db)
    assert s.fire() == []
    assert _due(db) is None


def test_forks(s: Api, db: psycopg.Connection[Any]) -> None:
    """From the time of the fork; the source's own deadline is its own."""
    source = s.send("s-1", "GO")
    age(db, "50 seconds")
    forked = s.fork("s-1", 2, "s-2")
    assert _due(db, "s-2") == forked.entered_at + MINUTE
    assert _due(db) == source.entered_at - timedelta(seconds=50) + MINUTE
    s.fork("s-1", 1, "s-3")
    assert _due(db, "s-3") is None
    age(db, "10 seconds")
    assert [(row.session_id, row.to_state) for row in s.fire()] == [("s-1", "done")]


def test_rollbacks(s: Api, db: psycopg.Connection[Any]) -> None:
    s.move("s-1", "GO", "BACK")
    age(db)
    assert s.fire() == []
    back = s.rollback("s-1", 2)
    assert (back.state, _due(db)) == ("timed", back.entered_at + MINUTE)
    age(db, "1 minute")
    assert [row.to_state for row in s.fire()] == ["done"]
    # Out of the final state that the deadline led to: its time begins anew.
    again = s.rollback("s-1", 2)
    assert (again.state, _due(db)) == ("timed", again.entered_at + MINUTE)
    assert s.fire() == []


def test_a_rollback_into_the_present_state_leaves_it_running(s: Api, db: psycopg.Connection[Any]) -> None:
    there = s.send("s-1", "GO")
    s.update("s-1", patch={"n": 1})
    s.rollback("s-1", 2)
    assert _due(db) == there.entered_at + MINUTE


def _second(define: Callable[..., int], **states: Any) -> None:
    assert define({**STATES, **states}) == 2


def _upgrade(db: psycopg.Connection[Any], **more: Any) -> None:
    arguments = {"machine": "m", "from_version": 1, "to_version": 2, "dry_run": False, **more}
    assert all(row.code is None for row in Api(db).rows("upgrade_sessions", **arguments))


def test_an_upgrade_to_a_version_with_another_delay(
    s: Api, db: psycopg.Connection[Any], define: Callable[..., int]
) -> None:
    """It counts from when the state was entered, as before."""
    for number, delay in enumerate(("30000", "90000"), start=2):
        assert define({**STATES, "timed": {**STATES["timed"], "after": {delay: "done"}}}) == number
    for number in (2, 3):
        s.create(f"s-{number}", "m", machine_version=1)
        s.send(f"s-{number}", "GO")
        _upgrade(db, to_version=number)
    age(db, "30 seconds")
    assert [row.session_id for row in s.fire()] == ["s-2"]
    age(db, "30 seconds")
    assert s.fire() == []
    age(db, "30 seconds")
    assert [row.session_id for row in s.fire()] == ["s-3"]
    _same(db)


def test_an_upgrade_that_brings_and_one_that_takes_it(
    s: Api, db: psycopg.Connection[Any], define: Callable[..., int]
) -> None:
    s.create("s-2", "m")
    s.send("s-2", "GO")
    _second(
        define,
        plain={**STATES["plain"], "after": {"60000": "done"}},
        timed={"on": STATES["timed"]["on"]},
    )
    _upgrade(db)
    assert _due(db) == s.load("s-1").entered_at + MINUTE
    age(db, "1 minute")
    assert [(row.session_id, row.from_state) for row in s.fire()] == [("s-1", "plain")]
    assert _due(db, "s-2") is None
    assert s.load("s-2").machine_version == 2


def test_an_upgrade_into_another_state(s: Api, db: psycopg.Connection[Any], define: Callable[..., int]) -> None:
    _second(
        define, spare={"on": {"X": "plain"}, "after": {"1000": "done"}}, plain={"on": {"X": "spare", "GO": "timed"}}
    )
    _upgrade(db, state_map={"plain": "spare"})
    row = s.load("s-1")
    assert (row.state, _due(db)) == ("spare", row.entered_at + timedelta(seconds=1))


def test_an_upgrade_does_not_bring_back_what_was_fired(
    api: Api, db: psycopg.Connection[Any], define: Callable[..., int]
) -> None:
    for more in ({}, {"180000": "b"}):
        define({"a": {"after": {"60000": "a", "120000": "b", **more}}, "b": {"on": {"X": "a"}}})
    api.create("s-1", "m", machine_version=1)
    age(db, "1 minute")
    assert [row.to_state for row in api.fire()] == ["a"]
    _upgrade(db)
    assert api.fire() == []
    age(db, "1 minute")
    assert [row.to_state for row in api.fire()] == ["b"]


def test_deletion_and_purge_take_them_away(s: Api, db: psycopg.Connection[Any]) -> None:
    admin = Api(db)
    for session_id in ("s-2", "s-3"):
        s.create(session_id, "m")
        s.send(session_id, "GO")
    assert admin.one("delete_session", session_id="s-2") == (True,)
    assert deadline(db, "s-2") is None
    age(db)
    assert admin.one("purge_sessions", idle="1 minute", only_final=False) == (2,)
    assert db.execute("select count(*) from fsm_internal.deadlines").fetchone() == (0,)
    s.create("s-2", "m")
    assert s.fire() == []


def test_a_refused_or_rolled_back_write_schedules_nothing(s: Api, db: psycopg.Connection[Any]) -> None:
    s.conn.execute("begin")
    s.send("s-1", "GO")
    s.conn.execute("rollback")
    rows = s.batch(
        [
            {"session_id": "s-1", "state": "timed", "context": {}, "expected_version": 7},
            {"session_id": "s-1", "state": "long", "context": {}},
        ],
        atomic=False,
    )
    assert [row.sqlstate for row in rows] == ["SM030", "SM020"]
    assert _due(db) is None


def test_a_lost_deadline_is_found(s: Api, db: psycopg.Connection[Any]) -> None:
    """verify_sessions is what the other tests rely on: it must be able to fail."""
    s.send("s-1", "GO")
    for table, value in (
        ("sessions", "null"), ("sessions", "wake_at + interval '1 second'"), ("deadlines", "'infinity'"),
    ):  # fmt: skip
        with db.transaction(force_rollback=True):
            db.execute(f"update fsm_internal.{table} set wake_at = {value}")
            assert [(row[0], row[1]) for row in problems(db)] == [("s-1", "deadline_lost")]
    with db.transaction(force_rollback=True):
        db.execute("delete from fsm_internal.deadlines")
        assert [(row[0], row[1]) for row in problems(db)] == [("s-1", "deadline_lost")]
