"""What a store does with turns."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from . import statements
from .base_operations import BaseOperations, Steps
from .rows import Session


class TurnOperations(BaseOperations):
    """See SessionStore.turn."""

    def begin_turn(
        self, session_id: str, holder: str, ttl: float | timedelta, request_id: UUID | str | None
    ) -> Steps[tuple[int, datetime | None, Session]]:
        """Begin a turn, and return its token, when it expires (None: it has ended already), and the session."""
        call = statements.BEGIN_TURN.bind(
            self._codec, session_id=session_id, holder=holder, ttl=ttl, request_id=request_id
        )
        with self._cache.flight(session_id) as flight:  # It leaves the session as it is, and answers with it.
            rows = yield call
            turn, expires_at, stored = statements.BEGIN_TURN.row(rows, self._codec)
            flight.land(stored)
        return turn, expires_at, self._open(stored)

    def extend_turn(self, session_id: str, turn: int | None, ttl: float | timedelta) -> Steps[datetime]:
        """Extend a turn, and return when it expires now."""
        rows = yield statements.EXTEND_TURN.bind(self._codec, session_id=session_id, turn=turn, ttl=ttl)
        return statements.EXTEND_TURN.row(rows, self._codec)

    def end_turn(self, session_id: str, turn: int | None) -> Steps[bool]:
        """End a turn; False: it was stale."""
        rows = yield statements.END_TURN.bind(self._codec, session_id=session_id, turn=turn)
        return statements.END_TURN.row(rows, self._codec)
