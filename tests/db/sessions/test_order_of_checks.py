"""Of two things wrong with a call, the one checked earlier is refused: each adjacent pair, for each function.

The order: arguments, session, replay, turn, version, final state, form of the context, transition, guard, loop, schema
and invariant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from support.api import Api, refused

# The session: state a, version 3, a passage a -> b behind it, so that the next one is a blocked loop.
STATES = {
    "a": {"on": {"GO": {"target": "b", "guard": "$.open == true"}, "END": "z"}},
    "b": {"on": {"BACK": "a"}, "meta": {"invariant": "$.open == true"}},
    "z": {"type": "final"},
}
META = {
    "loop": {"limit": 1, "window": "1 hour", "action": "block"},
    "context_schema": {"properties": {"n": {"type": "integer"}}},
    "max_context_bytes": 2000,
}
LONG = {"long": "x" * 2000}
DONE = UUID(int=1)


@pytest.fixture
def looping(api: Api, define: Callable[..., int]) -> Api:
    define(STATES, **META)
    api.create("s-1", "m", context={"open": True})
    api.send("s-1", "GO", request_id=DONE)
    api.send("s-1", "BACK")
    return api


@pytest.fixture
def finished(looping: Api) -> Api:
    looping.create("s-2", "m")
    looping.send("s-2", "END")
    return looping


@pytest.mark.parametrize(
    ("expected", "session_id", "state", "context", "more"),
    [
        pytest.param("22004", "nobody", None, {}, {}, id="null argument before unknown session"),
        pytest.param("22023", "nobody", "", {}, {}, id="empty argument before unknown session"),
        pytest.param("22023", "nobody", "b", {}, {"event": "e" * 129}, id="long argument before unknown session"),
        pytest.param("22004", "s-1", "b", None, {"request_id": DONE}, id="argument before replay"),
        pytest.param("SM010", "nobody", "b", {}, {"turn": 1, "version": 9}, id="unknown session before turn"),
        pytest.param("SM010", "nobody", "nowhere", [], {}, id="unknown session before form"),
        pytest.param(None, "s-1", "b", {}, {"request_id": DONE, "turn": 1}, id="replay before turn"),
        pytest.param("SM051", "s-1", "b", {}, {"turn": 1, "version": 2}, id="turn before version"),
        pytest.param("SM030", "s-2", "b", {}, {"version": 1}, id="version before final"),
        pytest.param("SM030", "s-1", "b", [], {"version": 1}, id="version before form"),
        pytest.param("SM012", "s-2", "b", [], {}, id="final before form"),
        pytest.param("SM012", "s-2", "z", LONG, {}, id="final before size"),
        pytest.param("SM021 not_an_object", "s-1", "nowhere", [], {}, id="form before transition"),
        pytest.param("SM021 too_large", "s-1", "z", LONG, {"event": "GO"}, id="size before transition"),
        pytest.param(
            "SM021 state_disagrees", "s-1", "nowhere", {"current_state": "a"}, {}, id="state before transition"
        ),
        pytest.param("SM021 session_disagrees", "s-1", "nowhere", {"session_id": "s"}, {}, id="id before transition"),
        pytest.param("SM021 too_large", "s-1", "b", LONG, {}, id="size before guard"),
        pytest.param("SM021 number_too_long", "s-1", "b", '{"n": 1e-1001}', {}, id="limits before guard"),
        pytest.param("SM020", "s-1", "b", {}, {"event": "END"}, id="transition before guard"),
        pytest.param("SM022", "s-1", "b", {}, {}, id="guard before loop"),
        pytest.param("SM040", "s-1", "b", {"open": True, "n": "x"}, {}, id="loop before schema"),
        pytest.param("SM021 type", "s-1", "a", {"n": "x"}, {}, id="schema last"),
    ],
)
def test_of_save_session(
    finished: Api, expected: str | None, session_id: str, state: str, context: Any, more: dict[str, Any]
) -> None:
    _judge(expected, lambda: finished.save(session_id, state, context, **more))


@pytest.mark.parametrize(
    ("expected", "session_id", "event", "more"),
    [
        pytest.param("22004", "nobody", None, {}, id="null argument before unknown session"),
        pytest.param("22023", "nobody", "", {}, id="empty argument before unknown session"),
        pytest.param("22023", "s-1", "GO", {"actor": "x" * 513, "request_id": DONE}, id="argument before replay"),
        pytest.param("SM010", "nobody", "GO", {"turn": 1, "patch": []}, id="unknown session before turn"),
        pytest.param(None, "s-1", "GO", {"turn": 1, "request_id": DONE}, id="replay before turn"),
        pytest.param("SM051", "s-1", "GO", {"turn": 1, "expected_version": 2}, id="turn before version"),
        pytest.param("SM030", "s-2", "GO", {"expected_version": 1}, id="version before final"),
        pytest.param("SM012", "s-2", "GO", {"patch": []}, id="final before form"),
        pytest.param("SM012", "s-2", "GO", {"append": {"a": 1}}, id="final before form of append"),
        pytest.param("SM021 not_an_object", "s-1", "NO", {"patch": []}, id="form before transition"),
        pytest.param("SM021 not_an_array", "s-1", "NO", {"append": {"a": 1}}, id="form of append before transition"),
        pytest.param("SM021 too_large", "s-1", "NO", {"patch": LONG}, id="size before transition"),
        pytest.param("SM021 number_too_long", "s-1", "NO", {"patch": '{"n": 1e1000}'}, id="limits before transition"),
        pytest.param("SM021 session_disagrees", "s-1", "NO", {"patch": {"session_id": "s"}}, id="id before transition"),
        pytest.param(
            "SM021 session_disagrees", "s-1", "GO", {"patch": {"session_id": "s", "open": 0}}, id="id before guard"
        ),
        pytest.param("SM021 state_disagrees", "s-1", "GO", {"patch": {"current_state": "a"}}, id="state before loop"),
        pytest.param("SM020", "s-1", "NO", {"patch": {"n": "x"}}, id="transition before schema"),
        pytest.param("SM022", "s-1", "GO", {"patch": {"open": False}}, id="guard before loop"),
        pytest.param("SM040", "s-1", "GO", {"patch": {"n": "x"}}, id="loop before schema"),
        pytest.param("SM021 type", "s-1", "END", {"patch": {"n": "x"}}, id="schema last"),
    ],
)
def test_of_send_event(finished: Api, expected: str | None, session_id: str, event: str, more: dict[str, Any]) -> None:
    _judge(expected, lambda: finished.send(session_id, event, **more))


@pytest.mark.parametrize(
    ("expected", "session_id", "more"),
    [
        pytest.param("22023", "nobody", {"actor": "x" * 513}, id="argument before unknown session"),
        pytest.param("SM010", "nobody", {"turn": 1, "patch": []}, id="unknown session before turn"),
        pytest.param(None, "s-1", {"turn": 1, "request_id": DONE, "patch": []}, id="replay before turn"),
        pytest.param("SM051", "s-1", {"turn": 1, "expected_version": 2}, id="turn before version"),
        pytest.param("SM030", "s-2", {"expected_version": 1}, id="version before final"),
        pytest.param("SM012", "s-2", {"patch": []}, id="final before form"),
        pytest.param("SM021 not_an_object", "s-1", {"patch": [], "append": {"a": 1}}, id="form"),
        pytest.param("SM021 too_large", "s-1", {"patch": {**LONG, "n": "x"}}, id="size before schema"),
        pytest.param(
            "SM021 state_disagrees", "s-1", {"patch": {"current_state": "b", "n": "x"}}, id="state before schema"
        ),
        pytest.param("SM021 type", "s-1", {"patch": {"n": "x"}}, id="schema last"),
    ],
)
def test_of_update_context(finished: Api, expected: str | None, session_id: str, more: dict[str, Any]) -> None:
    _judge(expected, lambda: finished.update(session_id, **more))


@pytest.mark.parametrize(
    ("expected", "session_id", "machine", "more"),
    [
        pytest.param("22004", "s-1", None, {}, id="null argument before existing session"),
        pytest.param("22004", "s-1", "m", {"context": None}, id="null context before existing session"),
        pytest.param("22023", "s-1", "m", {"actor": "x" * 513, "request_id": DONE}, id="argument before replay"),
        pytest.param(None, "s-1", "nothing", {"request_id": DONE, "context": []}, id="replay before existing session"),
        pytest.param("SM011", "s-1", "nothing", {}, id="existing session before unknown machine"),
        pytest.param("SM011", "s-1", "m", {"context": []}, id="existing session before form"),
        pytest.param("SM001", "s-3", "nothing", {"context": []}, id="unknown machine before form"),
        pytest.param("SM021 too_large", "s-3", "m", {"context": {**LONG, "n": "x"}}, id="size before schema"),
        pytest.param("SM021 type", "s-3", "m", {"context": {"n": "x"}}, id="schema last"),
    ],
)
def test_of_create_session(
    finished: Api, expected: str | None, session_id: str, machine: str, more: dict[str, Any]
) -> None:
    _judge(expected, lambda: finished.create(session_id, machine, **more))


def test_invariant_of_the_target_comes_last(looping: Api) -> None:
    """The same call as the loop above, on a session that has not been there: the invariant is what is left."""
    looping.create("s-3", "m", context={"open": True})
    with refused("SM021"):
        looping.save("s-3", "b", {"open": True, "n": "x"})
    looping.save("s-3", "b", {"open": True}, request_id=uuid4())
    with refused("SM021") as refusal:
        looping.update("s-3", patch={"open": False})
    assert refusal.detail["code"] == "invariant"


def _judge(expected: str | None, call: Callable[[], Any]) -> None:
    if expected is None:
        assert call().replayed is True
        return
    sqlstate, _, code = expected.partition(" ")
    with refused(sqlstate) as refusal:
        call()
    if code:
        assert refusal.detail["code"] == code
