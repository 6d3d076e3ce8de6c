"""What a store does with one session, and with several that it loads."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from enum import Enum
from typing import Any
from uuid import UUID

from . import statements
from .base_operations import BaseOperations, Steps, already_done, stored
from .cache import Flight
from .parameters import seconds, several
from .rows import AllowedEvent, ContextPart, Loop, SaveResult, Session, SessionInfo
from .statements import Call

MANY = 1000
"""Sessions that one call of load_sessions takes."""


class Expect(Enum):
    """The default of `expected_version` in save."""

    SESSION_VERSION = "the version of the session that is handed in"


# The database takes these two off a context after it has compared them with the session's own.
_NOT_STORED = frozenset({"current_state", "session_id"})


class SessionOperations(BaseOperations):
    """See SessionStore."""

    def create(
        self,
        session_id: str,
        machine: str,
        context: dict[str, Any] | None,
        *,
        machine_version: int | None,
        request_id: UUID | str | None,
        actor: str | None,
        note: Any,
    ) -> Steps[Session]:
        """See SessionStore.create."""
        call = statements.CREATE.bind(
            self._codec,
            session_id=session_id,
            machine=machine,
            context={} if context is None else context,
            machine_version=machine_version,
            request_id=self._request(request_id),
            actor=actor,
            note=note,
        )
        return (yield from self._write(session_id, call))

    def save(
        self,
        session: Session,
        *,
        event: str | None,
        expected_version: int | Expect | None,
        request_id: UUID | str | None,
        turn: int | None,
        actor: str | None,
        note: Any,
    ) -> Steps[Session]:
        """See SessionStore.save."""
        if not isinstance(session, Session):
            raise TypeError(f"argument session must be a Session, not {type(session).__name__}")
        call = statements.SAVE.bind(
            self._codec,
            session_id=session.session_id,
            state=session.state,
            context=session.context,
            expected_version=session.version if isinstance(expected_version, Expect) else expected_version,
            event=event,
            request_id=self._request(request_id),
            turn=turn,
            actor=actor,
            note=note,
        )
        return (yield from self._write(session.session_id, call))

    def _write(self, session_id: str, call: Call) -> Steps[Session]:
        """Send a call that stores the whole context it carries (create, save)."""
        with self._cache.flight(session_id, writes=True) as flight:
            rows = yield call
            result = statements.SAVE.row(rows, self._codec)
            context: str | None = call.parameters["context"]
            with already_done():
                if result.replayed:
                    # The request id decides, not the arguments: what that first call stored may be another context.
                    context = yield from self._context_at(session_id, result.version)
                    return self._open(stored(result, context), result)
                session = self._open(stored(result, context), result)
            if not _NOT_STORED.isdisjoint(session.context):
                session = session.evolve(
                    context={key: value for key, value in session.context.items() if key not in _NOT_STORED},
                    result=result,
                )
                context = self._codec.encode(session.context)
            flight.land(stored(result, context))
            return session

    def send(
        self,
        session_id: str,
        event: str,
        patch: dict[str, Any] | None,
        *,
        append: dict[str, Any] | None,
        expected_version: int | None,
        request_id: UUID | str | None,
        turn: int | None,
        actor: str | None,
        note: Any,
    ) -> Steps[Session]:
        """See SessionStore.send."""
        call = statements.SEND.bind(
            self._codec,
            session_id=session_id,
            event=event,
            patch=patch,
            append=append,
            expected_version=expected_version,
            request_id=self._request(request_id),
            turn=turn,
            actor=actor,
            note=note,
        )
        with self._cache.flight(session_id, writes=True) as flight:
            rows = yield call
            result, context = statements.SEND.row(rows, self._codec)
            return self._landed(flight, result, context)

    def update(
        self,
        session_id: str,
        patch: dict[str, Any] | None,
        *,
        append: dict[str, Any] | None,
        expected_version: int | None,
        request_id: UUID | str | None,
        turn: int | None,
        actor: str | None,
        note: Any,
    ) -> Steps[SaveResult]:
        """See SessionStore.update."""
        call = statements.UPDATE.bind(
            self._codec,
            session_id=session_id,
            patch=patch,
            append=append,
            expected_version=expected_version,
            request_id=self._request(request_id),
            turn=turn,
            actor=actor,
            note=note,
        )
        with self._cache.flight(session_id, writes=True):
            rows = yield call
            return statements.UPDATE.row(rows, self._codec)

    def load(self, session_id: str, *, max_age: float | None) -> Steps[Session | None]:
        """See SessionStore.load."""
        held = self._cache.fresh(session_id, seconds("max_age", max_age)) if max_age is not None else None
        if held is not None:
            return self._open(held)
        with self._cache.flight(session_id) as flight:
            held = flight.held
            rows = yield statements.LOAD.bind(
                self._codec,
                session_id=session_id,
                known_version=held.version if held else None,
                known_updated_at=held.updated_at if held else None,
            )
            if not rows:
                flight.land(None)
                return None
            stored, unchanged = statements.LOAD.row(rows, self._codec)
            if unchanged and held is not None:
                stored = held
            flight.land(stored)
            return self._open(stored)

    def load_many(self, session_ids: Iterable[str]) -> Steps[dict[str, Session]]:
        """See SessionStore.load_many."""
        wanted = list(dict.fromkeys(several("session_ids", session_ids)))
        found: dict[str, Session] = {}
        for first in range(0, len(wanted), MANY):
            found.update((yield from self._load_chunk(wanted[first : first + MANY])))
        return found

    def _load_chunk(self, session_ids: list[str]) -> Steps[dict[str, Session]]:
        with ExitStack() as stack:
            flights = {name: stack.enter_context(self._cache.flight(name)) for name in session_ids}
            rows = yield statements.LOAD_MANY.bind(self._codec, session_ids=session_ids)
            loaded = {stored.session_id: stored for stored in statements.LOAD_MANY.rows(rows, self._codec)}
            for name, flight in flights.items():
                flight.land(loaded.get(name))
        return {name: self._open(stored) for name, stored in loaded.items()}

    def _context_at(self, session_id: str, version: int) -> Steps[str | None]:
        rows = yield statements.LOAD_AT.bind(self._codec, session_id=session_id, version=version)
        return statements.LOAD_AT.row(rows, self._codec).context if rows else None

    def _landed(self, flight: Flight, result: SaveResult, context: str | None) -> Session:
        """Return the session of a call that answered with the whole of it."""
        session = stored(result, context)
        if not result.replayed:
            flight.land(session)
        with already_done():
            return self._open(session, result)

    def allowed_events(self, session_id: str) -> Steps[list[AllowedEvent]]:
        """See SessionStore.allowed_events."""
        rows = yield statements.ALLOWED_EVENTS.bind(self._codec, session_id=session_id)
        return statements.ALLOWED_EVENTS.rows(rows, self._codec)

    def detect_loop(self, session_id: str) -> Steps[list[Loop]]:
        """See SessionStore.detect_loop."""
        rows = yield statements.DETECT_LOOP.bind(self._codec, session_id=session_id)
        return statements.DETECT_LOOP.rows(rows, self._codec)

    def load_context(self, session_id: str, paths: Iterable[str]) -> Steps[list[ContextPart]]:
        """See SessionStore.load_context."""
        rows = yield statements.LOAD_CONTEXT.bind(self._codec, session_id=session_id, paths=paths)
        return statements.LOAD_CONTEXT.rows(rows, self._codec)

    def list_sessions(
        self, machine: str | None, state: str | None, after: str | None, limit: int | None
    ) -> Steps[list[SessionInfo]]:
        """See SessionStore.list_sessions."""
        rows = yield statements.LIST.bind(
            self._codec, machine=machine, state=state, after_session_id=after, limit=limit
        )
        return statements.LIST.rows(rows, self._codec)

    def delete(self, session_id: str) -> Steps[bool]:
        """See SessionStore.delete."""
        with self._cache.flight(session_id, writes=True):
            rows = yield statements.DELETE.bind(self._codec, session_id=session_id)
            return statements.DELETE.row(rows, self._codec)
