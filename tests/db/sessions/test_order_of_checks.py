"""Of two things wrong with a call, the one checked earlier is refused: each adjacent pair, for each function.

The order: arguments, session, replay, turn, version, final state, form of the context, transition, guard, loop, schema
and invariant.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from support.api import Api, case, refused

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


SAVE_SESSION: list[tuple[Any, ...]] = [
    ("null argument before unknown session", "22004", "nobody", None, {}, {}),
    ("empty argument before unknown session", "22023", "nobody", "", {}, {}),
    ("long argument before unknown session", "22023", "nobody", "b", {}, {"event": "e" * 129}),
    ("argument before replay", "22004", "s-1", "b", None, {"request_id": DONE}),
    ("unknown session before turn", "SM010", "nobody", "b", {}, {"turn": 1, "version": 9}),
    ("unknown session before form", "SM010", "nobody", "nowhere", [], {}),
    ("replay before turn", None, "s-1", "b", {}, {"request_id": DONE, "turn": 1}),
    ("turn before version", "SM051", "s-1", "b", {}, {"turn": 1, "version": 2}),
    ("turn alone", "SM051", "s-1", "a", {}, {"turn": 1}),
    ("version before final", "SM030", "s-2", "b", {}, {"version": 1}),
    ("version before form", "SM030", "s-1", "b", [], {"version": 1}),
    ("final before form", "SM012", "s-2", "b", [], {}),
    ("final before size", "SM012", "s-2", "z", LONG, {}),
    ("form before transition", "SM021 not_an_object", "s-1", "nowhere", [], {}),
    ("size before transition", "SM021 too_large", "s-1", "z", LONG, {"event": "GO"}),
    ("state before transition", "SM021 state_disagrees", "s-1", "nowhere", {"current_state": "a"}, {}),
    ("id before transition", "SM021 session_disagrees", "s-1", "nowhere", {"session_id": "s"}, {}),
    ("size before guard", "SM021 too_large", "s-1", "b", LONG, {}),
    ("limits before guard", "SM021 number_too_long", "s-1", "b", '{"n": 1e-1001}', {}),
    ("transition before guard", "SM020", "s-1", "b", {}, {"event": "END"}),
    ("guard before loop", "SM022", "s-1", "b", {}, {}),
    ("loop before schema", "SM040", "s-1", "b", {"open": True, "n": "x"}, {}),
    ("schema last", "SM021 type", "s-1", "a", {"n": "x"}, {}),
]


def test_of_save_session(finished: Api) -> None:
    for name, expected, session_id, state, context, more in SAVE_SESSION:
        with case(name):
            _judge(expected, partial(finished.save, session_id, state, context, **more))


SEND_EVENT: list[tuple[Any, ...]] = [
    ("null argument before unknown session", "22004", "nobody", None, {}),
    ("empty argument before unknown session", "22023", "nobody", "", {}),
    ("argument before replay", "22023", "s-1", "GO", {"actor": "x" * 513, "request_id": DONE}),
    ("unknown session before turn", "SM010", "nobody", "GO", {"turn": 1, "patch": []}),
    ("replay before turn", None, "s-1", "GO", {"turn": 1, "request_id": DONE}),
    ("turn before version", "SM051", "s-1", "GO", {"turn": 1, "expected_version": 2}),
    ("turn alone", "SM051", "s-1", "END", {"turn": 1}),
    ("version before final", "SM030", "s-2", "GO", {"expected_version": 1}),
    ("final before form", "SM012", "s-2", "GO", {"patch": []}),
    ("final before form of append", "SM012", "s-2", "GO", {"append": {"a": 1}}),
    ("form before transition", "SM021 not_an_object", "s-1", "NO", {"patch": []}),
    ("form of append before transition", "SM021 not_an_array", "s-1", "NO", {"append": {"a": 1}}),
    ("size before transition", "SM021 too_large", "s-1", "NO", {"patch": LONG}),
    ("limits before transition", "SM021 number_too_long", "s-1", "NO", {"patch": '{"n": 1e1000}'}),
    ("id before transition", "SM021 session_disagrees", "s-1", "NO", {"patch": {"session_id": "s"}}),
    ("id before guard", "SM021 session_disagrees", "s-1", "GO", {"patch": {"session_id": "s", "open": 0}}),
    ("state before loop", "SM021 state_disagrees", "s-1", "GO", {"patch": {"current_state": "a"}}),
    ("transition before schema", "SM020", "s-1", "NO", {"patch": {"n": "x"}}),
    ("guard before loop", "SM022", "s-1", "GO", {"patch": {"open": False}}),
    ("loop before schema", "SM040", "s-1", "GO", {"patch": {"n": "x"}}),
    ("schema last", "SM021 type", "s-1", "END", {"patch": {"n": "x"}}),
]


def test_of_send_event(finished: Api) -> None:
    for name, expected, session_id, event, more in SEND_EVENT:
        with case(name):
            _judge(expected, partial(finished.send, session_id, event, **more))


UPDATE_CONTEXT: list[tuple[Any, ...]] = [
    ("argument before unknown session", "22023", "nobody", {"actor": "x" * 513}),
    ("unknown session before turn", "SM010", "nobody", {"turn": 1, "patch": []}),
    ("replay before turn", None, "s-1", {"turn": 1, "request_id": DONE, "patch": []}),
    ("turn before version", "SM051", "s-1", {"turn": 1, "expected_version": 2}),
    ("turn alone", "SM051", "s-1", {"turn": 1}),
    ("version before final", "SM030", "s-2", {"expected_version": 1}),
    ("final before form", "SM012", "s-2", {"patch": []}),
    ("form", "SM021 not_an_object", "s-1", {"patch": [], "append": {"a": 1}}),
    ("size before schema", "SM021 too_large", "s-1", {"patch": {**LONG, "n": "x"}}),
    ("state before schema", "SM021 state_disagrees", "s-1", {"patch": {"current_state": "b", "n": "x"}}),
    ("schema last", "SM021 type", "s-1", {"patch": {"n": "x"}}),
]


def test_of_update_context(finished: Api) -> None:
    for name, expected, session_id, more in UPDATE_CONTEXT:
        with case(name):
            _judge(expected, partial(finished.update, session_id, **more))


CREATE_SESSION: list[tuple[Any, ...]] = [
    ("null argument before existing session", "22004", "s-1", None, {}),
    ("null context before existing session", "22004", "s-1", "m", {"context": None}),
    ("argument before replay", "22023", "s-1", "m", {"actor": "x" * 513, "request_id": DONE}),
    ("replay before existing session", None, "s-1", "nothing", {"request_id": DONE, "context": []}),
    ("existing session before unknown machine", "SM011", "s-1", "nothing", {}),
    ("existing session before form", "SM011", "s-1", "m", {"context": []}),
    ("unknown machine before form", "SM001", "s-3", "nothing", {"context": []}),
    ("size before schema", "SM021 too_large", "s-3", "m", {"context": {**LONG, "n": "x"}}),
    ("schema last", "SM021 type", "s-3", "m", {"context": {"n": "x"}}),
]


def test_of_create_session(finished: Api) -> None:
    for name, expected, session_id, machine, more in CREATE_SESSION:
        with case(name):
            _judge(expected, partial(finished.create, session_id, machine, **more))


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
