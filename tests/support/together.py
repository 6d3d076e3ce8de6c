"""Several things at the same time: threads whose results are looked at, locks that are held, backends that wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

import fsmstore
from support.waiting import wait_until

Connection = psycopg.Connection[Any]


@contextmanager
def holding(connection: Connection, session_id: str, update: bool = False) -> Iterator[Callable[[], None]]:
    """Hold a session's lock until the function that this yields is called, or until the end.

    A write takes the lock; it is rolled back unless it is to count as an `update`.
    """
    connection.execute("begin")
    connection.execute("select fsm.update_context(%s)", (session_id,))
    ended = threading.Event()

    def release() -> None:
        if not ended.is_set():
            ended.set()
            connection.execute("commit" if update else "rollback")

    try:
        yield release
    finally:
        release()


class Running:
    """Something that runs in a thread."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)  # a failed test must not wait for it
        self.thread.start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001  # raised again by result()
            self._error = error

    def result(self) -> Any:
        """Return what it returned, or raise what it raised."""
        self.thread.join(120)
        assert not self.thread.is_alive(), "it has not come back within two minutes"
        if self._error is not None:
            raise self._error
        return self._value


@contextmanager
def running(call: Callable[[], Any]) -> Iterator[Running]:
    """Run it beside the block, and wait for its end after that."""
    run = Running(call)
    try:
        yield run
    finally:
        run.thread.join()


def waiting_backends(db: Connection) -> set[int]:
    """Return the pids of the backends of login test_app that wait for a lock in this database."""
    rows = db.execute(
        "select pid from pg_stat_activity"
        " where usename = 'test_app' and wait_event_type = 'Lock' and datname = current_database()"
    )
    return {int(row[0]) for row in rows}


def waiting_backend(db: Connection) -> int | None:
    """Return the pid of one of them, once there is one."""
    return next(iter(waiting_backends(db)), None)


def erase(db: Connection, session_id: str) -> None:
    """Delete a session and its history, as a superuser can."""
    with db.transaction():
        db.execute("delete from fsm_internal.history where session_id = %s", (session_id,))
        db.execute("delete from fsm_internal.sessions where session_id = %s", (session_id,))


def backends(db: Connection) -> set[int]:
    """Return the pids of all backends of login test_app in this database."""
    rows = db.execute("select pid from pg_stat_activity where usename = 'test_app' and datname = current_database()")
    return {int(row[0]) for row in rows}


def fill(store: Any, db: Connection, count: int) -> set[int]:
    """Have a store's pool open `count` connections by as many calls at the same time on session s-1.

    db: a superuser's connection; it holds the lock that they wait for. Returns the pids of the backends.
    """
    with psycopg.connect(db.info.dsn, password=db.info.password, autocommit=True) as holder, holding(holder, "s-1"):
        runs = [Running(lambda: store.update("s-1", expected_version=99)) for _ in range(count)]
        wait_until(lambda: len(backends(db)) == count, f"{count} connections")
    for run in runs:
        with pytest.raises(fsmstore.VersionConflict):
            run.result()
    return backends(db)
