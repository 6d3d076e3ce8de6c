"""What a turn is, for both clients: what it knows, and what each of its methods asks for."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import psycopg_pool

from .base_operations import Steps
from .errors import FsmError, SessionNotFound, TurnExpired
from .operations import Operations
from .rows import SaveResult, Session
from .session_operations import Expect

logger = logging.getLogger("fsmstore")

_SHORTEST_PERIOD, _LONGEST_ATTEMPT, _LONGEST_PAUSE = 0.05, 5.0, 1.0


class HeldTurn:
    """What a turn knows, and the operations behind its methods. Not part of the interface."""

    def __init__(
        self,
        operations: Operations,
        joined: bool,
        timeout: float,
        session_id: str,
        holder: str,
        ttl: float | timedelta,
        request_id: UUID | str | None,
    ) -> None:
        self._operations = operations
        self._joined = joined
        self._timeout = timeout
        self._ttl = ttl
        # Not left to the operation: a turn whose beginning was cancelled is looked for by it.
        self._request_id = uuid4() if request_id is None and not joined else request_id
        self._begun = False
        self.session_id = session_id
        self.holder = holder
        self.turn: int | None = None
        self.expires_at: datetime | None = None
        self.lost = False
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session as this turn last had it from the database.

        Raises:
            RuntimeError: the turn has not begun.
        """
        if self._session is None:
            raise RuntimeError("the turn has not begun: use it in a with block")
        return self._session

    # What the extension in the background needs to know.

    @property
    def _period(self) -> float:
        """Seconds from one extension to the next."""
        ttl = self._ttl.total_seconds() if isinstance(self._ttl, timedelta) else self._ttl
        return max(ttl / 3, _SHORTEST_PERIOD)

    @property
    def _attempt(self) -> float:
        """Seconds for which one extension, or the end of a cancelled body, tries to get through to the database."""
        return min(self._timeout, self._period, _LONGEST_ATTEMPT)

    def _after_failure(self, error: FsmError | psycopg.Error) -> float | None:
        """Return how many seconds to wait before the next extension; None: there is nothing to extend any more."""
        if isinstance(error, SessionNotFound):
            self.lost = True
        if self.lost or isinstance(error, psycopg_pool.PoolClosed):
            return None
        logger.warning("the turn of session %r is not extended: %s", self.session_id, _in_short(error))
        return min(self._period, _LONGEST_PAUSE)

    def _not_ended(self, error: BaseException, raised: bool) -> None:
        """Judge an error in ending the turn; `raised`: the body raised something, which must not be hidden."""
        if isinstance(error, SessionNotFound):
            return
        if not raised or not isinstance(error, (FsmError, psycopg.Error)):
            raise error
        logger.warning("the turn of session %r is not ended, and expires: %s", self.session_id, _in_short(error))

    # The operations.

    def _begin(self) -> Steps[None]:
        if self._begun:
            raise RuntimeError("a turn is begun once: ask the store for another")
        self._begun = True
        self.turn, self.expires_at, self._session = yield from self._operations.begin_turn(
            self.session_id, self.holder, self._ttl, self._request_id
        )

    def _begin_and_end(self) -> Steps[None]:
        """Undo a beginning of which nobody knows whether it came through: it is the same turn, or one that ends now."""
        ttl = min(self._period, 1.0)
        turn, _, _ = yield from self._operations.begin_turn(self.session_id, self.holder, ttl, self._request_id)
        yield from self._operations.end_turn(self.session_id, turn)

    def _end(self) -> Steps[bool]:
        return (yield from self._operations.end_turn(self.session_id, self.turn))

    def _extend(self, ttl: float | timedelta | None) -> Steps[datetime]:
        try:
            expires_at = yield from self._operations.extend_turn(
                self.session_id, self.turn, self._ttl if ttl is None else ttl
            )
        except TurnExpired:
            self.lost = True
            raise
        self.expires_at = expires_at
        if ttl is not None:
            self._ttl = ttl
        return expires_at

    def _load(self) -> Steps[Session | None]:
        session = yield from self._operations.load(self.session_id, max_age=None)
        if session is not None:
            self._session = session
        return session

    def _save(self, session: Session, **arguments: Any) -> Steps[Session]:
        return (yield from self._written(self._operations.save(session, turn=self.turn, **arguments)))

    def _send(self, event: str, patch: dict[str, Any] | None, **arguments: Any) -> Steps[Session]:
        steps = self._operations.send(self.session_id, event, patch, turn=self.turn, **arguments)
        return (yield from self._written(steps))

    def _rollback(self, to_version: int, expected_version: int | Expect | None, **arguments: Any) -> Steps[Session]:
        if isinstance(expected_version, Expect):
            expected_version = self.session.version
        steps = self._operations.rollback(
            self.session_id, to_version, expected_version=expected_version, turn=self.turn, **arguments
        )
        return (yield from self._written(steps))

    def _written(self, steps: Steps[Session]) -> Steps[Session]:
        try:
            session = yield from steps
        except TurnExpired:
            self.lost = True
            raise
        # A replayed call tells of the version that it made, which may be an old one, and not retained.
        if session.version >= self.session.version and isinstance(session.context, dict):
            self._session = session
        return session

    def _update(self, patch: dict[str, Any] | None, **arguments: Any) -> Steps[SaveResult]:
        try:
            result = yield from self._operations.update(self.session_id, patch, turn=self.turn, **arguments)
        except TurnExpired:
            self.lost = True
            raise
        try:
            yield from self._load()
        except (FsmError, psycopg.Error) as error:
            # The update is done, so it must not look as if it were not.
            logger.warning("session %r is not loaded after its update: %s", self.session_id, _in_short(error))
        return result


def _in_short(error: FsmError | psycopg.Error) -> str:
    return f"{error.sqlstate or type(error).__name__} {getattr(error, 'message', '')}".strip()
