"""current_state and session_id at the top level of a context or patch must agree, and are not stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.api import Api, case, refused

DISAGREE = [
    ("state_disagrees", '{"current_state": "nowhere"}'),
    ("state_disagrees", '{"current_state": null}'),
    ("state_disagrees", '{"current_state": ["open"]}'),
    ("state_disagrees", '{"current_state": "Open", "session_id": "s-1"}'),
    ("session_disagrees", '{"session_id": "s-2"}'),
    ("session_disagrees", '{"session_id": null}'),
    ("session_disagrees", '{"session_id": 1, "current_state": "open"}'),
]


@pytest.fixture
def s(api: Api) -> Api:
    """Session s-1 exists."""
    api.create("s-1", context={"a": 1})
    return api


def test_they_may_be_given_and_are_left_out(s: Api) -> None:
    s.create("s-2", context={"current_state": "closed", "session_id": "s-2", "a": 1})
    assert s.text("s-2") == '{"a": 1}'
    s.save("s-1", "open", {"current_state": "open", "session_id": "s-1", "a": 2})
    assert s.text("s-1") == '{"a": 2}'
    sent = s.send("s-1", "CLOSE", patch={"current_state": "closed", "session_id": "s-1", "a": 3})
    assert sent.context == {"a": 3} == s.load("s-1").context
    s.update("s-1", patch={"current_state": "closed", "session_id": "s-1", "a": 4})
    assert s.text("s-1") == '{"a": 4}'
    assert s.text("s-1", 2) == '{"a": 2}'


def test_in_a_context_they_must_agree_with_the_resulting_state_and_id(s: Api) -> None:
    for code, context in DISAGREE:
        with case(context), refused("SM021") as refusal:
            s.save("s-1", "open", context)
        path = {"state_disagrees": "$.current_state", "session_disagrees": "$.session_id"}[code]
        assert (refusal.detail["code"], refusal.detail["path"], refusal.detail["state"]) == (code, path, "open")
        with case(context), refused("SM021"):
            s.create("new", context=context)
    assert s.load("s-1").version == 1


def test_the_resulting_state_counts_not_the_present_one(s: Api) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: s.save("s-1", "open", {"current_state": "closed"}),
        lambda: s.send("s-1", "OPEN", patch={"current_state": "closed"}),
        lambda: s.update("s-1", patch={"current_state": "open"}),
    ]
    for call in calls:
        with refused("SM021") as refusal:
            call()
        assert refusal.detail["code"] == "state_disagrees"


def test_in_a_patch_they_must_agree_too(s: Api) -> None:
    for code, patch in DISAGREE:
        if "null" in patch:
            continue
        with refused("SM021") as refusal:
            s.send("s-1", "OPEN", patch=patch)
        assert refusal.detail["code"] == code
        with refused("SM021"):
            s.update("s-1", patch=patch)


def test_removing_them_by_a_patch_removes_nothing(s: Api) -> None:
    s.update("s-1", patch={"current_state": None, "session_id": None})
    assert s.text("s-1") == '{"a": 1}'


@pytest.mark.parametrize("key", ["current_state", "session_id"])
def test_nothing_is_appended_to_them(s: Api, key: str) -> None:
    for value in ([], ["s-1"], ["closed"]):
        with refused("SM021"):
            s.update("s-1", append={key: value})


def test_deeper_down_they_are_keys_like_any(s: Api) -> None:
    context = {"x": {"current_state": "nowhere", "session_id": 1}, "Current_State": 2}
    s.save("s-1", "open", context)
    assert s.load("s-1").context == context


def test_schema_and_predicates_do_not_see_them(s: Api, define: Callable[..., int]) -> None:
    define(
        {
            "a": {"on": {"GO": {"target": "b", "guard": "!(exists($.current_state)) && !(exists($.session_id))"}}},
            "b": {"type": "final", "meta": {"invariant": "!(exists($.current_state)) && !(exists($.session_id))"}},
        },
        context_schema={"additionalProperties": False},
    )
    s.create("s-2", "m", context={"current_state": "a", "session_id": "s-2"})
    assert s.save("s-2", "b", {"current_state": "b", "session_id": "s-2"}).state == "b"
    s.create("s-3", "m")
    assert s.send("s-3", "GO", patch={"current_state": "b", "session_id": "s-3"}).context == {}
