"""`after` of a state: fired at its time, once, unless the state was left first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from support.api import Api, case, refused
from support.stored import age, deadline, due_now
from support.waiting import wait_until

STATES: dict[str, Any] = {
    "a": {"on": {"GO": "b", "SELF": "a", "AGAIN": {"target": "a", "reenter": True}}, "after": {"60000": "late"}},
    "b": {"on": {"BACK": "a"}},
    "c": {"on": {"BACK": "a"}, "after": {"120000": "a", "7200000": "late"}},
    "late": {"on": {"BACK": "a", "ON": "c"}},
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 is in state a, whose deadline is in a minute."""
    define(STATES, on={"STOP": "b"})
    api.create("s-1", "m", context={"n": 1})
    return api


def _wake(db: psycopg.Connection[Any], session_id: str = "s-1") -> Any:
    """wake_at of the session's row."""
    query = "select nullif(wake_at, 'infinity') from fsm_internal.sessions where session_id = %s"
    return db.execute(query, (session_id,)).fetchall()[0][0]


def test_nothing_is_due(s: Api, db: psycopg.Connection[Any]) -> None:
    created = s.load("s-1")
    assert s.fire() == []
    assert s.load("s-1") == created
    due = created.entered_at + timedelta(minutes=1)
    assert (_wake(db), deadline(db, "s-1")) == (due, (due, 0, None, None))


def test_it_fires_when_it_is_due(s: Api, db: psycopg.Connection[Any]) -> None:
    age(db, "1 minute")
    before = s.load("s-1")
    assert [tuple(row) for row in s.fire()] == [("s-1", "a", "late", 2, None, None)]
    row = s.load("s-1")
    assert (row.state, row.version, row.context) == ("late", 2, {"n": 1})
    assert row.entered_at == row.updated_at > before.entered_at
    assert s.history("s-1")[0] == (
        2, "deadline", "a", "late", None, None, "test_app", {"delay_ms": 60000}, False, row.updated_at,
    )  # fmt: skip
    assert (s.text("s-1", 1), s.text("s-1", 2)) == ('{"n": 1}', '{"n": 1}')
    assert s.fire() == []
    assert (_wake(db), deadline(db, "s-1")) == (None, None)


def test_not_a_moment_before(s: Api, db: psycopg.Connection[Any]) -> None:
    age(db, "50 seconds")
    assert s.fire() == []
    age(db, "10 seconds")
    assert len(s.fire()) == 1


def test_it_fires_by_the_clock(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"after": {"200": "b"}}, "b": {"on": {"X": "a"}}})
    created = api.create("s-1", "m")
    fired: list[Any] = []
    wait_until(lambda: fired.extend(api.fire()) or bool(fired), "the deadline is due")  # type: ignore[func-returns-value]
    assert api.load("s-1").entered_at - created.entered_at >= timedelta(milliseconds=200)


@pytest.mark.parametrize(
    "leave",
    [
        lambda s: s.send("s-1", "GO"),
        lambda s: s.save("s-1", "b"),
        lambda s: s.batch([{"session_id": "s-1", "state": "b", "context": {}}]),
    ],
)
def test_whoever_leaves_first_cancels_it_also_when_it_is_overdue(
    s: Api, db: psycopg.Connection[Any], leave: Callable[[Api], Any]
) -> None:
    age(db)
    leave(s)
    assert s.fire() == []
    assert [entry.kind for entry in s.history("s-1")] == ["transition", "create"]
    assert (_wake(db), deadline(db, "s-1")) == (None, None)


def test_it_counts_from_when_the_state_was_entered(s: Api, db: psycopg.Connection[Any]) -> None:
    """Coming back starts it anew, though the hint of the first stay was kept."""
    age(db, "50 seconds")
    s.move("s-1", "GO", "BACK")
    age(db, "20 seconds")
    assert s.fire() == []
    assert _wake(db) == s.load("s-1").entered_at + timedelta(minutes=1)
    age(db, "40 seconds")
    [row] = s.fire()
    assert (row.to_state, row.version) == ("late", 4)


@pytest.mark.parametrize(
    "stay",
    [
        lambda s: s.update("s-1", patch={"n": 2}),
        lambda s: s.save("s-1", "a", {"n": 2}),
        lambda s: s.send("s-1", "SELF"),
        lambda s: s.save("s-1", "a", event="SELF"),
    ],
)
def test_writes_that_do_not_enter_the_state_leave_it_running(
    s: Api, db: psycopg.Connection[Any], stay: Callable[[Api], Any]
) -> None:
    age(db, "50 seconds")
    stay(s)
    assert s.fire() == []
    age(db, "10 seconds")
    assert [(row.to_state, row.version) for row in s.fire()] == [("late", 3)]


def test_a_self_transition_that_enters_starts_it_anew(s: Api, db: psycopg.Connection[Any]) -> None:
    age(db, "50 seconds")
    s.send("s-1", "AGAIN")
    age(db, "50 seconds")
    assert s.fire() == []
    age(db, "10 seconds")
    assert [row.version for row in s.fire()] == [3]


def test_of_several_delays_each_has_its_time(s: Api, db: psycopg.Connection[Any]) -> None:
    age(db, "1 minute")
    s.fire()
    entered = s.send("s-1", "ON").entered_at
    assert _wake(db) == entered + timedelta(minutes=2)
    age(db, "110 seconds")
    assert s.fire() == []
    age(db, "10 seconds")
    assert [(row.from_state, row.to_state) for row in s.fire()] == [("c", "a")]
    assert s.history("s-1")[0].note == {"delay_ms": 120000}
    assert _wake(db) == s.load("s-1").entered_at + timedelta(minutes=1)


def test_of_several_that_are_due_the_shortest_is_taken(s: Api, db: psycopg.Connection[Any]) -> None:
    """One a session and call: the state that it leads to has deadlines of its own."""
    age(db, "1 minute")
    s.fire()
    s.send("s-1", "ON")
    age(db, "1 day")
    assert [(row.from_state, row.to_state) for row in s.fire()] == [("c", "a")]
    assert s.fire() == []


def test_a_chain_of_deadlines(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define(
        {
            "a": {"after": {"1000": "b"}},
            "b": {"after": {"1000": "c"}},
            "c": {"after": {"1000": {"target": "z"}}},
            "z": {"type": "final"},
        }
    )
    api.create("s-1", "m")
    ways = []
    for _ in range(3):
        age(db, "1 second")
        ways += [(row.from_state, row.to_state) for row in api.fire()]
    assert ways == [("a", "b"), ("b", "c"), ("c", "z")]
    assert api.load("s-1").is_final is True
    age(db)
    assert api.fire() == []
    assert deadline(db, "s-1") is None


def test_into_its_own_state_it_fires_once_a_stay(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    """It has no other effect than a version, so it is remembered; updates do not bring it back, entering does."""
    again = {"AGAIN": {"target": "a", "reenter": True}, "SELF": "a"}
    define({"a": {"on": again, "after": {"60000": "a", "120000": "a", "180000": "b"}}, "b": {"on": {"X": "a"}}})
    created = api.create("s-1", "m")
    age(db, "1 minute")
    assert [tuple(row) for row in api.fire()] == [("s-1", "a", "a", 2, None, None)]
    row = api.load("s-1")
    assert row.entered_at == created.entered_at - timedelta(minutes=1)  # it was not entered anew
    assert deadline(db, "s-1") == (row.entered_at + timedelta(minutes=2), 0, 60000, row.entered_at)
    assert api.fire() == []
    api.update("s-1")
    api.send("s-1", "SELF")
    assert api.fire() == []
    age(db, "1 minute")
    api.update("s-1")
    assert [row.version for row in api.fire()] == [6]
    assert api.history("s-1")[0].note == {"delay_ms": 120000}
    api.send("s-1", "AGAIN")
    age(db, "90 seconds")
    assert [row.version for row in api.fire()] == [8]
    assert api.history("s-1")[0].note == {"delay_ms": 60000}
    age(db, "90 seconds")
    assert [row.to_state for row in api.fire()] == ["a"]
    assert [row.to_state for row in api.fire()] == ["b"]


def test_when_all_of_a_stay_were_fired_nothing_is_looked_for(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    define({"a": {"on": {"X": "b"}, "after": {"1000": "a"}}, "b": {"on": {"X": "a"}}})
    api.create("s-1", "m")
    age(db)
    assert len(api.fire()) == 1
    entered_at = api.load("s-1").entered_at
    assert (_wake(db), deadline(db, "s-1")) == (None, (datetime.max, 0, 1000, entered_at))
    age(db)
    assert api.fire() == []
    api.update("s-1")
    assert deadline(db, "s-1")[0] == datetime.max
    api.move("s-1", "X", "X")
    age(db, "1 second")
    assert [row.version for row in api.fire()] == [6]


def test_looked_at_too_early_nothing_is_forgotten(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    define({"a": {"on": {"X": "b"}, "after": {"60000": "a", "120000": "b"}}, "b": {"on": {"X": "a"}}})
    api.create("s-1", "m")
    age(db, "1 minute")
    assert len(api.fire()) == 1
    expected = deadline(db, "s-1")
    due_now(db, "s-1")
    assert api.fire() == []
    assert deadline(db, "s-1") == expected
    assert _wake(db) == expected[0]


def test_a_guardless_target_named_in_every_way(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    targets = {"1": "b", "2": ".b", "3": "#m.b", "4": {"target": "b"}, "315576000000": "b"}
    for number, (delay, target) in enumerate(targets.items(), start=1):
        define({"a": {"after": {delay: target}}, "b": {"on": {"X": "a"}}})
        api.create(f"s-{number}", "m", machine_version=number)
    age(db, "10 years 1 month", None)
    assert {(row.session_id, row.to_state) for row in api.fire()} == {(f"s-{number}", "b") for number in range(1, 6)}


def test_the_longest_overdue_come_first_and_no_more_than_wanted(s: Api, db: psycopg.Connection[Any]) -> None:
    for number in range(2, 8):
        s.create(f"s-{number}", "m")
        age(db, f"{number} hours", f"s-{number}")
    assert [row.session_id for row in s.fire(limit=1)] == ["s-7"]
    assert [row.session_id for row in s.fire(limit=2)] == ["s-6", "s-5"]
    assert [row.session_id for row in s.fire(limit=None)] == ["s-4", "s-3", "s-2"]
    assert s.fire() == []


def test_sessions_that_went_on_meanwhile_do_not_use_the_limit_up(s: Api, db: psycopg.Connection[Any]) -> None:
    """Somebody looks at them for nothing; a call that returns no row says that nothing is due."""
    for number in range(2, 8):
        s.create(f"s-{number}", "m")
    age(db, "2 hours")
    for number in range(2, 7):
        s.send(f"s-{number}", "GO")
    age(db, "1 minute", "s-7")
    age(db, "1 hour", "s-2")
    assert [row.session_id for row in s.fire(limit=1)] == ["s-7"]
    assert [row.session_id for row in s.fire(limit=1)] == ["s-1"]
    assert s.fire(limit=1) == []
    assert db.execute("select count(*) from fsm_internal.deadlines").fetchone() == (0,)


def test_a_limit_below_1(s: Api) -> None:
    for limit in (0, -1, -2147483648):
        with refused("22023") as refusal:
            s.fire(limit=limit)
        assert (refusal.message, refusal.detail) == ("limit below 1", {"argument": "p_limit", "value": limit})


@pytest.mark.parametrize("limit", [None, 1000, 1001, 2147483647, "default"])
def test_at_most_1000_in_one_call(s: Api, db: psycopg.Connection[Any], limit: Any) -> None:
    db.execute("select fsm.create_session('x-' || n, 'm') from generate_series(1, 1004) n")
    age(db)
    first, second = (100, 905) if limit == "default" else (1000, 5)
    more = {} if limit == "default" else {"limit": limit}
    assert len(s.fire(**more)) == first
    assert len(s.fire(limit=None)) == second
    assert s.fire(limit=None) == []


def test_several_in_one_transaction(s: Api, db: psycopg.Connection[Any]) -> None:
    """A rolled-back call fired nothing."""
    age(db)
    s.conn.execute("begin")
    assert len(s.fire()) == 1
    assert s.fire() == []
    s.conn.execute("rollback")
    assert s.load("s-1").version == 1
    assert [row.version for row in s.fire()] == [2]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_snapshot_from_before_a_write_is_not_believed(s: Api, connect_as: Any, db: Any, level: str) -> None:
    age(db)
    late = Api(connect_as("test_app"))
    late.conn.execute(f"begin isolation level {level}")
    late.load("s-1")
    s.send("s-1", "GO")
    with case(level), pytest.raises(psycopg.errors.SerializationFailure):
        late.fire()
    late.conn.execute("rollback")
    s.conn.execute(f"set default_transaction_isolation = '{level}'")
    s.send("s-1", "BACK")
    age(db)
    assert [row.version for row in s.fire()] == [4]
