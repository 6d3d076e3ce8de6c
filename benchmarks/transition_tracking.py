"""What FSMStateMonitor adds to a transition, held against a plain logging call with the same facts.

Both log to a handler that formats each record and throws it away, in turns; quoted are medians of the rounds.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from fsmstore import SessionStore
from fsmstore.contract import FSMStateMonitor

CALLS = 2000
"""Transitions tracked in one round."""


class _Formatting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


@dataclass(frozen=True)
class TrackingCost:
    """Median microseconds of a tracked transition, of a plain logging call, and the median of their ratios."""

    tracked: float
    plain: float
    ratio: float


def measure(*, rounds: int) -> TrackingCost:
    """Run ``rounds`` rounds of each side (after one to warm up) and compare. No database is asked."""
    logger = logging.Logger("benchmark", logging.INFO)
    logger.addHandler(_Formatting())
    # A store connects at its first call, and tracking makes none.
    with SessionStore("") as store, FSMStateMonitor(store, logger=logger) as monitor:

        def tracked() -> None:
            monitor.track_state_transition("session-1", "search", "refine_constraints", True)

        def plain() -> None:
            logger.info(
                "transition of %s: %s -> %s, success %s", "session-1", "search", "refine_constraints", True,
                extra={"session_id": "session-1"},
            )  # fmt: skip

        pairs = [(_round(tracked), _round(plain)) for _ in range(rounds + 1)][1:]
    return TrackingCost(
        statistics.median(one for one, _ in pairs),
        statistics.median(other for _, other in pairs),
        statistics.median(one / other for one, other in pairs),
    )


def _round(call: Callable[[], None]) -> float:
    """Return the median microseconds of a call."""
    times = []
    for _ in range(CALLS):
        begin = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - begin)
    return statistics.median(times) / 1000
