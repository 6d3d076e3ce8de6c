"""Turns of the asynchronous client."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any
from uuid import UUID

import psycopg

from .docs import documented_like
from .driver import AsyncDriver
from .errors import FsmError
from .held_turn import HeldTurn
from .rows import SaveResult, Session
from .session_operations import Expect
from .turns import Turn

GRACE = 1.0
"""Seconds that a cancelled block spends at most on ending its turn; a second cancellation takes them away."""


@documented_like(Turn)
class AsyncTurn(HeldTurn):
    """See Turn; of asyncio."""

    def __init__(self, store: AsyncDriver, *arguments: Any) -> None:
        super().__init__(store._operations, store._connections.joined, store._timeout, *arguments)
        self._run = store._run
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncTurn:
        try:
            await self._run(self._begin())
        except asyncio.CancelledError:
            if not self._joined:  # Else it is over with the caller's transaction.
                await self._withdraw()
            raise
        if not self._joined:
            self._task = asyncio.create_task(self._keep_extending(), name=f"fsmstore turn of {self.session_id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        ending = asyncio.create_task(self._stop_and_end())
        cancelled = error if isinstance(error, asyncio.CancelledError) else None
        cancelled = await _outlast(ending, cancelled)
        if self._task is not None:
            cancelled = await _outlast(self._task, cancelled)
        failure = None if ending.cancelled() else ending.exception()
        if cancelled is not None and cancelled is not error:
            raise cancelled
        if failure is not None:
            self._not_ended(failure, raised=kind is not None)

    async def _withdraw(self) -> None:
        """End a turn whose beginning was cancelled, if it came through; in a moment, or not at all."""
        with suppress(asyncio.TimeoutError, FsmError, psycopg.Error):
            await asyncio.wait_for(self._run(self._begin_and_end(), timeout=GRACE), GRACE)

    async def _stop_and_end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._run(self._end())

    async def _keep_extending(self) -> None:
        pause: float | None = self._period
        while pause is not None:
            await asyncio.sleep(pause)
            try:
                await self._run(self._extend(None), timeout=self._attempt)
            except (FsmError, psycopg.Error) as error:
                pause = self._after_failure(error)
            else:
                pause = self._period

    async def extend(self, ttl: float | timedelta | None = None) -> datetime:
        """See Turn.extend."""
        return await self._run(self._extend(ttl))

    async def load(self) -> Session | None:
        """See Turn.load."""
        return await self._run(self._load())

    async def save(
        self,
        session: Session,
        *,
        event: str | None = None,
        expected_version: int | Expect | None = Expect.SESSION_VERSION,
        request_id: UUID | str | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """See Turn.save."""
        return await self._run(
            self._save(
                session,
                event=event,
                expected_version=expected_version,
                request_id=request_id,
                actor=actor,
                note=note,
            )
        )

    async def send(
        self,
        event: str,
        patch: dict[str, Any] | None = None,
        *,
        append: dict[str, Any] | None = None,
        expected_version: int | None = None,
        request_id: UUID | str | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """See Turn.send."""
        return await self._run(
            self._send(
                event,
                patch,
                append=append,
                expected_version=expected_version,
                request_id=request_id,
                actor=actor,
                note=note,
            )
        )

    async def update(
        self,
        patch: dict[str, Any] | None = None,
        *,
        append: dict[str, Any] | None = None,
        expected_version: int | None = None,
        request_id: UUID | str | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> SaveResult:
        """See Turn.update."""
        return await self._run(
            self._update(
                patch,
                append=append,
                expected_version=expected_version,
                request_id=request_id,
                actor=actor,
                note=note,
            )
        )

    async def rollback(
        self,
        to_version: int,
        *,
        expected_version: int | Expect | None = Expect.SESSION_VERSION,
        reason: str | None = None,
        request_id: UUID | str | None = None,
        actor: str | None = None,
    ) -> Session:
        """See Turn.rollback."""
        return await self._run(
            self._rollback(to_version, expected_version, reason=reason, request_id=request_id, actor=actor)
        )


async def _outlast(task: asyncio.Task[None], cancelled: asyncio.CancelledError | None) -> asyncio.CancelledError | None:
    """Wait for the end of a task that must not be left behind; when we are cancelled, for GRACE seconds and no more.

    Returns the cancellation, which the caller is to raise.
    """
    while not task.done():
        try:
            ended, _ = await asyncio.wait([task], timeout=None if cancelled is None else GRACE)
            if not ended:
                task.cancel()
        except asyncio.CancelledError as error:
            if cancelled is not None:
                task.cancel()
            cancelled = error
    return cancelled


class AsyncTurnMethods(AsyncDriver):
    """What an asynchronous store can do with turns."""

    def turn(
        self, session_id: str, holder: str, ttl: float | timedelta = 60.0, *, request_id: UUID | str | None = None
    ) -> AsyncTurn:
        """See SessionStore.turn."""
        return AsyncTurn(self, session_id, holder, ttl, request_id)
