"""Readers of the feed, one fast and one slow, that must be shown everything once whatever happens to the server."""

from __future__ import annotations

import threading
from typing import Any

import psycopg

from fsmstore import FsmError, SessionStore

from .shown import Line


class Reader:
    """Reads the feed in a thread, a page at a time, from where it was after each error."""

    def __init__(self, dsn: str, page: int, pause: float) -> None:
        self._store = SessionStore(dsn, timeout=5.0, max_size=1)
        self._page, self._pause = page, pause
        self._after: str | None = None
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._over = threading.Event()
        self.errors: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                page: list[Any] = self._store.changes(self._after, self._page)
            except (FsmError, psycopg.Error) as error:
                if error.sqlstate == "55000":
                    self.errors.append(str(error))
                self._over.wait(0.2)
                continue
            if page:
                self._after = page[-1].cursor
                with self._lock:
                    self._lines += [(line.session_id, line.version, line.kind) for line in page]
            if len(page) < self._page:
                self._over.wait(self._pause)

    def saw(self, session: str) -> bool:
        """Tell whether it was shown the session."""
        with self._lock:
            return any(line[0] == session for line in reversed(self._lines[-20_000:]))

    def take(self) -> list[Line]:
        """Return what it was shown since this was asked last."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def close(self) -> None:
        """End."""
        self._over.set()
        self._thread.join(20)
        self._store.close()
