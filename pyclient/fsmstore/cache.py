"""Recent sessions, kept so that an unchanged one comes back without its context. Never a reason to answer wrongly.

What is held is the text that the database gave or acknowledged, so nobody can change it in place, and it is only
handed out after the database has confirmed version and time in the same call (or, for a caller who asks with
`max_age`, confirmed them that recently).

A flight is one call on one session from before it is sent until its answer is here. Answers overtake each other:
one that was sent before a write may arrive after it. So whatever lands first tells the other flights of the same
session what they must not go below, and what lands too late is not kept.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from types import TracebackType

from . import forks
from .rows import StoredSession

# What an entry costs beside its text: the tuple of columns, the key, the bookkeeping.
_ENTRY_OVERHEAD = 1024


class _Entry:
    __slots__ = ("asked_at", "size", "stored")

    def __init__(self, stored: StoredSession, asked_at: float) -> None:
        self.stored = stored
        self.asked_at = asked_at
        self.size = _ENTRY_OVERHEAD + sys.getsizeof(stored.context)


class Flight:
    """One call on one session; leave it with `land` or `miss`, or by an exception."""

    __slots__ = ("_cache", "_landed", "_writes", "asked_at", "floor", "held", "overtaken", "session_id")

    def __init__(self, cache: Cache, session_id: str, *, writes: bool, held: _Entry | None, now: float) -> None:
        self._cache = cache
        self._writes = writes
        self._landed = False
        self.session_id = session_id
        self.asked_at = now
        # Captured now: if the database says "unchanged", it speaks of exactly this.
        self.held = held.stored if held else None
        self.floor: StoredSession | None = None
        self.overtaken = False

    def land(self, stored: StoredSession | None) -> None:
        """Report the committed session that the database answered with; None: there is none, or no context is known."""
        self._landed = True
        self._cache._land(self, stored)

    def __enter__(self) -> Flight:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._landed:
            return
        if self._writes:  # Refused or unknown: what is held may be old now.
            self._cache._land(self, None)
        else:
            self._cache._forget(self)


class Cache:
    """A thread-safe least-recently-used store of `StoredSession`.

    Args:
        max_entries: sessions held at most; 0 holds nothing.
        max_bytes: memory held at most, counting the texts and about a kilobyte for each entry.
        clock: seconds, never running backwards.
    """

    def __init__(self, max_entries: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self.after_fork_in_child()
        forks.watch(self)

    def after_fork_in_child(self) -> None:
        """Forget everything, also who holds the lock and what was on its way."""
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._flights: dict[str, list[Flight]] = {}
        self._bytes = 0

    @property
    def entries(self) -> int:
        """The number of sessions held."""
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """The memory counted for them."""
        return self._bytes

    def fresh(self, session_id: str, max_age: float) -> StoredSession | None:
        """Return the held session if the database confirmed it within the last `max_age` seconds."""
        with self._lock:
            entry = self._entries.get(session_id)
            if entry is None or self._clock() - entry.asked_at > max_age:
                return None
            self._entries.move_to_end(session_id)
            return entry.stored

    def flight(self, session_id: str, *, writes: bool = False) -> Flight:
        """Begin a call on a session, before it is sent; to be used as a context manager."""
        with self._lock:
            entry = self._entries.get(session_id)
            if entry is not None:
                self._entries.move_to_end(session_id)
            flight = Flight(self, session_id, writes=writes, held=entry, now=self._clock())
            self._flights.setdefault(session_id, []).append(flight)
            return flight

    def changed(self, session_ids: Iterable[str]) -> None:
        """Drop sessions that a committed call has changed without saying what they are now."""
        with self._lock:
            for session_id in session_ids:
                self._distrust(session_id)

    def clear(self) -> None:
        """Drop every session, because any of them may have been changed."""
        with self._lock:
            for session_id in [*self._entries, *self._flights]:
                self._distrust(session_id)

    def _distrust(self, session_id: str) -> None:
        self._drop(session_id)
        for flight in self._flights.get(session_id, ()):
            flight.overtaken = True

    def _forget(self, flight: Flight) -> None:
        with self._lock:
            self._remove_flight(flight)

    def _land(self, flight: Flight, stored: StoredSession | None) -> None:
        with self._lock:
            self._remove_flight(flight)
            others = self._flights.get(flight.session_id, ())
            entry = self._entries.get(flight.session_id)
            if stored is None or not _comparable(stored, entry.stored if entry else None, flight.floor):
                # Gone, not known, or deleted and made again: nothing that is on its way is to be trusted.
                self._distrust(flight.session_id)
                return
            for other in others:
                if other.floor is None or _below(other.floor, stored):
                    other.floor = stored
            if flight.overtaken or (flight.floor and _below(stored, flight.floor)):
                # Perhaps old itself; but what is held may be older still.
                if entry and _below(entry.stored, stored):
                    self._drop(flight.session_id)
                return
            # Not below the entry: that has either been this flight's floor or was there when the database was asked.
            # A version at least as high as one confirmed at some time was present after that time.
            asked_at = max(flight.asked_at, entry.asked_at) if entry else flight.asked_at
            self._keep(_Entry(stored, asked_at))

    def _remove_flight(self, flight: Flight) -> None:
        # Not there any more in a process that was forked while the call was on its way.
        flights = self._flights.get(flight.session_id, [])
        if flight in flights:
            flights.remove(flight)
        if not flights:
            self._flights.pop(flight.session_id, None)

    def _keep(self, entry: _Entry) -> None:
        session_id = entry.stored.session_id
        self._drop(session_id)
        self._entries[session_id] = entry
        self._bytes += entry.size
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, session_id: str) -> None:
        entry = self._entries.pop(session_id, None)
        if entry is not None:
            self._bytes -= entry.size


def _comparable(stored: StoredSession, *others: StoredSession | None) -> bool:
    return all(other is None or other.created_at == stored.created_at for other in others)


def _below(one: StoredSession, other: StoredSession) -> bool:
    return one.version < other.version
