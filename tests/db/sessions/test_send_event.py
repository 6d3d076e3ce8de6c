"""fsm.send_event: the machine picks the target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.api import Api, refused

STATES = {
    "a": {
        "on": {
            "PICK": [
                {"target": "b", "guard": "$.n > 10"},
                {"target": "c", "guard": "$.n > 5"},
                {"target": "d", "guard": "$.n > 0"},
            ],
            "SELF": "a",
        },
        "after": {"1000": "d"},
    },
    "b": {"on": {"BACK": "a"}, "meta": {"invariant": ["$.n < 100", "$.n.type() == \"number\""]}},
    "c": {"on": {"BACK": "a"}},
    "d": {"type": "final"},
}  # fmt: skip


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 is in state a with n = 0."""
    define(STATES, on={"STOP": "d"})
    api.create("s-1", "m", context={"n": 0})
    return api


def test_the_answer_is_the_save_result_and_the_context(s: Api) -> None:
    sent = s.send("s-1", "PICK", patch={"n": 11}, expected_version=1, actor="me", note=[1])
    assert sent[:11] == ("s-1", "m", 1, 2, "b", "a", True, False, False, False, 1)
    assert sent.context == {"n": 11}
    assert sent.entered_at == sent.saved_at > sent.created_at
    assert s.history("s-1")[0] == (2, "transition", "a", "b", "PICK", "me", "test_app", [1], False, sent.saved_at)


@pytest.mark.parametrize(("n", "target"), [(11, "b"), (10, "c"), (6, "c"), (5, "d"), (1, "d")])
def test_the_first_candidate_whose_guard_holds_for_the_patched_context(s: Api, n: int, target: str) -> None:
    assert s.send("s-1", "PICK", patch={"n": n}).state == target


@pytest.mark.parametrize("n", ["0", "null", '"11"', "{}", "-1"])
def test_no_guard_holds(s: Api, n: str) -> None:
    with refused("SM022") as refusal:
        s.send("s-1", "PICK", patch=f'{{"n": {n}}}')
    assert refusal.detail["candidates"] == [
        {"event": "PICK", "candidate": nth, "to_state": state, "guard": guard, "holds": False}
        for nth, (state, guard) in enumerate([("b", "$.n > 10"), ("c", "$.n > 5"), ("d", "$.n > 0")], start=1)
    ]
    assert s.load("s-1").context == {"n": 0}


def test_guards_see_what_was_appended(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"GO": {"target": "b", "guard": "$.log.size() >= 2"}}}, "b": {"type": "final"}})
    api.create("s-1", "m", context={"log": ["x"]})
    with refused("SM022"):
        api.send("s-1", "GO")
    sent = api.send("s-1", "GO", append={"log": ["y"]})
    assert (sent.state, sent.context) == ("b", {"log": ["x", "y"]})


@pytest.mark.parametrize("event", ["NO", "BACK", "pick", "PICK ", "*", "a"])
def test_an_event_that_the_state_does_not_know(s: Api, event: str) -> None:
    with refused("SM020") as refusal:
        s.send("s-1", event)
    facts = {"session_id": "s-1", "machine": "m", "machine_version": 1, "state": "a", "version": 1, "event": event}
    assert refusal.detail == {**facts, "to_state": None, "allowed_events": ["PICK", "SELF", "STOP"]}


def test_an_event_of_the_root(s: Api) -> None:
    s.send("s-1", "PICK", patch={"n": 6})
    assert s.send("s-1", "STOP")[4:6] == ("d", "c")


def test_a_self_transition(s: Api) -> None:
    sent = s.send("s-1", "SELF", patch={"x": None})
    assert sent[4:7] == ("a", "a", False)
    assert sent.entered_at == sent.created_at < sent.saved_at
    assert s.history("s-1")[0][:5] == (2, "transition", "a", "a", "SELF")


def test_the_invariant_of_the_target_must_hold_and_that_of_the_source_need_not(s: Api) -> None:
    with refused("SM021") as refusal:
        s.send("s-1", "PICK", patch={"n": 100})
    assert (refusal.detail["state"], refusal.detail["code"], refusal.detail["path"]) == ("b", "invariant", "$")
    s.send("s-1", "PICK", patch={"n": 99})
    assert s.send("s-1", "BACK", patch={"n": 1000}).state == "a"


def test_the_expected_version(s: Api) -> None:
    with refused("SM030") as refusal:
        s.send("s-1", "SELF", expected_version=2)
    assert refusal.detail == {"session_id": "s-1", "version": 1, "expected_version": 2, "state": "a"}
    assert s.send("s-1", "SELF", expected_version=1).version == 2
    assert s.send("s-1", "SELF", expected_version=None).version == 3


@pytest.mark.parametrize(("patch", "append"), [(None, None), ("{}", "{}"), (None, "{}")])
def test_without_patch_and_append_the_context_stays(s: Api, patch: str | None, append: str | None) -> None:
    assert s.send("s-1", "SELF", patch=patch, append=append).context == {"n": 0}
    assert s.text("s-1") == '{"n": 0}'


@pytest.mark.parametrize("junk", ["[]", "1", '"x"', "null", "true"])
@pytest.mark.parametrize("argument", ["patch", "append"])
def test_patch_and_append_are_objects(s: Api, argument: str, junk: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: s.send("s-1", "SELF", **{argument: junk}),
        lambda: s.update("s-1", **{argument: junk}),
    ]
    for call in calls:
        with refused("SM021") as refusal:
            call()
        assert refusal.detail["code"] == "not_an_object"
    assert s.load("s-1").version == 1
