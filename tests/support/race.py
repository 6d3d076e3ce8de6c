"""Races with a start barrier: callers that are seen to wait for one lock, and then are let go together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.together import Running
from support.waiting import wait_until_blocked

Connection = psycopg.Connection[Any]
LOCK = "select pg_advisory_xact_lock(hashtextextended('fsm:session:' || %s, 0))"


class Outcome:
    """What became of one caller: the row it got, or the SQLSTATE it was refused with."""

    def __init__(self, run: Running) -> None:
        self.row: Any = None
        self.sqlstate: str | None = None
        self.error: psycopg.Error | None = None
        try:
            self.row = run.result()
        except psycopg.Error as error:
            self.sqlstate, self.error = error.sqlstate, error


class Race:
    """``race.start("s-1", calls)`` returns when all of them wait; ``race.finish()`` lets them go and collects."""

    def __init__(self, holder: Connection, watcher: Connection, connect: Callable[..., Connection]) -> None:
        self.holder, self.watcher, self._connect = holder, watcher, connect
        self.login = "test_app"
        self.callers: list[Api] = []
        self._runs: list[Running] = []

    def start(self, session_id: str, calls: Sequence[Callable[[Api], Any]]) -> None:
        """Take the session's lock and start each call on a connection of its own; each is seen to wait."""
        self.hold(session_id)
        self.queue(calls)

    def hold(self, session_id: str) -> None:
        """Take the session's lock."""
        self.holder.execute("begin")
        self.holder.execute(LOCK, (session_id,))

    def queue(self, calls: Sequence[Callable[[Api], Any]], prepare: Callable[[Api], Any] = lambda _: None) -> None:
        """Start calls that have to wait for whatever is held already; in this order they queue."""
        for call in calls:
            api = Api(self._connect(self.login))
            prepare(api)
            self.callers.append(api)
            self._runs.append(Running(lambda call=call, api=api: call(api)))  # type: ignore[misc]
            wait_until_blocked(self.watcher, api.conn.info.backend_pid)

    def finish(self, how: str = "commit") -> list[Outcome]:
        """End the holder's transaction, and return what became of the calls, in the order in which they were given."""
        if self.holder.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self.holder.execute(how)
        runs, self._runs = self._runs, []
        return [Outcome(run) for run in runs]

    def finish_when_refused(self) -> list[Outcome]:
        """Wait for the end of the calls while the barrier is still held: they must have given up by themselves."""
        outcomes = [Outcome(run) for run in self._runs]
        self._runs = []
        self.finish("rollback")
        return outcomes


@contextmanager
def ended(race: Race) -> Iterator[Race]:
    """Let go of everything in the end, also after a failure, so that no thread is left."""
    try:
        yield race
    finally:
        race.finish("rollback")


@pytest.fixture
def race(connect_as: Callable[..., Connection], db: Connection) -> Iterator[Race]:
    """A race whose barrier is held by a superuser and watched through another connection."""
    with ended(Race(connect_as(None), db, connect_as)) as one:
        yield one
