"""created_at, entered_at and the time of each version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api

STATES = {
    "a": {
        "on": {
            "SELF": "a",
            "AGAIN": {"target": "a", "reenter": True},
            "EITHER": [{"target": "a", "guard": "$.n == 1", "reenter": True}, {"target": "a"}],
            "GO": {"target": "b", "reenter": True},
        }
    },
    "b": {"on": {"BACK": {"target": "a"}, "STAY": "b"}},
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 is in state a."""
    define(STATES)
    api.create("s-1", "m")
    return api


def _entered(before: Any, after: Any) -> bool:
    """Whether the write entered its state anew; otherwise the time must have stayed."""
    assert after.created_at == before.created_at
    assert after.entered_at in (before.entered_at, after.saved_at)
    return bool(after.entered_at != before.entered_at)


def test_another_state_is_entered(s: Api) -> None:
    first = s.load("s-1")
    there = s.send("s-1", "GO")
    assert _entered(first, there)
    assert _entered(there, s.save("s-1", "a"))


def test_the_same_state_is_not_entered_by_an_update(s: Api) -> None:
    first = s.load("s-1")
    for done in (s.update("s-1", patch={"x": 1}), s.save("s-1", "a", {"y": 1})):
        assert not _entered(first, done)


@pytest.mark.parametrize("way", ["send", "save"])
@pytest.mark.parametrize(
    ("event", "context", "entered"),
    [("SELF", {}, False), ("AGAIN", {}, True), ("EITHER", {"n": 1}, True), ("EITHER", {"n": 2}, False)],
)
def test_a_self_transition_enters_only_with_reenter(s: Api, way: str, event: str, context: Any, entered: bool) -> None:
    first = s.load("s-1")
    done = s.send("s-1", event, patch=context) if way == "send" else s.save("s-1", "a", context, event=event)
    assert _entered(first, done) is entered
    assert s.load("s-1").entered_at == done.entered_at


def test_a_self_transition_without_reenter_in_a_state_without_any(s: Api) -> None:
    there = s.send("s-1", "GO")
    assert not _entered(there, s.save("s-1", "b", event="STAY"))
    assert not _entered(there, s.send("s-1", "STAY"))


def test_a_divert_enters_its_state_unless_the_session_is_there(api: Api, define: Callable[..., int]) -> None:
    rule = {"limit": 1, "window": "1 hour"}
    states = {
        "a": {"on": {"AGAIN": {"target": "a", "reenter": True, "meta": {"loop": {**rule, "action": {"divert": "a"}}}}}},
    }
    define(states, loop={**rule, "action": "log"})
    api.create("s-1", "m")
    passed = api.send("s-1", "AGAIN")
    diverted = api.send("s-1", "AGAIN")
    assert api.history("s-1")[0].kind == "divert"
    assert not _entered(passed, diverted)


def test_time_increases_strictly_with_the_version(s: Api) -> None:
    """Also inside one transaction, whose own clock stands still."""
    with s.conn.transaction():
        for _ in range(20):
            s.send("s-1", "SELF")
    times = [entry.at for entry in s.history("s-1")]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 21


def test_time_does_not_run_back_when_the_clock_does(s: Api, db: psycopg.Connection[Any]) -> None:
    """As if the version before had been written by a clock that was an hour ahead."""
    db.execute("update fsm_internal.sessions set updated_at = updated_at + interval '1 hour'")
    ahead = s.load("s-1").updated_at
    first, second = s.update("s-1"), s.send("s-1", "GO")
    assert (first.saved_at - ahead).total_seconds() == pytest.approx(1e-6)
    assert (second.saved_at - first.saved_at).total_seconds() == pytest.approx(1e-6)
    assert second.entered_at == second.saved_at


def test_times_are_of_the_call_not_of_the_transaction(s: Api) -> None:
    s.conn.execute("begin")
    row = s.conn.execute("select now()").fetchone()
    assert row is not None
    made = s.create("s-2", "m")
    assert made.saved_at > row[0]
    assert s.update("s-1").saved_at > made.saved_at
    s.conn.execute("commit")
