"""Versions, and retries by request id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from support.api import Api, case, refused


def _without_context(row: Any) -> tuple[Any, ...]:
    return tuple(value for name, value in row._asdict().items() if name not in ("context", "replayed"))


# Each writing function, as a call on session s-1 with further arguments.
WRITES: dict[str, Callable[..., Any]] = {
    "save": lambda api, **more: api.save("s-1", "open", {"n": 1}, **more),
    "update by save": lambda api, **more: api.save("s-1", "closed", {"n": 1}, **more),
    "send": lambda api, **more: api.send("s-1", "OPEN", patch={"n": 1}, **more),
    "update": lambda api, **more: api.update("s-1", patch={"n": 1}, **more),
}


@pytest.mark.parametrize("write", WRITES)
def test_another_version_than_the_stored_one_is_a_conflict(api: Api, write: str) -> None:
    api.create("s-1", context={"n": 0})
    api.update("s-1")
    name = "version" if "save" in write else "expected_version"
    for stale in (0, 1, 3, -1, 9223372036854775807):
        with case(stale), refused("SM030") as refusal:
            WRITES[write](api, **{name: stale})
        assert refusal.detail == {"session_id": "s-1", "version": 2, "expected_version": stale, "state": "closed"}
    assert api.load("s-1").context == {"n": 0}
    assert WRITES[write](api, **{name: 2}).version == 3


@pytest.mark.parametrize("write", WRITES)
def test_no_expected_version_means_whatever_it_is_now(api: Api, write: str) -> None:
    api.create("s-1")
    api.update("s-1")
    assert WRITES[write](api).version == 3


@pytest.mark.parametrize("write", WRITES)
def test_a_committed_request_id_gives_the_first_answer_again(api: Api, write: str) -> None:
    """Also after later writes, with other arguments, and with the version that was then expected."""
    api.create("s-1", context={"n": 0})
    request = uuid4()
    first = WRITES[write](api, request_id=request)
    assert (first.version, first.replayed) == (2, False)
    api.send("s-1", {"open": "CLOSE", "closed": "OPEN"}[first.state], patch={"n": 9})
    history = api.history("s-1")
    for again in (
        WRITES[write](api, request_id=request),
        api.save("s-1", "nowhere", [], 1, request_id=request, event="NO", turn=7),
        api.send("s-1", "NO", patch=[], append=[], expected_version=99, request_id=request),
        api.update("s-1", patch=1, request_id=request),
        api.create("s-1", "no machine", context=[], request_id=request),
    ):
        assert again.replayed is True
        assert _without_context(again) == _without_context(first)
        if "context" in again._fields:
            assert again.context == {"n": 1}
    assert api.history("s-1") == history
    assert api.load("s-1").context == {"n": 9}


def test_a_replayed_event_answers_with_the_context_of_its_version(api: Api) -> None:
    api.create("s-1", context={"a": 1, "log": [1]})
    request = uuid4()
    first = api.send("s-1", "OPEN", patch={"a": None}, append={"log": [2]}, request_id=request)
    api.save("s-1", "closed", {"quite": "different"})
    assert api.send("s-1", "OPEN", request_id=request) == first._replace(replayed=True)


def test_creation_is_replayed_before_it_is_refused(api: Api) -> None:
    request = uuid4()
    first = api.create("s-1", context={"a": 1}, request_id=request)
    api.send("s-1", "OPEN")
    assert api.create("s-1", request_id=request) == first._replace(replayed=True)
    for other in (None, uuid4()):
        with refused("SM011"):
            api.create("s-1", request_id=other)


def test_a_replay_answers_in_a_final_state_too(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"END": "z"}}, "z": {"type": "final"}})
    api.create("s-1", "m")
    request = uuid4()
    first = api.send("s-1", "END", request_id=request)
    assert first.is_final is True
    assert api.send("s-1", "END", request_id=request) == first._replace(replayed=True)
    with refused("SM012"):
        api.send("s-1", "END", request_id=uuid4())


def test_loop_and_divert_are_replayed_as_they_were(api: Api, define: Callable[..., int]) -> None:
    states = {"a": {"on": {"SELF": "a"}}, "d": {"on": {"BACK": "a"}}}
    define(states, loop={"limit": 1, "window": "1 hour", "action": {"divert": "d"}})
    api.create("s-1", "m")
    api.send("s-1", "SELF")
    request = uuid4()
    first = api.send("s-1", "SELF", request_id=request)
    assert (first.state, first.loop_detected, first.changed_state) == ("d", True, True)
    api.send("s-1", "BACK")
    assert api.send("s-1", "SELF", request_id=request) == first._replace(replayed=True)


@pytest.mark.parametrize("write", WRITES)
def test_a_refused_call_is_judged_anew(api: Api, write: str) -> None:
    api.create("s-1")
    request = uuid4()
    name = "version" if "save" in write else "expected_version"
    with refused("SM030"):
        WRITES[write](api, request_id=request, **{name: 2})
    api.update("s-1")
    done = WRITES[write](api, request_id=request, **{name: 2})
    assert (done.version, done.replayed) == (3, False)


def test_a_rolled_back_call_is_judged_anew(api: Api) -> None:
    api.create("s-1")
    request = uuid4()
    api.conn.execute("begin")
    assert api.update("s-1", request_id=request).version == 2
    api.conn.execute("rollback")
    assert api.update("s-1", request_id=request)[3:9:5] == (2, False)


def test_inside_one_transaction_a_retry_is_a_replay(api: Api) -> None:
    api.create("s-1")
    request = uuid4()
    with api.conn.transaction():
        first = api.update("s-1", request_id=request)
        assert api.update("s-1", request_id=request) == first._replace(replayed=True)
    assert api.load("s-1").version == 2


@pytest.mark.parametrize("write", WRITES)
def test_a_request_id_belongs_to_its_session(api: Api, write: str) -> None:
    request = UUID(int=7)
    api.create("s-0", request_id=request)
    api.create("s-2")
    api.update("s-2", request_id=request)
    assert api.create("s-1").replayed is False
    assert WRITES[write](api, request_id=request)[3:9:5] == (2, False)
    assert WRITES[write](api, request_id=request)[3:9:5] == (2, True)
    assert api.update("s-0", request_id=request)[3:9:5] == (1, True)


def test_without_a_request_id_nothing_is_a_replay(api: Api) -> None:
    api.create("s-1")
    assert [api.update("s-1", request_id=None).replayed for _ in range(3)] == [False] * 3
    assert api.load("s-1").version == 4


def test_versions_are_counted_from_1_without_gaps(api: Api, db: psycopg.Connection[Any]) -> None:
    api.create("s-1")
    for number in range(20):
        api.send("s-1", "KNOCK", patch={"n": number})
        with refused("SM020"):
            api.send("s-1", "NO")
    rows = db.execute("select array_agg(version order by version) from fsm_internal.history").fetchone()
    assert rows == (list(range(1, 22)),)
