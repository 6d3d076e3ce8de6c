"""The cache is never stale, holds nothing that is not committed, and is bounded."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from fsmstore.cache import Cache
from fsmstore.rows import StoredSession

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def stored(version: int, *, session_id: str = "s-1", text: str = "{}", created: int = 0) -> StoredSession:
    """A session that the database could have answered with."""
    created_at = NOW + timedelta(days=created)
    updated_at = created_at + timedelta(seconds=version)
    return StoredSession(session_id, "door", 1, "open", version, text, 0, False, updated_at, created_at, updated_at)


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def land(cache: Cache, session: StoredSession | None, session_id: str = "s-1") -> None:
    with cache.flight(session_id) as flight:
        flight.land(session)


def test_what_others_changed_for_this_store_is_dropped() -> None:
    cache = Cache(10, 1 << 20)
    for name in ("s-1", "s-2"):
        land(cache, stored(1, session_id=name), name)
    cache.changed(["s-1", "s-3"])
    assert cache.fresh("s-1", 1000) is None
    assert cache.fresh("s-2", 1000) == stored(1, session_id="s-2")
    assert cache.entries == 1
    cache.clear()
    assert (cache.entries, cache.bytes) == (0, 0)


def test_what_was_on_its_way_when_others_changed_it_is_not_kept() -> None:
    for forget in (lambda cache: cache.changed(["s-1"]), lambda cache: cache.clear()):
        cache = Cache(10, 1 << 20)
        with cache.flight("s-1") as flight:
            forget(cache)
            flight.land(stored(1))
        assert cache.fresh("s-1", 1000) is None
        land(cache, stored(2))
        assert cache.fresh("s-1", 1000) == stored(2)


def test_what_landed_is_held_and_fresh_for_a_while() -> None:
    clock = Clock()
    cache = Cache(10, 1 << 20, clock)
    land(cache, stored(1))
    clock.now = 5
    assert cache.fresh("s-1", 5) == stored(1)
    assert cache.fresh("s-1", 4.9) is None
    assert cache.fresh("s-2", 5) is None
    with cache.flight("s-1") as flight:
        assert flight.held == stored(1)
        flight.land(stored(1))
    assert cache.fresh("s-1", 0) == stored(1)


def test_age_counts_from_the_question_not_from_the_answer() -> None:
    clock = Clock()
    cache = Cache(10, 1 << 20, clock)
    with cache.flight("s-1") as flight:
        clock.now = 3
        flight.land(stored(1))
    assert cache.fresh("s-1", 2.9) is None
    assert cache.fresh("s-1", 3) == stored(1)


def test_the_number_of_entries_is_bounded_and_the_oldest_used_goes() -> None:
    cache = Cache(2, 1 << 20)
    for name in ("a", "b"):
        land(cache, stored(1, session_id=name), name)
    assert cache.fresh("a", 60)
    land(cache, stored(1, session_id="c"), "c")
    assert cache.fresh("b", 60) is None
    assert cache.fresh("a", 60)
    assert cache.entries == 2
    with cache.flight("c"):
        pass
    land(cache, stored(1, session_id="d"), "d")
    assert cache.fresh("a", 60) is None


def test_the_bytes_are_bounded() -> None:
    cache = Cache(1000, 10_000)
    for number in range(100):
        land(cache, stored(1, session_id=f"s-{number}", text="x" * 1000), f"s-{number}")
        assert cache.bytes <= 10_000
    assert 3 <= cache.entries <= 5
    assert cache.fresh("s-99", 60)
    land(cache, stored(2, session_id="s-99", text="x" * 20_000), "s-99")
    assert (cache.entries, cache.bytes) == (0, 0)


def test_a_cache_of_no_entries_holds_nothing() -> None:
    cache = Cache(0, 1 << 20)
    land(cache, stored(1))
    assert cache.fresh("s-1", 60) is None
    assert cache.bytes == 0


def test_an_answer_that_was_overtaken_is_not_kept() -> None:
    cache = Cache(10, 1 << 20)
    slow = cache.flight("s-1")
    land(cache, stored(2))
    slow.land(stored(1))
    assert cache.fresh("s-1", 60) == stored(2)


def test_an_answer_that_was_overtaken_is_not_kept_even_when_the_newer_was_thrown_out() -> None:
    cache = Cache(1, 1 << 20)
    slow = cache.flight("s-1")
    land(cache, stored(2))
    land(cache, stored(1, session_id="s-2"), "s-2")
    slow.land(stored(1))
    assert cache.fresh("s-1", 60) is None


def test_a_newer_answer_to_an_older_question_is_kept() -> None:
    clock = Clock()
    cache = Cache(10, 1 << 20, clock)
    early = cache.flight("s-1")
    clock.now = 1
    land(cache, stored(1))
    early.land(stored(2))
    assert cache.fresh("s-1", 0) == stored(2)


@pytest.mark.parametrize("known", [True, False])
def test_a_write_of_unknown_result_leaves_nothing(known: bool) -> None:
    cache = Cache(10, 1 << 20)
    land(cache, stored(1))
    slow = cache.flight("s-1")
    with cache.flight("s-1", writes=True) as write:
        assert cache.fresh("s-1", 60) == stored(1)
        if known:
            write.land(None)
    assert cache.fresh("s-1", 60) is None
    slow.land(stored(1))
    assert cache.fresh("s-1", 60) is None


def test_what_is_held_goes_when_a_higher_version_is_told_though_not_kept() -> None:
    cache = Cache(10, 1 << 20)
    slow = cache.flight("s-1", writes=True)
    with cache.flight("s-1", writes=True):  # of unknown result: whatever is on its way is not to be kept
        pass
    land(cache, stored(1))
    slow.land(stored(2))
    assert cache.fresh("s-1", 60) is None


def test_a_read_that_fails_changes_nothing() -> None:
    cache = Cache(10, 1 << 20)
    land(cache, stored(1))
    with pytest.raises(KeyError), cache.flight("s-1"):
        raise KeyError
    assert cache.fresh("s-1", 60) == stored(1)


def test_a_session_that_was_made_again_is_another_one() -> None:
    cache = Cache(10, 1 << 20)
    land(cache, stored(7))
    slow = cache.flight("s-1")
    land(cache, stored(1, created=1))
    assert cache.fresh("s-1", 60) is None
    slow.land(stored(7))
    assert cache.fresh("s-1", 60) is None
    land(cache, stored(1, created=1))
    assert cache.fresh("s-1", 60) == stored(1, created=1)
    land(cache, None)
    assert cache.fresh("s-1", 60) is None


def test_a_child_process_begins_with_nothing() -> None:
    cache = Cache(10, 1 << 20)
    land(cache, stored(1))
    flight = cache.flight("s-1")
    cache.after_fork_in_child()
    assert (cache.entries, cache.bytes) == (0, 0)
    flight.land(stored(2))
    assert cache.fresh("s-1", 60) == stored(2)


class Flights(RuleBasedStateMachine):
    """Calls that start and land in any order. The database is a counter; a call sees it at a moment while it flies."""

    flights = Bundle("flights")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cache = Cache(2, 1 << 20, self.clock)
        self.version = 1
        self.told = 0
        """The highest version that a finished call has told its caller."""
        self.confirmed: dict[int, float] = {1: 0.0}
        """When each version was last the present one."""

    @rule(target=flights, writes=st.booleans())
    def start(self, writes: bool) -> list[Any]:
        return [self.cache.flight("s-1", writes=writes), writes, None]

    @rule(flight=flights)
    def executed(self, flight: list[Any]) -> None:
        if flight[2] is None:
            self.version += flight[1]
            flight[2] = self.version

    @rule(flight=consumes(flights), fails=st.booleans())
    def lands(self, flight: list[Any], fails: bool) -> None:
        with flight[0]:
            if flight[2] is not None and not fails:
                flight[0].land(stored(flight[2]))
                self.told = max(self.told, flight[2])

    @rule(seconds=st.sampled_from([0.5, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(name=st.sampled_from(["s-2", "s-3"]))
    def others_push_out(self, name: str) -> None:
        land(self.cache, stored(1, session_id=name), name)

    @invariant()
    def never_below_what_was_told_and_never_older_than_asked(self) -> None:
        self.confirmed[self.version] = self.clock.now
        for max_age in (0.0, 1.0, 1000.0):
            held = self.cache.fresh("s-1", max_age)
            if held is not None:
                assert held.version >= self.told
                assert self.clock.now - self.confirmed[held.version] <= max_age


def test_whatever_the_order_of_answers_nothing_goes_back() -> None:
    run_state_machine_as_test(Flights, settings=settings(max_examples=300, stateful_step_count=40))
