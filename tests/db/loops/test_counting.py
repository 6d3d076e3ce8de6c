"""What counts as a passage: more than the limit within the window is a loop, the present passage included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from support.api import Api, refused

STATES = {
    "a": {"on": {"GO": "b", "OTHER": "b", "SELF": "a", "AWAY": "c"}},
    "b": {"on": {"BACK": "a"}},
    "c": {"on": {"BACK": "a"}},
}


def _loop(limit: int, action: Any = "log") -> dict[str, Any]:
    return {"limit": limit, "window": "1 hour", "action": action}


def _flags(api: Api, *events: str) -> list[bool]:
    return [api.send("s-1", event).loop_detected for event in events]


@pytest.fixture
def start(api: Api, define: Callable[..., int]) -> Callable[..., Api]:
    """``start(loop=...)`` defines the machine with this rule and creates session s-1 in state a."""

    def begin(**meta: Any) -> Api:
        define(STATES, **meta)
        api.create("s-1", "m")
        return api

    return begin


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_a_self_transition_more_often_than_the_limit(start: Callable[..., Api], limit: int) -> None:
    assert _flags(start(loop=_loop(limit)), *["SELF"] * (limit + 2)) == [False] * limit + [True] * 2


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_an_alternation_is_a_loop_of_both_its_transitions(start: Callable[..., Api], limit: int) -> None:
    flags = _flags(start(loop=_loop(limit)), *["GO", "BACK"] * (limit + 1))
    assert flags == [False] * (2 * limit) + [True, True]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_save_counts_like_an_event(start: Callable[..., Api], limit: int) -> None:
    api = start(loop=_loop(limit))
    flags = [api.save("s-1", state).loop_detected for state in ["b", "a"] * (limit + 1)]
    assert flags == [False] * (2 * limit) + [True, True]
    api.create("s-2", "m")
    flags = [api.save("s-2", "a", event="SELF").loop_detected for _ in range(limit + 2)]
    assert flags == [False] * limit + [True] * 2


def test_without_a_rule_it_is_3_in_5_minutes_and_logged(start: Callable[..., Api]) -> None:
    api = start()
    assert _flags(api, *["SELF"] * 4) == [False, False, False, True]
    [row] = api.rows("detect_loop", session_id="s-1")
    assert (row.occurrences, row.loop_limit, row.loop_window.total_seconds()) == (4, 3, 300)


def test_null_turns_it_off(start: Callable[..., Api]) -> None:
    api = start(loop=None)
    assert _flags(api, *["SELF"] * 8) == [False] * 8
    assert api.rows("detect_loop", session_id="s-1") == []


def test_the_pair_of_states_counts_whatever_the_event(start: Callable[..., Api]) -> None:
    api = start(loop=_loop(2))
    assert _flags(api, "GO", "BACK", "OTHER", "BACK", "GO", "BACK") == [False] * 4 + [True, True]


def test_other_pairs_do_not_count(start: Callable[..., Api]) -> None:
    api = start(loop=_loop(2))
    assert _flags(api, "GO", "BACK", "AWAY", "BACK", "GO", "BACK", "AWAY", "BACK") == [False] * 8
    assert _flags(api, "GO") == [True]


def test_updates_do_not_count(start: Callable[..., Api]) -> None:
    api = start(loop=_loop(1))
    for _ in range(5):
        assert api.update("s-1").loop_detected is False
        assert api.save("s-1", "a").loop_detected is False
    assert _flags(api, "SELF", "SELF") == [False, True]


def test_replays_and_refusals_do_not_count(start: Callable[..., Api]) -> None:
    api = start(loop=_loop(2), context_schema={"properties": {"n": {"type": "integer"}}})
    request = uuid4()
    for _ in range(4):
        assert api.send("s-1", "SELF", request_id=request).loop_detected is False
        with refused("SM021"):
            api.send("s-1", "SELF", patch={"n": "x"})
    assert _flags(api, "SELF", "SELF") == [False, True]


def test_a_rolled_back_passage_does_not_count(start: Callable[..., Api]) -> None:
    api = start(loop=_loop(1))
    for _ in range(3):
        with api.conn.transaction(force_rollback=True):
            assert _flags(api, "SELF") == [False]
    assert _flags(api, "SELF", "SELF") == [False, True]


def test_passages_in_the_same_transaction_count(start: Callable[..., Api]) -> None:
    api = start(loop=_loop(1))
    with api.conn.transaction():
        assert _flags(api, "SELF", "SELF") == [False, True]


def test_other_sessions_do_not_count(start: Callable[..., Api]) -> None:
    api = start(loop=_loop(1))
    api.create("s-2", "m")
    for session_id in ("s-1", "s-2"):
        assert api.send(session_id, "SELF").loop_detected is False


KINDS = ["create", "transition", "update", "rollback", "upgrade", "import", "deadline", "divert", "fork"]


@pytest.mark.parametrize("kind", KINDS)
def test_transitions_and_deadlines_count_and_nothing_else(
    start: Callable[..., Api], db: psycopg.Connection[Any], kind: str
) -> None:
    api = start(loop=_loop(2))
    _flags(api, "SELF", "SELF")
    db.execute("update fsm_internal.history set kind = %s where version = 2", (kind,))
    assert _flags(api, "SELF") == [kind in ("transition", "deadline")]


def test_only_passages_within_the_window_count(start: Callable[..., Api], db: psycopg.Connection[Any]) -> None:
    api = start(loop=_loop(2))
    _flags(api, "SELF", "SELF")
    db.execute("update fsm_internal.history set at = at - interval '61 minutes' where version = 2")
    assert _flags(api, "SELF") == [False]
    assert _flags(api, "SELF") == [True]
    db.execute("update fsm_internal.history set at = at - interval '59 minutes' where version > 2")
    assert _flags(api, "SELF") == [True]
    db.execute("update fsm_internal.history set at = at - interval '61 minutes'")
    assert _flags(api, "SELF", "SELF") == [False, False]
    assert _flags(api, "SELF") == [True]
