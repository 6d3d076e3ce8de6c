"""What a store does with a session's past."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from . import statements
from .base_operations import Steps
from .rows import Difference, HistoryEntry, SaveResult, Session
from .session_operations import SessionOperations


class PastOperations(SessionOperations):
    """See SessionStore."""

    def history(self, session_id: str, limit: int | None, before_version: int | None) -> Steps[list[HistoryEntry]]:
        """See SessionStore.history."""
        rows = yield statements.HISTORY.bind(
            self._codec, session_id=session_id, limit=limit, before_version=before_version
        )
        return statements.HISTORY.rows(rows, self._codec)

    def load_at(self, session_id: str, version: int) -> Steps[Session | None]:
        """See SessionStore.load_at."""
        rows = yield statements.LOAD_AT.bind(self._codec, session_id=session_id, version=version)
        return self._open(statements.LOAD_AT.row(rows, self._codec)) if rows else None

    def as_of(self, session_id: str, at: datetime) -> Steps[Session | None]:
        """See SessionStore.as_of."""
        rows = yield statements.AS_OF.bind(self._codec, session_id=session_id, at=at)
        return self._open(statements.AS_OF.row(rows, self._codec)) if rows else None

    def diff(self, session_id: str, from_version: int, to_version: int) -> Steps[list[Difference]]:
        """See SessionStore.diff."""
        rows = yield statements.DIFF.bind(
            self._codec, session_id=session_id, from_version=from_version, to_version=to_version
        )
        return statements.DIFF.rows(rows, self._codec)

    def rollback(
        self,
        session_id: str,
        to_version: int,
        *,
        expected_version: int | None,
        reason: str | None,
        request_id: UUID | str | None,
        turn: int | None,
        actor: str | None,
    ) -> Steps[Session]:
        """See SessionStore.rollback."""
        call = statements.ROLLBACK.bind(
            self._codec,
            session_id=session_id,
            to_version=to_version,
            expected_version=expected_version,
            reason=reason,
            request_id=self._request(request_id),
            turn=turn,
            actor=actor,
        )
        with self._cache.flight(session_id, writes=True) as flight:
            rows = yield call
            result, context = statements.ROLLBACK.row(rows, self._codec)
            return self._landed(flight, result, context)

    def fork(
        self, session_id: str, version: int, new_session_id: str, *, request_id: UUID | str | None, actor: str | None
    ) -> Steps[SaveResult]:
        """See SessionStore.fork."""
        call = statements.FORK.bind(
            self._codec,
            session_id=session_id,
            version=version,
            new_session_id=new_session_id,
            request_id=self._request(request_id),
            actor=actor,
        )
        with self._cache.flight(new_session_id, writes=True):
            rows = yield call
            return statements.FORK.row(rows, self._codec)
