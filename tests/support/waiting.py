"""Waiting for what another connection does, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Any

import psycopg

_POLL_SECONDS = 0.005


def wait_until(happened: Callable[[], bool], what: str, timeout: float = 10) -> None:
    """Return as soon as ``happened()`` is true; fail after ``timeout`` seconds, saying what did not happen."""
    end = time.monotonic() + timeout
    pause = Event()
    while not happened():
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        pause.wait(_POLL_SECONDS)


def wait_until_blocked(conn: psycopg.Connection[Any], pid: int, timeout: float = 10) -> None:
    """Return when the backend ``pid`` waits for a lock, seen through ``conn``: a superuser outside a transaction."""
    seen = "nothing"

    def blocked() -> bool:
        nonlocal seen
        row = conn.execute(
            "select state, wait_event_type, wait_event, left(query, 200) from pg_stat_activity where pid = %s", (pid,)
        ).fetchone()
        seen = "that backend is gone" if row is None else f"state={row[0]} wait={row[1]}/{row[2]} query={row[3]}"
        return row is not None and row[1] == "Lock"

    try:
        wait_until(blocked, f"backend {pid} waits for a lock", timeout)
    except AssertionError as error:
        raise AssertionError(f"{error}; last seen: {seen}") from None
