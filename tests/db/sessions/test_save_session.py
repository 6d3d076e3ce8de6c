"""fsm.save_session: which saves are legal, and what they record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.api import Api, refused

# From a: to b by two events, one of them guarded; to c by an event whose earlier candidate may win.
STATES = {
    "a": {
        "on": {
            "Z": "b",
            "b": {"target": "b", "guard": "$.low == true"},
            "PICK": [
                {"target": "d", "guard": "$.n > 10"},
                {"target": "c", "guard": "$.n > 5"},
                {"target": "d"},
            ],
            "SELF": "a",
            "GUARDED_SELF": {"target": "a", "guard": "$.again == true"},
        },
        "after": {"1000": "late"},
    },
    "b": {"on": {"BACK": "a"}},
    "c": {"on": {"BACK": "a"}},
    "d": {"on": {"BACK": "a"}},
    "late": {"type": "final"},
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 is in state a."""
    define(STATES)
    api.create("s-1", "m")
    return api


def test_to_another_state_when_an_event_leads_there(s: Api) -> None:
    saved = s.save("s-1", "b", {"x": 1}, 1, actor="me", note='"why"')
    assert saved[:11] == ("s-1", "m", 1, 2, "b", "a", True, False, False, False, 1)
    assert saved.entered_at == saved.saved_at > saved.created_at
    assert s.history("s-1")[0] == (2, "transition", "a", "b", "Z", "me", "test_app", "why", False, saved.saved_at)
    assert s.text("s-1") == '{"x": 1}'


def test_the_first_event_by_name_in_collation_c_is_recorded(s: Api) -> None:
    """Z comes before b in collation C, and after it in most others."""
    s.save("s-1", "b", {"low": True})
    assert s.history("s-1")[0].event == "Z"


def test_a_later_event_is_recorded_when_the_guard_of_the_first_fails(api: Api, define: Callable[..., int]) -> None:
    guarded = {"A": {"target": "b", "guard": "$.n == 1"}, "B": {"target": "b", "guard": "$.n > 0"}}
    define({"a": {"on": guarded}, "b": {"on": {"R": "a"}}})
    for number, event in [(1, "A"), (2, "B")]:
        api.create(f"s-{number}", "m")
        api.save(f"s-{number}", "b", {"n": number})
        assert api.history(f"s-{number}")[0].event == event


def test_the_named_event_is_recorded(s: Api) -> None:
    s.save("s-1", "b", {"low": True}, event="b")
    assert s.history("s-1")[0].event == "b"


def test_a_named_event_whose_guard_does_not_hold_is_refused_though_another_leads_there(s: Api) -> None:
    with refused("SM022"):
        s.save("s-1", "b", {"low": False}, event="b")
    assert s.load("s-1").version == 1


@pytest.mark.parametrize("state", ["late", "nowhere", "A", "a "])
def test_no_event_leads_there(s: Api, state: str) -> None:
    """Also not where only a deadline leads."""
    with refused("SM020") as refusal:
        s.save("s-1", state)
    assert refusal.detail["to_state"] == state
    assert refusal.detail["allowed_events"] == ["GUARDED_SELF", "PICK", "SELF", "Z", "b"]


@pytest.mark.parametrize("event", ["PICK", "SELF", "BACK", "z"])
def test_the_named_event_does_not_lead_there(s: Api, event: str) -> None:
    with refused("SM020") as refusal:
        s.save("s-1", "b", event=event)
    assert (refusal.detail["event"], refusal.detail["to_state"]) == (event, "b")


@pytest.mark.parametrize(("n", "legal", "refusal"), [(6, "c", "d"), (11, "d", "c"), (5, "d", "c"), (None, "d", "c")])
@pytest.mark.parametrize("event", ["PICK", None])
def test_the_candidates_are_tried_in_order(s: Api, n: int | None, legal: str, refusal: str, event: str | None) -> None:
    with refused("SM022") as said:
        s.save("s-1", refusal, {"n": n}, event=event)
    assert [(one["to_state"], one["holds"]) for one in said.detail["candidates"]] == [
        ("d", (n or 0) > 10), ("c", (n or 0) > 5), ("d", True),
    ]  # fmt: skip
    assert s.save("s-1", legal, {"n": n}, event=event).state == legal
    assert s.history("s-1")[0].event == "PICK"


@pytest.mark.parametrize("value", ["null", "0", "1", '"true"', "[]", "{}", "false", None])
def test_a_guard_that_is_not_true_does_not_hold(s: Api, value: str | None) -> None:
    with refused("SM022"):
        s.save("s-1", "b", "{}" if value is None else f'{{"low": {value}}}', event="b")


def test_in_the_present_state_it_is_an_update(s: Api) -> None:
    saved = s.save("s-1", "a", {"x": 1}, 1)
    assert saved[3:8] == (2, "a", "a", False, False)
    assert saved.entered_at == saved.created_at < saved.saved_at
    assert s.history("s-1")[0][:5] == (2, "update", "a", "a", None)


@pytest.mark.parametrize(("event", "context"), [("SELF", {}), ("GUARDED_SELF", {"again": True})])
def test_in_the_present_state_it_is_a_transition_when_an_event_says_so(s: Api, event: str, context: Any) -> None:
    saved = s.save("s-1", "a", context, 1, event=event)
    assert saved[4:7] == ("a", "a", False)
    assert s.history("s-1")[0][:5] == (2, "transition", "a", "a", event)


@pytest.mark.parametrize(
    ("event", "sqlstate"), [("Z", "SM020"), ("PICK", "SM020"), ("NO", "SM020"), ("GUARDED_SELF", "SM022")]
)
def test_in_the_present_state_an_event_that_is_none_is_refused(s: Api, event: str, sqlstate: str) -> None:
    with refused(sqlstate):
        s.save("s-1", "a", {}, event=event)


def test_an_event_of_the_root_applies_where_the_state_does_not_name_it(api: Api, define: Callable[..., int]) -> None:
    states = {"a": {"on": {"GO": "b", "STOP": "b"}}, "b": {"on": {"BACK": "a"}}, "z": {"type": "final"}}
    define(states, on={"STOP": ".z"})
    api.create("s-1", "m")
    with refused("SM020"):
        api.save("s-1", "z", event="STOP")
    api.save("s-1", "b", event="STOP")
    assert api.save("s-1", "z").is_final is True
    assert api.history("s-1")[0].event == "STOP"


def test_nothing_is_written_when_it_is_refused(s: Api) -> None:
    before, history = s.load("s-1"), s.history("s-1")
    calls: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("SM020", "late", {}, {}),
        ("SM022", "b", {"low": 1}, {"event": "b"}),
        ("SM021", "b", [], {}),
        ("SM030", "b", {}, {"version": 7}),
    ]
    for sqlstate, state, context, more in calls:
        with refused(sqlstate):
            s.save("s-1", state, context, **more)
    assert (s.load("s-1"), s.history("s-1")) == (before, history)


def test_the_whole_context_is_replaced(s: Api) -> None:
    s.save("s-1", "a", {"x": 1, "y": 2})
    s.save("s-1", "a", {"y": 2})
    assert s.text("s-1") == '{"y": 2}'
    s.save("s-1", "a", {})
    assert s.text("s-1") == "{}"


def test_a_save_that_changes_nothing_is_a_version_too(s: Api) -> None:
    for version in (2, 3, 4):
        assert s.save("s-1", "a", {}, version - 1).version == version
    assert [entry.kind for entry in s.history("s-1")] == ["update", "update", "update", "create"]
