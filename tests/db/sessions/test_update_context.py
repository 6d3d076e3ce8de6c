"""fsm.update_context: the context alone, no transition."""

from __future__ import annotations

from collections.abc import Callable

from support.api import Api, refused


def test_the_state_stays_and_kind_is_update(api: Api) -> None:
    api.create("s-1", context={"a": 1, "log": [1]})
    done = api.update("s-1", patch={"a": None, "b": 2}, append={"log": [2, 3]}, expected_version=1, actor="me", note={})
    assert done[:11] == ("s-1", "door", 1, 2, "closed", "closed", False, False, False, False, 1)
    assert done.entered_at == done.created_at < done.saved_at
    assert api.load("s-1").context == {"b": 2, "log": [1, 2, 3]}
    assert api.history("s-1")[0] == (2, "update", "closed", "closed", None, "me", "test_app", {}, False, done.saved_at)


def test_nothing_to_change_is_a_version_too(api: Api) -> None:
    api.create("s-1", context={"a": 1})
    assert [api.update("s-1", patch=patch).version for patch in (None, {}, {"a": 1}, {"b": None})] == [2, 3, 4, 5]
    assert api.text("s-1") == '{"a": 1}'


def test_schema_and_invariant_of_the_present_state_are_checked(api: Api, define: Callable[..., int]) -> None:
    define(
        {"a": {"on": {"GO": "b"}}, "b": {"on": {"BACK": "a"}, "meta": {"invariant": "$.n > 1"}}},
        context_schema={"properties": {"n": {"type": "integer"}}},
    )
    api.create("s-1", "m", context={"n": 0})
    with refused("SM021") as refusal:
        api.update("s-1", patch={"n": "x"})
    assert refusal.detail["path"] == "$.n"
    api.update("s-1", patch={"n": 1})
    api.send("s-1", "GO", patch={"n": 2})
    with refused("SM021") as refusal:
        api.update("s-1", patch={"n": 1})
    assert refusal.detail["findings"] == [
        {"code": "invariant", "path": "$", "message": "the invariant of state b does not hold: ($.\"n\" > 1)"}
    ]  # fmt: skip


def test_a_message_at_a_time(api: Api) -> None:
    api.create("s-1")
    for number in range(30):
        api.update("s-1", append={"conversation_history": [{"n": number}]}, expected_version=number + 1)
    assert api.load("s-1").context == {"conversation_history": [{"n": number} for number in range(30)]}
    assert api.at("s-1", 11).context == {"conversation_history": [{"n": number} for number in range(10)]}
