"""fsm.detect_loop reports the loops that durable history shows now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api

STATES = {
    "a": {"on": {"GO": "b", "SELF": {"target": "a", "meta": {"loop": {"limit": 1, "window": "1 day"}}}}},
    "b": {"on": {"BACK": "a"}},
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 is in state a of a machine with limit 2 in an hour."""
    define(STATES, loop={"limit": 2, "window": "1 hour", "action": "log"})
    api.create("s-1", "m")
    return api


def _pairs(api: Api) -> list[tuple[str, str, int]]:
    return [tuple(row[:3]) for row in api.rows("detect_loop", session_id="s-1")]


def test_nothing_at_the_limit_and_a_row_above_it(s: Api) -> None:
    s.move("s-1", "GO", "BACK", "GO", "BACK")
    assert _pairs(s) == []
    s.send("s-1", "GO")
    assert _pairs(s) == [("a", "b", 3)]


def test_all_that_is_told_of_a_loop(s: Api) -> None:
    times = [s.send("s-1", event).saved_at for event in ["GO", "BACK"] * 3]
    rows = s.rows("detect_loop", session_id="s-1")
    assert [tuple(row[:4]) for row in rows] == [("b", "a", 3, 2), ("a", "b", 3, 2)]
    assert [row.loop_window.total_seconds() for row in rows] == [3600, 3600]
    assert [(row.first_at, row.last_at) for row in rows] == [(times[1], times[5]), (times[0], times[4])]


def test_each_transition_by_its_own_rule(s: Api) -> None:
    s.move("s-1", "SELF", "SELF")
    [row] = s.rows("detect_loop", session_id="s-1")
    assert tuple(row[:4]) == ("a", "a", 2, 1)
    assert row.loop_window.total_seconds() == 86400


def test_only_what_lies_within_the_window_before_now(s: Api, db: psycopg.Connection[Any]) -> None:
    s.move("s-1", "GO", "BACK", "GO", "BACK", "GO")
    db.execute("update fsm_internal.history set at = at - interval '61 minutes' where version = 2")
    assert _pairs(s) == []
    s.move("s-1", "BACK", "GO")
    assert _pairs(s) == [("a", "b", 3), ("b", "a", 3)]
    db.execute("update fsm_internal.history set at = at - interval '61 minutes'")
    assert _pairs(s) == []


def test_a_blocked_or_diverted_passage_was_not_made(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"SELF": "a"}}, "d": {"on": {"X": "a"}}}, loop={"limit": 1, "action": {"divert": "d"}})
    api.create("s-1", "m")
    api.move("s-1", "SELF", "SELF")
    assert api.load("s-1").state == "d"
    assert _pairs(api) == []


def test_what_saves_without_an_event_made_counts_too(s: Api) -> None:
    for state in ["b", "a"] * 3:
        s.save("s-1", state)
    assert sorted(_pairs(s)) == [("a", "b", 3), ("b", "a", 3)]


def test_it_agrees_with_the_flag_of_the_last_passage(s: Api) -> None:
    for event in ["GO", "BACK", "SELF", "GO", "BACK", "GO", "BACK", "SELF", "SELF", "GO"]:
        sent = s.send("s-1", event)
        pair = (sent.previous_state, sent.state)
        assert sent.loop_detected is (pair in [row[:2] for row in _pairs(s)])


def test_uncommitted_history_of_others_is_not_seen(s: Api, connect_as: Callable[..., Any]) -> None:
    s.move("s-1", "GO", "BACK", "GO", "BACK")
    s.conn.execute("begin")
    s.send("s-1", "GO")
    assert _pairs(s) == [("a", "b", 3)]
    assert _pairs(Api(connect_as("test_reader"))) == []
    s.conn.execute("rollback")
    assert _pairs(s) == []
