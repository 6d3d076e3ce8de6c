"""What each method of a store does, written once for both clients.

An operation is a generator: it yields the calls that it needs, is sent their rows, and returns the result. Who drives
it does the input and output. It is closed when a call fails, so its `with` blocks end as they would anywhere else.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID, uuid4

from . import statements
from .cache import Cache
from .errors import MIGRATE_HINT, FsmError, Outcome, SchemaMismatch
from .jsonvalues import Codec
from .rows import (
    AllowedEvent,
    ContextFinding,
    DefinedMachine,
    Finding,
    HistoryEntry,
    Loop,
    SaveResult,
    Session,
    StoredSession,
)
from .statements import Call, Row

T = TypeVar("T")
Steps = Generator[Call, "list[Row]", T]

SUPPORTED_RELEASES = ("0.1",)
"""The releases of schema ``fsm`` (major.minor) that this client knows."""
MANY = 1000
"""Sessions that one call of load_sessions takes."""


class Expect(Enum):
    """The default of `expected_version` in save."""

    SESSION_VERSION = "the version of the session that is handed in"


# The database takes these two off a context after it has compared them with the session's own.
_NOT_STORED = frozenset({"current_state", "session_id"})


@contextmanager
def _already_done() -> Iterator[None]:
    """Mark what goes wrong in here as coming after the commit."""
    try:
        yield
    except FsmError as error:
        error.outcome = Outcome.DONE
        raise


def _stored(result: SaveResult, context: str | None) -> StoredSession:
    return StoredSession(
        session_id=result.session_id,
        machine=result.machine,
        machine_version=result.machine_version,
        state=result.state,
        version=result.version,
        context=context,
        context_version=result.context_version,
        is_final=result.is_final,
        entered_at=result.entered_at,
        created_at=result.created_at,
        updated_at=result.saved_at,
    )


class Operations:
    """The operations of one store.

    Args:
        codec: how contexts are written and read.
        cache: what is kept of them; one that holds nothing where results may be rolled back by the caller.
        joined: the calls are part of the caller's transaction and are never repeated, so writes get no request id
            unless the caller gives one.
    """

    def __init__(self, codec: Codec, cache: Cache, *, joined: bool) -> None:
        self._codec = codec
        self._cache = cache
        self._joined = joined
        self.release_known = False

    def check_release(self) -> Steps[None]:
        """Ask once for the schema's release, and refuse to go on with one that this client does not know."""
        release = yield from self.schema_release()
        if ".".join(release.split(".")[:2]) not in SUPPORTED_RELEASES:
            raise SchemaMismatch(
                "the release of schema fsm is not one that this client knows",
                detail={"schema_release": release, "supported_releases": list(SUPPORTED_RELEASES)},
                hint=f"Install the client of that release, or bring the schema to one of these. {MIGRATE_HINT}",
            )
        self.release_known = True

    def schema_release(self) -> Steps[str]:
        """See SessionStore.schema_release."""
        rows = yield statements.SCHEMA_RELEASE.bind(self._codec)
        return statements.SCHEMA_RELEASE.row(rows, self._codec)

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
            with _already_done():
                if result.replayed:
                    # The request id decides, not the arguments: what that first call stored may be another context.
                    context = yield from self._context_at(session_id, result.version)
                    return self._open(_stored(result, context), result)
                session = self._open(_stored(result, context), result)
            if not _NOT_STORED.isdisjoint(session.context):
                session = session.evolve(
                    context={key: value for key, value in session.context.items() if key not in _NOT_STORED},
                    result=result,
                )
                context = self._codec.encode(session.context)
            flight.land(_stored(result, context))
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
            stored = _stored(result, context)
            if not result.replayed:
                flight.land(stored)
            with _already_done():
                return self._open(stored, result)

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
        held = self._cache.fresh(session_id, max_age) if max_age is not None else None
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
        wanted = list(dict.fromkeys(session_ids))
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

    def load_at(self, session_id: str, version: int) -> Steps[Session | None]:
        """See SessionStore.load_at."""
        rows = yield statements.LOAD_AT.bind(self._codec, session_id=session_id, version=version)
        return self._open(statements.LOAD_AT.row(rows, self._codec)) if rows else None

    def _context_at(self, session_id: str, version: int) -> Steps[str | None]:
        rows = yield statements.LOAD_AT.bind(self._codec, session_id=session_id, version=version)
        return statements.LOAD_AT.row(rows, self._codec).context if rows else None

    def history(self, session_id: str, limit: int | None, before_version: int | None) -> Steps[list[HistoryEntry]]:
        """See SessionStore.history."""
        rows = yield statements.HISTORY.bind(
            self._codec, session_id=session_id, limit=limit, before_version=before_version
        )
        return statements.HISTORY.rows(rows, self._codec)

    def allowed_events(self, session_id: str) -> Steps[list[AllowedEvent]]:
        """See SessionStore.allowed_events."""
        rows = yield statements.ALLOWED_EVENTS.bind(self._codec, session_id=session_id)
        return statements.ALLOWED_EVENTS.rows(rows, self._codec)

    def validate(
        self, machine: str, state: str, context: dict[str, Any], machine_version: int | None
    ) -> Steps[list[ContextFinding]]:
        """See SessionStore.validate."""
        rows = yield statements.VALIDATE.bind(
            self._codec, machine=machine, state=state, context=context, machine_version=machine_version
        )
        return statements.VALIDATE.rows(rows, self._codec)

    def detect_loop(self, session_id: str) -> Steps[list[Loop]]:
        """See SessionStore.detect_loop."""
        rows = yield statements.DETECT_LOOP.bind(self._codec, session_id=session_id)
        return statements.DETECT_LOOP.rows(rows, self._codec)

    def define_machine(self, definition: dict[str, Any]) -> Steps[DefinedMachine]:
        """See SessionStore.define_machine."""
        rows = yield statements.DEFINE_MACHINE.bind(self._codec, definition=definition)
        return statements.DEFINE_MACHINE.row(rows, self._codec)

    def check_machine(self, definition: dict[str, Any]) -> Steps[list[Finding]]:
        """See SessionStore.check_machine."""
        rows = yield statements.CHECK_MACHINE.bind(self._codec, definition=definition)
        return statements.CHECK_MACHINE.rows(rows, self._codec)

    def machine_definition(self, machine: str, machine_version: int | None) -> Steps[dict[str, Any]]:
        """See SessionStore.machine_definition."""
        rows = yield statements.MACHINE_DEFINITION.bind(self._codec, machine=machine, machine_version=machine_version)
        definition: dict[str, Any] = statements.MACHINE_DEFINITION.row(rows, self._codec)
        return definition

    def retire_machine(self, machine: str, machine_version: int, retired: bool) -> Steps[bool]:
        """See SessionStore.retire_machine."""
        rows = yield statements.RETIRE_MACHINE.bind(
            self._codec, machine=machine, machine_version=machine_version, retired=retired
        )
        return statements.RETIRE_MACHINE.row(rows, self._codec)

    def _request(self, request_id: UUID | str | None) -> UUID | str | None:
        return uuid4() if request_id is None and not self._joined else request_id

    def _open(self, stored: StoredSession, result: SaveResult | None = None) -> Session:
        # None for a replayed call whose version is not retained any more.
        context: Any = None if stored.context is None else self._codec.decode(stored.context)
        return Session(
            session_id=stored.session_id,
            machine=stored.machine,
            machine_version=stored.machine_version,
            state=stored.state,
            version=stored.version,
            context=context,
            context_version=stored.context_version,
            is_final=stored.is_final,
            entered_at=stored.entered_at,
            created_at=stored.created_at,
            updated_at=stored.updated_at,
            result=result,
        )
