"""Deadlines, and several callers at once: each is taken once, and whoever gets the lock first wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from threading import Barrier
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.race import Race
from support.stored import age, problems
from support.together import Running

Connection = psycopg.Connection[Any]
COUNT = 300


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    define({"a": {"on": {"GO": "c"}, "after": {"60000": "b"}}, "b": {"on": {"X": "a"}}, "c": {"on": {"X": "a"}}})
    api.create("s-1", "m")
    return api


def _fire_all(caller: Api, together: Barrier, limit: int) -> list[Any]:
    together.wait(timeout=30)
    fired: list[Any] = []
    while rows := caller.fire(limit=limit):
        fired += rows
    return fired


def test_exactly_once_with_several_callers(s: Api, db: Connection, connect_as: Any) -> None:
    db.execute("select fsm.create_session('x-' || n, 'm') from generate_series(1, %s) n", (COUNT - 1,))
    age(db)
    together = Barrier(4)
    runs = [
        Running(partial(_fire_all, Api(connect_as("test_app")), together, limit=limit)) for limit in (1, 7, 50, 1000)
    ]
    fired = [row for run in runs for row in run.result()]
    fired += s.fire(limit=None)  # a call ends when all that is left is somebody else's
    assert set(Counter(row.session_id for row in fired).values()) == {1}
    assert len(fired) == COUNT
    assert {(row.to_state, row.version, row.sqlstate) for row in fired} == {("b", 2, None)}
    kinds = db.execute("select kind::text, count(*) from fsm_internal.history group by 1 order by 1").fetchall()
    assert kinds == [("create", COUNT), ("deadline", COUNT)]
    assert problems(db) == []


def test_a_busy_session_is_skipped_and_left_for_the_next_call(s: Api, db: Connection, connect_as: Any) -> None:
    s.create("s-2", "m")
    age(db)
    other = Api(connect_as("test_app"))
    other.conn.execute("set lock_timeout = '1s'")
    s.conn.execute("begin")
    s.update("s-1")
    assert [row.session_id for row in other.fire(limit=1)] == ["s-2"]
    assert other.fire() == []
    s.conn.execute("commit")
    assert [(row.session_id, row.version) for row in other.fire()] == [("s-1", 3)]


def test_two_callers_share_what_is_due(s: Api, db: Connection, connect_as: Any) -> None:
    for number in range(2, 7):
        s.create(f"s-{number}", "m")
    age(db)
    other = Api(connect_as("test_app"))
    s.conn.execute("begin")
    mine = {row.session_id for row in s.fire(limit=2)}
    others = {row.session_id for row in other.fire()}
    s.conn.execute("rollback")
    assert (len(mine), len(others), mine & others) == (2, 4, set())
    assert {row.session_id for row in other.fire()} == mine


WRITES: dict[str, Callable[[Api], Any]] = {
    "save": lambda api: api.save("s-1", "c"),
    "event": lambda api: api.send("s-1", "GO"),
    "batch": lambda api: api.batch([{"session_id": "s-1", "state": "c", "context": {}}]),
}


@pytest.mark.parametrize("write", WRITES)
def test_the_deadline_gets_the_lock_first(s: Api, race: Race, db: Connection, write: str) -> None:
    """The write then finds a state from which there is no way."""
    age(db)
    s.conn.execute("begin")
    assert [row.to_state for row in s.fire()] == ["b"]
    race.queue([WRITES[write]])
    s.conn.execute("commit")
    [outcome] = race.finish()
    assert outcome.sqlstate == "SM020"
    assert [entry.kind for entry in s.history("s-1")] == ["deadline", "create"]


@pytest.mark.parametrize("write", WRITES)
def test_the_write_gets_the_lock_first(s: Api, db: Connection, connect_as: Any, write: str) -> None:
    """The deadline is cancelled, though it was overdue."""
    age(db)
    other = Api(connect_as("test_app"))
    s.conn.execute("begin")
    WRITES[write](s)
    assert other.fire() == []
    s.conn.execute("commit")
    assert other.fire() == []
    assert [entry.kind for entry in s.history("s-1")] == ["transition", "create"]
    assert problems(db) == []


def test_a_save_with_the_version_before_the_deadline(s: Api, race: Race, db: Connection) -> None:
    age(db)
    s.conn.execute("begin")
    s.fire()
    race.queue([lambda one: one.save("s-1", "a", {}, 1), lambda one: one.update("s-1")])
    s.conn.execute("commit")
    outcomes = race.finish()
    assert outcomes[0].sqlstate == "SM030"
    assert (outcomes[1].row.version, outcomes[1].row.state) == (3, "b")


def test_a_session_erased_meanwhile(s: Api, db: Connection, connect_as: Any) -> None:
    """The list of what is due is older than the erasure."""
    age(db)
    other = Api(connect_as("test_app"))
    db.execute("begin")
    Api(db).rows("delete_session", session_id="s-1")
    assert other.fire() == []
    db.execute("commit")
    assert other.fire() == []
    assert problems(db) == []
