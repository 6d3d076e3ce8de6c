"""fsm.metrics counts what monitoring wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api

KEYS = {"release", "at", "sessions", "machines", "recent", "transitions", "rates", "deadlines", "turns", "bytes"}


@pytest.fixture
def monitor(api: Api, connect_as: Callable[..., Any]) -> Api:
    return Api(connect_as("test_monitor"))


def _metrics(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.one("metrics").metrics
    return found


def test_nothing_yet(monitor: Api, db: psycopg.Connection[Any]) -> None:
    found = _metrics(monitor)
    assert set(found) == KEYS
    assert found["release"] == monitor.one("schema_release").schema_release
    between = "select %s::timestamptz between now() - interval '1 minute' and now()"
    assert db.execute(between, (found["at"],)).fetchone() == (True,)
    assert found["sessions"] == {"total": 0, "final": 0, "by_state": []}
    assert found["machines"] == {"names": 2, "versions": 2, "retired": 0}
    assert found["recent"] == {"seconds": 300, "writes": 0, "loops": 0, "since": None, "capped": False}
    assert found["transitions"] == []
    assert found["rates"] == {"minute": {}, "five_minutes": {}}
    assert found["deadlines"] == {"waiting": 0, "overdue": 0, "oldest_overdue_seconds": None, "refused": 0}
    assert found["turns"] == {"held": 0}


def test_sessions_by_state(api: Api, monitor: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define({"a": {"on": {"END": "z"}}, "z": {"type": "final"}})
    for number in range(3):
        api.create(f"s-{number}")
        api.create(f"m-{number}", "m")
    api.send("s-1", "OPEN")
    api.move("m-1", "END")
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 'm-2'")
    expected = [("door", "closed", 2), ("door", "open", 1), ("m", "a", 1), ("m", "nowhere", 1), ("m", "z", 1)]
    assert _metrics(monitor)["sessions"] == {
        "total": 6,
        "final": 1,
        "by_state": [
            {"machine": machine, "machine_version": 1, "state": state, "sessions": sessions}
            for machine, state, sessions in expected
        ],
    }


def test_machines(monitor: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define({"a": {"on": {"X": "a"}}})
    define({"a": {"on": {"Y": "a"}}})
    Api(db).one("retire_machine", machine="m", machine_version=1)
    assert _metrics(monitor)["machines"] == {"names": 3, "versions": 4, "retired": 1}


def test_rates_transitions_and_loops(
    api: Api, monitor: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    define({"a": {"on": {"SELF": "a"}}}, loop={"limit": 1, "window": "1 hour"})
    api.create("s-1", "m")
    api.move("s-1", "SELF", "SELF", "SELF")
    api.create("s-2")
    api.send("s-2", "OPEN")
    # Two minutes ago counts for five minutes only, an hour ago not at all.
    for version, age in ((1, "1 hour"), (2, "2 minutes")):
        db.execute(
            "update fsm_internal.history set at = at - %s::interval where session_id = 's-1' and version = %s",
            (age, version),
        )
    found = _metrics(monitor)
    assert found["recent"] | {"since": None} == {
        "seconds": 300,
        "writes": 5,
        "loops": 2,
        "since": None,
        "capped": False,
    }
    assert found["rates"] == {
        "minute": {"create": 0.0167, "transition": 0.05},
        "five_minutes": {"create": 0.0033, "transition": 0.0133},
    }
    move = {"machine": "m", "from_state": "a", "to_state": "a", "event": "SELF", "transitions": 3}
    door = {"machine": "door", "from_state": "closed", "to_state": "open", "event": "OPEN", "transitions": 1}
    assert found["transitions"] == [move, door]


def test_when_there_were_more_writes_than_are_looked_at(api: Api, db: psycopg.Connection[Any]) -> None:
    api.create("s-1")
    api.move("s-1", *["KNOCK"] * 9)
    ask = "select fsm_internal.recent_metrics(now(), %s)"
    with db.transaction():
        db.execute("update fsm_internal.history set at = now() - (10 - version) * interval '10 seconds'")
        [(capped,)] = db.execute(ask, (4,)).fetchall()
        [(whole,)] = db.execute(ask, (11,)).fetchall()
    # The newest four are those of 0 to 30 seconds ago: three in 30 seconds beside the one of this moment.
    assert (capped["recent"]["capped"], capped["recent"]["writes"]) == (True, 4)
    assert capped["rates"] == {"minute": {"transition": 0.1333}, "five_minutes": {"transition": 0.1333}}
    assert (whole["recent"]["capped"], whole["recent"]["writes"]) == (False, 10)
    assert whole["rates"]["five_minutes"] == {"create": 0.0033, "transition": 0.03}


def test_deadlines(api: Api, monitor: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define({"a": {"after": {"3600000": "b"}, "on": {"X": "b"}}, "b": {"on": {"BACK": "a"}}})
    for name in ("waits", "late", "later", "gone", "refused"):
        api.create(name, "m")
    api.send("gone", "X")  # the hint to look at it stays
    for name, age in (("late", "2 hours"), ("later", "3 hours"), ("gone", "4 hours"), ("refused", "3 hours")):
        db.execute(
            "update fsm_internal.sessions set entered_at = now() - %s::interval where session_id = %s", (age, name)
        )
        db.execute(
            "update fsm_internal.deadlines set wake_at = now() - %s::interval + interval '1 hour'"
            " where session_id = %s",
            (age, name),
        )
    db.execute(
        "update fsm_internal.deadlines set refusals = 2, wake_at = now() + interval '1 minute'"
        " where session_id = 'refused'"
    )
    found = _metrics(monitor)["deadlines"]
    assert 7200 <= found.pop("oldest_overdue_seconds") < 7260
    assert found == {"waiting": 5, "overdue": 2, "refused": 1}


def test_turns(api: Api, monitor: Api) -> None:
    for name in ("s-1", "s-2"):
        api.create(name)
        turn = api.one("begin_turn", session_id=name, holder="me").turn
    assert _metrics(monitor)["turns"] == {"held": 2}
    api.one("end_turn", session_id="s-2", turn=turn)
    assert _metrics(monitor)["turns"] == {"held": 1}


def test_bytes(api: Api, monitor: Api, db: psycopg.Connection[Any]) -> None:
    before = _metrics(monitor)["bytes"]
    for number in range(200):
        api.create(f"s-{number}", context={"text": "x" * 500})
    after = _metrics(monitor)["bytes"]
    assert set(after) == {"sessions", "history", "indexes", "total"}
    assert after["sessions"] > before["sessions"] + 100_000
    assert after["history"] > before["history"]
    assert after["total"] >= after["sessions"] + after["history"] + after["indexes"]
    row = db.execute("select pg_table_size('fsm_internal.sessions')").fetchone()
    assert row == (after["sessions"],)


def test_every_key_is_explained(monitor: Api, db: psycopg.Connection[Any]) -> None:
    [(comment,)] = db.execute("select obj_description('fsm.metrics()'::regprocedure, 'pg_proc')").fetchall()
    found = _metrics(monitor)
    inner = {key for value in found.values() if isinstance(value, dict) for key in value}
    for key in KEYS | inner:
        assert key in comment, key


@pytest.mark.parametrize("login", ["test_app", "test_reader", "test_nobody"])
def test_who_may_not(api: Api, connect_as: Callable[..., Any], login: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _metrics(Api(connect_as(login)))
