"""A final state takes no more writes; the target of a deadline is reached by deadlines only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from support.api import Api, case, refused

STATES = {
    "a": {"on": {"END": "z"}, "after": {"1": "late", "3600000": {"target": "z"}}},
    "z": {"type": "final"},
    "late": {"type": "final"},
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 is in the final state z, s-2 in a."""
    define(STATES, on={"STOP": "z"})
    for session_id in ("s-1", "s-2"):
        api.create(session_id, "m", context={"n": 1})
    api.send("s-1", "END")
    return api


def test_is_final_is_told(s: Api) -> None:
    assert [s.load(session_id).is_final for session_id in ("s-1", "s-2")] == [True, False]
    assert [row.is_final for row in s.rows("load_sessions", session_ids=["s-1", "s-2"])] == [True, False]
    assert [s.at("s-1", version).is_final for version in (1, 2)] == [False, True]
    assert s.save("s-2", "z").is_final is True


WRITES: list[Callable[[Api], Any]] = [
    lambda api: api.save("s-1", "z", {"n": 1}),
    lambda api: api.save("s-1", "a"),
    lambda api: api.save("s-1", "z", event="STOP"),
    lambda api: api.send("s-1", "STOP"),
    lambda api: api.send("s-1", "NO"),
    lambda api: api.update("s-1"),
    lambda api: api.update("s-1", patch={"n": 2}, request_id=uuid4()),
]


def test_saves_events_and_updates_are_refused(s: Api) -> None:
    before = s.load("s-1")
    for number, write in enumerate(WRITES):
        with case(number), refused("SM012") as refusal:
            write(s)
        assert refusal.detail == {"session_id": "s-1", "state": "z", "version": 2}
    assert s.load("s-1") == before


def test_the_target_of_a_deadline_is_not_saved_to(s: Api) -> None:
    """Not even when it is overdue."""
    for event in (None, "after", "1"):
        with refused("SM020"):
            s.save("s-2", "late", event=event)
    for event in ("after", "1", "AFTER"):
        with refused("SM020"):
            s.send("s-2", event)


def test_an_overdue_deadline_does_not_stop_a_write(s: Api) -> None:
    assert s.update("s-2").state == "a"
    assert s.save("s-2", "z", {"n": 1}).state == "z"
