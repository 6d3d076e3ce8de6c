"""Watching contract sessions: structured log records, counters of this process, and loops as the database has them."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from fsmstore.errors import SessionNotFound
from fsmstore.store import SessionStore

from .events import emit
from .store import UnifiedSessionStore

_LOGGER = logging.getLogger("fsmstore.contract.monitor")


class FSMStateMonitor:
    """Logs what happens to sessions and counts it. Nothing leaves the process but log records. Threads may share it.

    Each record has a stable event name (``fsm_event``) and its facts (``fsm``, a dict), which are in its message as
    JSON too. What is counted here ends with the process; whether a session goes in circles is asked of the database,
    whose history survives every process.

    Args:
        store: where loops are looked up: a `UnifiedSessionStore` or `SessionStore`, which stay open, or a connection
            string, pool or connection for a store of its own.
        logger: where records go; ``fsmstore.contract.monitor`` unless given.
        recent: transitions that `get_performance_metrics` shows at most.
    """

    def __init__(
        self,
        store: UnifiedSessionStore | SessionStore | str | ConnectionPool[Any] | psycopg.Connection[Any],
        *,
        logger: logging.Logger | None = None,
        recent: int = 100,
    ) -> None:
        self._owns = not isinstance(store, (UnifiedSessionStore, SessionStore))
        if isinstance(store, UnifiedSessionStore):
            self._store = store.sessions
        else:
            self._store = store if isinstance(store, SessionStore) else SessionStore(store)
        self._logger = _LOGGER if logger is None else logger
        self._lock = threading.Lock()
        self._passages: Counter[str] = Counter()
        self._corruptions: Counter[str] = Counter()
        self._failed = self._loop_checks = self._loops = 0
        self._recent: deque[dict[str, Any]] = deque(maxlen=recent)

    def track_state_transition(self, session_id: str, from_state: str, to_state: str, success: bool) -> None:
        """Log a transition as ``fsm.transition`` (a failed one as a warning) and count it."""
        passage = f"{from_state} -> {to_state}"
        with self._lock:
            self._passages[passage] += 1
            self._failed += not success
            self._recent.append(
                {"session_id": session_id, "transition": passage, "success": bool(success), "at": time.time()}
            )
        emit(
            self._logger,
            logging.INFO if success else logging.WARNING,
            "fsm.transition",
            session_id=session_id,
            from_state=from_state,
            to_state=to_state,
            success=bool(success),
        )

    def detect_infinite_loop(self, session_id: str) -> bool:
        """Ask the database whether the session passed a transition more often than its machine allows.

        For the purchase that is more than three times within five minutes, whichever processes saved it. Each such
        transition is logged as ``fsm.loop``. A session that is not saved yet has passed none.

        Raises:
            psycopg.Error: the database is lost: that is no answer.
        """
        try:
            loops = self._store.detect_loop(session_id)
        except SessionNotFound:
            loops = []
        with self._lock:
            self._loop_checks += 1
            self._loops += bool(loops)
        for loop in loops:
            emit(
                self._logger,
                logging.WARNING,
                "fsm.loop",
                session_id=session_id,
                from_state=loop.from_state,
                to_state=loop.to_state,
                occurrences=loop.occurrences,
                limit=loop.loop_limit,
                window_seconds=loop.loop_window.total_seconds(),
            )
        return bool(loops)

    def log_state_corruption(self, session_id: str, corruption_type: str, details: Mapping[str, Any]) -> None:
        """Log that a session was found broken, as the error ``fsm.corruption``, and count it by type."""
        with self._lock:
            self._corruptions[corruption_type] += 1
        emit(
            self._logger,
            logging.ERROR,
            "fsm.corruption",
            session_id=session_id,
            corruption_type=corruption_type,
            details=dict(details),
        )

    def get_performance_metrics(self) -> dict[str, Any]:
        """Return what was counted in this process.

        ``transitions``, ``failed_transitions``, ``by_transition``, ``corruptions`` by type, ``loop_checks``,
        ``loops_detected``, and the ``recent_transitions``, the newest last.
        """
        with self._lock:
            return {
                "transitions": sum(self._passages.values()),
                "failed_transitions": self._failed,
                "by_transition": dict(self._passages),
                "corruptions": dict(self._corruptions),
                "loop_checks": self._loop_checks,
                "loops_detected": self._loops,
                "recent_transitions": [dict(one) for one in self._recent],
            }

    def close(self) -> None:
        """Close the store of its own, if it has one."""
        if self._owns:
            self._store.close()

    def __enter__(self) -> FSMStateMonitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
