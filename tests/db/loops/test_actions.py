"""What becomes of a loop: log, block or divert; and the rule of a single transition."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest

from support.api import Api, refused

RULE = {"limit": 1, "window": "1 hour"}
STATES: dict[str, Any] = {
    "a": {"on": {"GO": "b", "TO_D": "d"}},
    "b": {"on": {"BACK": "a"}},
    "d": {"on": {"BACK": "a"}, "meta": {"invariant": "$.n > 0"}},
}
WAYS = {
    "send": lambda api, **more: api.send("s-1", "GO", **more),
    "save": lambda api, **more: api.save("s-1", "b", more.pop("patch", {"n": 1}), **more),
    "save with event": lambda api, **more: api.save("s-1", "b", more.pop("patch", {"n": 1}), event="GO", **more),
}


@pytest.fixture
def looping(api: Api, define: Callable[..., int]) -> Callable[..., Api]:
    """``looping(action)``: session s-1 is in a, version 3, and the next passage a -> b is a loop."""

    def begin(action: Any) -> Api:
        define(STATES, loop={**RULE, "action": action})
        api.create("s-1", "m", context={"n": 1})
        api.move("s-1", "GO", "BACK")
        return api

    return begin


@pytest.mark.parametrize("way", WAYS)
def test_log_saves_and_flags(looping: Callable[..., Api], way: str) -> None:
    api = looping("log")
    saved = WAYS[way](api)
    assert saved[3:9] == (4, "b", "a", True, True, False)
    assert api.history("s-1")[0][1:9] == ("transition", "a", "b", "GO", None, "test_app", None, True)


@pytest.mark.parametrize("way", WAYS)
def test_block_refuses_and_writes_nothing(looping: Callable[..., Api], way: str) -> None:
    api = looping("block")
    before = api.load("s-1")
    for _ in range(2):
        with refused("SM040") as refusal:
            WAYS[way](api)
        facts = {"session_id": "s-1", "machine": "m", "machine_version": 1, "version": 3, "event": "GO"}
        rule = {"loop_limit": 1, "loop_window": "3600 seconds", "action": "block", "divert_to": None}
        assert refusal.detail == {**facts, **rule, "from_state": "a", "to_state": "b"}
    assert api.load("s-1") == before
    assert api.send("s-1", "TO_D").state == "d"


def test_block_ends_with_the_window(looping: Callable[..., Api], db: psycopg.Connection[Any]) -> None:
    api = looping("block")
    db.execute("update fsm_internal.history set at = at - interval '2 hours'")
    assert api.send("s-1", "GO").state == "b"


@pytest.mark.parametrize("way", WAYS)
def test_divert_saves_in_the_other_state(looping: Callable[..., Api], way: str) -> None:
    api = looping({"divert": "d"})
    saved = WAYS[way](api, patch={"n": 2}, actor="me", note="[1]")
    assert saved[3:10] == (4, "d", "a", True, True, False, False)
    assert saved.entered_at == saved.saved_at
    assert api.history("s-1")[0] == (4, "divert", "a", "d", "GO", "me", "test_app", [1], True, saved.saved_at)
    row = api.load("s-1")
    assert (row.state, row.context) == ("d", {"n": 2})


def test_a_divert_counts_for_no_pair(looping: Callable[..., Api]) -> None:
    """Neither for the one it was to be nor for the one it became."""
    api = looping({"divert": "d"})
    api.move("s-1", "GO", "BACK")
    direct = api.send("s-1", "TO_D")
    assert (direct.state, direct.loop_detected) == ("d", False)
    # d -> a was passed once before, so that it is diverted now, to where it already is.
    again = api.send("s-1", "BACK")
    assert (again.state, again.previous_state, again.changed_state) == ("d", "d", False)
    kinds = [(entry.kind, entry.from_state, entry.to_state) for entry in api.history("s-1", limit=2)]
    assert kinds == [("divert", "d", "d"), ("transition", "a", "d")]


@pytest.mark.parametrize("way", WAYS)
def test_a_divert_state_that_refuses_the_context_blocks(looping: Callable[..., Api], way: str) -> None:
    api = looping({"divert": "d"})
    with refused("SM040") as refusal:
        WAYS[way](api, patch={"n": 0})
    assert (refusal.detail["to_state"], refusal.detail["divert_to"], refusal.detail["action"]) == ("b", "d", "divert")
    assert [finding["code"] for finding in refusal.detail["findings"]] == ["invariant"]
    assert api.load("s-1").version == 3


def test_the_refused_target_does_not_matter_when_diverted(api: Api, define: Callable[..., int]) -> None:
    """Schema and invariant are those of the state finally entered."""
    states = {**STATES, "b": {"on": {"BACK": "a"}, "meta": {"invariant": "$.good == true"}}}
    define(states, loop={**RULE, "action": {"divert": "d"}})
    api.create("s-1", "m", context={"good": True, "n": 1})
    api.move("s-1", "GO", "BACK")
    assert api.send("s-1", "GO", patch={"good": False}).state == "d"


def test_a_divert_into_a_final_state_ends_the_session(api: Api, define: Callable[..., int]) -> None:
    define(
        {"a": {"on": {"SELF": "a"}}, "z": {"type": "final"}},
        loop={**RULE, "action": {"divert": "#m.z"}},
    )
    api.create("s-1", "m")
    api.send("s-1", "SELF")
    assert api.send("s-1", "SELF").is_final is True
    with refused("SM012"):
        api.send("s-1", "SELF")


def _own(api: Api, define: Callable[..., int], own: Any, machines: Any) -> Api:
    states = {
        "a": {"on": {"GO": {"target": "b", "meta": {"loop": own}}, "PLAIN": "b", "SELF": "a"}},
        "b": {"on": {"BACK": {"target": "a", "meta": {"loop": None}}}},
        "d": {"on": {"BACK": "a"}},
    }
    define(states, loop=machines)
    api.create("s-1", "m")
    return api


def test_a_transitions_own_rule_replaces_the_machines(api: Api, define: Callable[..., int]) -> None:
    own = {"limit": 2, "window": "1 hour", "action": "block"}
    _own(api, define, own, {**RULE, "action": {"divert": "d"}})
    api.move("s-1", "GO", "BACK", "GO", "BACK")
    calls: list[Callable[[], Any]] = [
        lambda: api.send("s-1", "GO"),
        lambda: api.save("s-1", "b", event="GO"),
        lambda: api.save("s-1", "b"),  # the first by name is GO
    ]
    for call in calls:
        with refused("SM040") as refusal:
            call()
        assert (refusal.detail["loop_limit"], refusal.detail["action"]) == (2, "block")
    # The passages are those of the pair, the rule is that of the event.
    assert api.save("s-1", "b", event="PLAIN").state == "d"


def test_a_transitions_own_null_turns_it_off_for_it_alone(api: Api, define: Callable[..., int]) -> None:
    _own(api, define, None, {**RULE, "action": "block"})
    api.move("s-1", *["GO", "BACK"] * 4)
    with refused("SM040"):
        api.send("s-1", "PLAIN")
    assert api.save("s-1", "b").loop_detected is False
    api.send("s-1", "BACK")
    api.send("s-1", "SELF")
    with refused("SM040"):
        api.send("s-1", "SELF")


def test_a_partial_rule_takes_the_defaults_for_the_rest(api: Api, define: Callable[..., int]) -> None:
    _own(api, define, {"limit": 2}, None)
    flags = [api.send("s-1", event).loop_detected for event in ["GO", "BACK"] * 3]
    assert flags == [False] * 4 + [True, False]
    [row] = api.rows("detect_loop", session_id="s-1")
    assert (row.loop_limit, row.loop_window.total_seconds()) == (2, 300)


def test_the_candidate_that_is_taken_has_the_rule(api: Api, define: Callable[..., int]) -> None:
    """Two candidates of one event lead to the same state, each with a rule of its own."""
    candidates = [
        {"target": "b", "guard": "$.vip == true", "meta": {"loop": None}},
        {"target": "b", "meta": {"loop": {**RULE, "action": "block"}}},
    ]
    define({"a": {"on": {"GO": candidates}}, "b": {"on": {"BACK": {"target": "a", "meta": {"loop": None}}}}})
    api.create("s-1", "m")
    api.move("s-1", "GO", "BACK")
    for refuse in (partial(api.send, "s-1", "GO"), partial(api.save, "s-1", "b")):
        with refused("SM040"):
            refuse()
    assert api.send("s-1", "GO", patch={"vip": True}).state == "b"
    api.send("s-1", "BACK")
    assert api.save("s-1", "b", {"vip": True}).state == "b"
