"""fsm.history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from support.api import Api


@pytest.fixture
def s(api: Api) -> Api:
    """Session s-1 has versions 1 to 7."""
    api.create("s-1")
    for number in range(6):
        api.update("s-1", note=number)
    return api


def _versions(api: Api, **more: Any) -> list[int]:
    return [entry.version for entry in api.history("s-1", **more)]


def test_newest_first(s: Api) -> None:
    assert _versions(s) == [7, 6, 5, 4, 3, 2, 1]
    assert [entry.note for entry in s.history("s-1")] == [5, 4, 3, 2, 1, 0, None]


PAGES: list[tuple[int | None, int | None, list[int]]] = [
    (1, None, [7]),
    (3, None, [7, 6, 5]),
    (None, None, [7, 6, 5, 4, 3, 2, 1]),
    (2, 5, [4, 3]),
    (100, 3, [2, 1]),
    (None, 2, [1]),
    (2147483647, 9223372036854775807, [7, 6, 5, 4, 3, 2, 1]),
    (5, 1, []),
    (5, 0, []),
    (5, -9223372036854775808, []),
    (2, 100, [7, 6]),
]


def test_a_limit_and_pages(s: Api) -> None:
    for limit, before, versions in PAGES:
        assert _versions(s, limit=limit, before_version=before) == versions, (limit, before)


def test_100_by_default(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("select fsm.update_context('s-1') from generate_series(1, 100)")
    assert _versions(s) == list(range(107, 7, -1))
    assert _versions(s, limit=None) == list(range(107, 0, -1))


def test_what_each_kind_of_write_records(api: Api, define: Callable[..., int]) -> None:
    states = {"a": {"on": {"GO": "b", "SELF": "a"}}, "b": {"on": {"BACK": "a"}}, "d": {"on": {"BACK": "a"}}}
    define(states, loop={"limit": 1, "window": "1 hour", "action": {"divert": "d"}})
    api.create("s-1", "m", actor="x")
    api.save("s-1", "b", {"n": 1}, actor="y", note={"a": 1})
    api.send("s-1", "BACK", note=[])
    api.update("s-1", actor="z")
    api.save("s-1", "a", event="SELF")
    api.save("s-1", "a", {"n": 2})
    api.save("s-1", "b", actor="w", note='"loop"')
    assert [entry[:9] for entry in reversed(api.history("s-1"))] == [
        (1, "create", None, "a", None, "x", "test_app", None, False),
        (2, "transition", "a", "b", "GO", "y", "test_app", {"a": 1}, False),
        (3, "transition", "b", "a", "BACK", None, "test_app", [], False),
        (4, "update", "a", "a", None, "z", "test_app", None, False),
        (5, "transition", "a", "a", "SELF", None, "test_app", None, False),
        (6, "update", "a", "a", None, None, "test_app", None, False),
        (7, "divert", "a", "d", "GO", "w", "test_app", "loop", True),
    ]


def test_each_from_state_is_the_to_state_before(api: Api) -> None:
    api.create("s-1")
    api.move("s-1", "KNOCK", "OPEN", "CLOSE", "OPEN", "CLOSE")
    entries = list(reversed(api.history("s-1")))
    assert [entry.from_state for entry in entries[1:]] == [entry.to_state for entry in entries[:-1]]


def test_sessions_do_not_mix(s: Api) -> None:
    s.create("s-10")
    s.create("s-")
    assert [len(s.history(session_id)) for session_id in ("s-1", "s-10", "s-")] == [7, 1, 1]


def test_a_replay_is_no_entry(s: Api) -> None:
    request = uuid4()
    for _ in range(3):
        s.update("s-1", request_id=request)
    assert _versions(s)[0] == 8
