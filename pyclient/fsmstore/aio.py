"""The asynchronous client: the same names, arguments, results and errors as `store`, with ``await``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from .aio_turns import AsyncTurnMethods
from .batches import AsyncBatchMethods
from .docs import documented_like
from .imports import AsyncImportMethods
from .machines import AsyncMachineMethods
from .past import AsyncPastMethods
from .reports import AsyncReportMethods
from .rows import AllowedEvent, ContextPart, Loop, SaveResult, Session, SessionInfo
from .session_operations import Expect
from .store import SessionStore


@documented_like(SessionStore)
class AsyncSessionStore(
    AsyncPastMethods, AsyncBatchMethods, AsyncTurnMethods, AsyncMachineMethods, AsyncReportMethods, AsyncImportMethods
):
    """See SessionStore; of asyncio."""

    async def create(
        self,
        session_id: str,
        machine: str,
        context: dict[str, Any] | None = None,
        *,
        machine_version: int | None = None,
        request_id: UUID | str | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """See SessionStore.create."""
        return await self._run(
            self._operations.create(
                session_id,
                machine,
                context,
                machine_version=machine_version,
                request_id=request_id,
                actor=actor,
                note=note,
            )
        )

    async def load(self, session_id: str, *, max_age: float | None = None) -> Session | None:
        """See SessionStore.load."""
        return await self._run(self._operations.load(session_id, max_age=max_age))

    async def load_many(self, session_ids: Iterable[str]) -> dict[str, Session]:
        """See SessionStore.load_many."""
        return await self._run(self._operations.load_many(session_ids))

    async def save(
        self,
        session: Session,
        *,
        event: str | None = None,
        expected_version: int | Expect | None = Expect.SESSION_VERSION,
        request_id: UUID | str | None = None,
        turn: int | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """See SessionStore.save."""
        return await self._run(
            self._operations.save(
                session,
                event=event,
                expected_version=expected_version,
                request_id=request_id,
                turn=turn,
                actor=actor,
                note=note,
            )
        )

    async def send(
        self,
        session_id: str,
        event: str,
        patch: dict[str, Any] | None = None,
        *,
        append: dict[str, Any] | None = None,
        expected_version: int | None = None,
        request_id: UUID | str | None = None,
        turn: int | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """See SessionStore.send."""
        return await self._run(
            self._operations.send(
                session_id,
                event,
                patch,
                append=append,
                expected_version=expected_version,
                request_id=request_id,
                turn=turn,
                actor=actor,
                note=note,
            )
        )

    async def update(
        self,
        session_id: str,
        patch: dict[str, Any] | None = None,
        *,
        append: dict[str, Any] | None = None,
        expected_version: int | None = None,
        request_id: UUID | str | None = None,
        turn: int | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> SaveResult:
        """See SessionStore.update."""
        return await self._run(
            self._operations.update(
                session_id,
                patch,
                append=append,
                expected_version=expected_version,
                request_id=request_id,
                turn=turn,
                actor=actor,
                note=note,
            )
        )

    async def allowed_events(self, session_id: str) -> list[AllowedEvent]:
        """See SessionStore.allowed_events."""
        return await self._run(self._operations.allowed_events(session_id))

    async def detect_loop(self, session_id: str) -> list[Loop]:
        """See SessionStore.detect_loop."""
        return await self._run(self._operations.detect_loop(session_id))

    async def load_context(self, session_id: str, paths: Iterable[str]) -> list[ContextPart]:
        """See SessionStore.load_context."""
        return await self._run(self._operations.load_context(session_id, paths))

    async def list_sessions(
        self,
        machine: str | None = None,
        state: str | None = None,
        after: str | None = None,
        limit: int | None = 100,
    ) -> list[SessionInfo]:
        """See SessionStore.list_sessions."""
        return await self._run(self._operations.list_sessions(machine, state, after, limit))

    async def delete(self, session_id: str) -> bool:
        """See SessionStore.delete."""
        return await self._run(self._operations.delete(session_id))
