"""Rules of the cache that a single thread and a short life do not show: its lock, its memory, its forks."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timezone
from types import TracebackType

import pytest

from fsmstore.cache import Cache
from fsmstore.rows import StoredSession

AT = datetime(2026, 1, 1, tzinfo=timezone.utc)
CALLS: dict[str, Callable[[Cache], object]] = {
    "fresh": lambda cache: cache.fresh("s-1", 10),
    "flight": lambda cache: cache.flight("s-1"),
    "changed": lambda cache: cache.changed(["s-1"]),
    "clear": lambda cache: cache.clear(),
}


def stored(session_id: str = "s-1", version: int = 1) -> StoredSession:
    return StoredSession(session_id, "door", 1, "open", version, "{}", 0, False, AT, AT, AT)


class CountedLock:
    """A lock that counts how often it was taken."""

    taken = 0

    def __enter__(self) -> None:
        self.taken += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        pass


def watched(cache: Cache) -> CountedLock:
    lock = CountedLock()
    cache._lock = lock  # type: ignore[assignment]
    return lock


@pytest.mark.parametrize("call", sorted(CALLS))
def test_every_call_takes_the_lock(call: str) -> None:
    cache = Cache(10, 1 << 20)
    lock = watched(cache)
    CALLS[call](cache)
    assert lock.taken == 1


@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("answer", [stored(), None])
def test_every_answer_takes_the_lock(writes: bool, answer: StoredSession | None) -> None:
    cache = Cache(10, 1 << 20)
    flight = cache.flight("s-1", writes=writes)
    lock = watched(cache)
    flight.land(answer)
    assert lock.taken == 1


@pytest.mark.parametrize("writes", [True, False])
def test_a_call_that_fails_takes_the_lock(writes: bool) -> None:
    cache = Cache(10, 1 << 20)
    flight = cache.flight("s-1", writes=writes)
    lock = watched(cache)
    with pytest.raises(ZeroDivisionError), flight:
        raise ZeroDivisionError
    assert lock.taken == 1


@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("end", ["answer", "nothing", "error", "silence"])
def test_nothing_is_left_of_a_call(writes: bool, end: str) -> None:
    cache = Cache(10, 1 << 20)
    other = cache.flight("s-1")
    try:
        with cache.flight("s-1", writes=writes) as flight:
            if end == "error":
                raise ZeroDivisionError
            if end != "silence":
                flight.land(stored() if end == "answer" else None)
    except ZeroDivisionError:
        pass
    assert cache._flights == {"s-1": [other]}
    other.land(stored())
    assert cache._flights == {}


def test_the_same_answer_to_two_calls_stays() -> None:
    cache = Cache(10, 1 << 20)
    flights = [cache.flight("s-1"), cache.flight("s-1")]
    for flight in flights:
        flight.land(stored())
    assert cache.fresh("s-1", 10) == stored()


def test_what_just_fits_is_held() -> None:
    cache = Cache(10, 1 << 20)
    for name in ("s-1", "s-2"):
        cache.flight(name).land(stored(name))
    size = cache.bytes
    for limit, held in ((size, 2), (size - 1, 1)):
        small = Cache(10, limit)
        for name in ("s-1", "s-2"):
            small.flight(name).land(stored(name))
        assert small.entries == held


def test_a_forked_child_begins_with_nothing() -> None:
    cache = Cache(10, 1 << 20)
    cache.flight("s-1").land(stored())
    on_its_way = cache.flight("s-1")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            on_its_way.land(stored(version=2))
            status = (
                0 if (cache._flights, cache.entries) == ({}, 1) and cache.fresh("s-1", 10) == stored(version=2) else 2
            )
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert cache.fresh("s-1", 10) == stored()


def test_a_forked_child_does_not_wait_for_the_lock_of_its_parent() -> None:
    cache = Cache(10, 1 << 20)
    cache.flight("s-1").land(stored())
    with cache._lock:
        child = os.fork()
        if child == 0:
            os._exit(cache.entries if cache._lock.acquire(timeout=1) else 9)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
