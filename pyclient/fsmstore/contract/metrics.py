"""Counts and latencies of one process. What counts for all of them is in the database (`SessionStore.metrics`)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Metrics:
    """Counts calls, sums their times, counts refusals by SQLSTATE. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._longest: dict[str, float] = {}
        self._refusals: Counter[str] = Counter()

    @contextmanager
    def timed(self, what: str, calls: int = 1) -> Iterator[None]:
        """Time a block as so many calls that share its time; one that raises counts as an error too."""
        begin = time.perf_counter()
        failed = True
        try:
            yield
            failed = False
        finally:
            seconds = time.perf_counter() - begin
            with self._lock:
                self._calls[what] += calls
                self._errors[what] += failed
                self._seconds[what] = self._seconds.get(what, 0.0) + seconds
                self._longest[what] = max(self._longest.get(what, 0.0), seconds / max(calls, 1))

    def refused(self, sqlstate: str) -> None:
        """Count a refusal."""
        with self._lock:
            self._refusals[sqlstate] += 1

    def report(self, *names: str) -> dict[str, Any]:
        """Return the numbers of these calls and the refusals by SQLSTATE."""
        with self._lock:
            report: dict[str, Any] = {"refusals": dict(self._refusals)}
            for name in names:
                calls = self._calls[name]
                report[f"{name}s"] = calls
                report[f"{name}_errors"] = self._errors[name]
                report[f"{name}_ms_average"] = 1000 * self._seconds.get(name, 0.0) / calls if calls else 0.0
                report[f"{name}_ms_max"] = 1000 * self._longest.get(name, 0.0)
            return report
