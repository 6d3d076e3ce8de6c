"""fsm.looping_sessions reports what fsm.detect_loop says, for all sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, case, refused

STATES = {
    "a": {"on": {"GO": "b", "SELF": {"target": "a", "meta": {"loop": {"limit": 1, "window": "1 day"}}}}},
    "b": {"on": {"BACK": "a"}},
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Sessions s-1 to s-4 are in state a of a machine with limit 2 in an hour."""
    define(STATES, loop={"limit": 2, "window": "1 hour", "action": "log"})
    for number in range(1, 5):
        api.create(f"s-{number}", "m")
    return api


@pytest.fixture
def reader(s: Api, connect_as: Callable[..., Any]) -> Api:
    return Api(connect_as("test_reader"))


def _found(api: Api, **arguments: Any) -> list[tuple[str, str, str, int]]:
    return [tuple(row[:4]) for row in api.rows("looping_sessions", **arguments)]


def test_none(reader: Api) -> None:
    assert _found(reader) == []


def test_those_written_last_come_first(s: Api, reader: Api) -> None:
    s.move("s-3", *["GO", "BACK"] * 3)
    s.move("s-1", "SELF", "SELF")
    s.move("s-2", "GO", "BACK", "GO", "BACK")
    assert _found(reader) == [("s-1", "a", "a", 2), ("s-3", "b", "a", 3), ("s-3", "a", "b", 3)]
    s.update("s-3")
    assert [row[0] for row in _found(reader)] == ["s-3", "s-3", "s-1"]


def test_each_row_is_what_detect_loop_says(s: Api, reader: Api) -> None:
    for session_id in ("s-1", "s-4"):
        s.move(session_id, *["GO", "BACK", "SELF"] * 3)
    rows = [tuple(row) for row in reader.rows("looping_sessions")]
    expected = [(name, *row) for name in ("s-4", "s-1") for row in reader.rows("detect_loop", session_id=name)]
    assert rows == expected
    assert len(rows) == 6


def test_at_most_so_many_rows(s: Api, reader: Api) -> None:
    for session_id in ("s-1", "s-2"):
        s.move(session_id, *["GO", "BACK"] * 3)
    assert [len(_found(reader, limit=limit)) for limit in (1, 3, 4, 100, None)] == [1, 3, 4, 4, 4]
    assert _found(reader, limit=1) == [("s-2", "b", "a", 3)]


def test_the_window_of_the_transition_decides_not_the_longest(s: Api, reader: Api, db: psycopg.Connection[Any]) -> None:
    s.move("s-1", *["GO", "BACK"] * 3)
    s.move("s-1", "SELF", "SELF")
    for table, column in (("history", "at"), ("sessions", "updated_at")):
        db.execute(f"update fsm_internal.{table} set {column} = {column} - interval '2 hours'")
    assert _found(reader) == [("s-1", "a", "a", 2)]
    for table, column in (("history", "at"), ("sessions", "updated_at")):
        db.execute(f"update fsm_internal.{table} set {column} = {column} - interval '1 day'")
    assert _found(reader) == []


def test_who_was_not_written_within_any_window_is_not_looked_at(
    s: Api, reader: Api, db: psycopg.Connection[Any]
) -> None:
    """The history alone would still give a loop: so it was not read."""
    s.move("s-1", *["GO", "BACK"] * 3)
    db.execute("update fsm_internal.sessions set updated_at = updated_at - interval '25 hours'")
    assert len(s.rows("detect_loop", session_id="s-1")) == 2
    assert _found(reader) == []


def test_a_machine_without_loop_rules(api: Api, connect_as: Callable[..., Any]) -> None:
    api.create("s-1", "door")
    api.move("s-1", *["KNOCK"] * 5)
    assert _found(Api(connect_as("test_monitor"))) == []


def test_deadlines_are_passages_by_their_own_rule(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    define({"a": {"after": {"1": "b"}}, "b": {"on": {"BACK": "a"}}}, loop={"limit": 2, "window": "1 hour"})
    api.create("s-1", "m")
    for number in range(1, 4):
        db.execute("update fsm_internal.deadlines set wake_at = now() - interval '1 second'")
        db.execute("update fsm_internal.sessions set entered_at = now() - interval '1 hour'")
        [fired] = api.rows("fire_deadlines")
        assert (fired.from_state, fired.to_state, fired.sqlstate) == ("a", "b", None)
        pairs = [tuple(row[:4]) for row in api.rows("detect_loop", session_id="s-1")]
        assert pairs == ([("a", "b", 3, 2)] if number == 3 else [])
        api.send("s-1", "BACK")
    assert ("s-1", "a", "b", 3) in _found(Api(db))


def test_bad_limits(reader: Api) -> None:
    for limit in (0, -5):
        with case(limit), refused("22023") as refusal:
            _found(reader, limit=limit)
        assert refusal.detail == {"argument": "p_limit", "value": limit}


def test_the_application_may_not(s: Api) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _found(s)
