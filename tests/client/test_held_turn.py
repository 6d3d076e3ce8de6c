"""What a turn knows by itself: how often it is extended, how long an attempt may take, which request began it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from fsmstore import CorruptSession, SessionNotFound
from fsmstore.held_turn import HeldTurn

REQUEST = UUID(int=1)


def turn(ttl: float | timedelta = 60, *, timeout: float = 30, joined: bool = False, request: Any = None) -> HeldTurn:
    operations: Any = None  # nothing is asked of the database here
    return HeldTurn(operations, joined, timeout, "s-1", "ann", ttl, request)


@pytest.mark.parametrize(
    ("ttl", "period"), [(60, 20), (timedelta(seconds=60), 20), (0.3, 0.1), (0.03, 0.05), (timedelta(0), 0.05)]
)
def test_it_is_extended_three_times_in_its_life(ttl: float | timedelta, period: float) -> None:
    assert turn(ttl)._period == pytest.approx(period)


@pytest.mark.parametrize(("ttl", "timeout", "attempt"), [(60, 30, 5), (6, 30, 2), (60, 1, 1)])
def test_an_attempt_takes_no_longer_than_there_is_time(ttl: float, timeout: float, attempt: float) -> None:
    assert turn(ttl, timeout=timeout)._attempt == attempt


@pytest.mark.parametrize(("ttl", "pause"), [(60, 1), (0.6, 0.2)])
def test_after_a_failure_it_waits_no_longer_than_a_second(
    ttl: float, pause: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fsmstore"):
        assert turn(ttl)._after_failure(psycopg.errors.AdminShutdown()) == pytest.approx(pause)
    assert caplog.messages == ["the turn of session 's-1' is not extended: 57P01"]


def test_what_is_gone_is_not_extended() -> None:
    held = turn()
    assert held._after_failure(SessionNotFound("session not found")) is None
    assert held.lost


def test_which_request_begins_it() -> None:
    assert turn(request=REQUEST)._request_id == REQUEST
    assert turn(joined=True, request=REQUEST)._request_id == REQUEST
    assert turn(joined=True)._request_id is None
    assert isinstance(turn()._request_id, UUID)
    assert turn()._request_id != turn()._request_id


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CorruptSession("stored session corrupt"), "SM060 stored session corrupt"),
        (psycopg.OperationalError("gone"), "OperationalError"),
    ],
)
def test_an_update_is_done_though_the_session_is_not_loaded_after_it(
    store: Any, flavour: Any, in_turn: Any, error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def load(*arguments: Any, **more: Any) -> Iterator[Any]:
        raise error
        yield

    store.create("s-1", "door")
    with in_turn(store, "s-1", "ann") as held, caplog.at_level(logging.WARNING, "fsmstore"):
        inner = held if flavour.name == "sync" else held.wrapped
        whole, inner._operations = inner._operations, type("Operations", (), {})()
        inner._operations.update, inner._operations.load = whole.update, load
        assert held.update({"n": 1}).version == 2
        inner._operations = whole
    assert f"session 's-1' is not loaded after its update: {said}" in caplog.messages
    assert store.load("s-1").context == {"n": 1}
