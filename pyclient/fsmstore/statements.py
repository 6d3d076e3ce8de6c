"""Every statement that the client sends: one frozen object each, without I/O.

Functions are called by argument name, so that the database may append arguments, and columns are selected by name, so
that it may append columns. A context leaves the database as text: the codec reads it, not the connection's adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from .jsonvalues import Codec
from .parameters import (
    BIGINT,
    BOOLEAN,
    INTEGER,
    INTERVAL,
    JSONB,
    MOMENT,
    TEXT,
    TEXTS,
    TIMESTAMP,
    UUID_,
    WRITTEN_JSON,
    Kind,
)
from .retry import Repeat
from .rows import (
    AllowedEvent,
    ContextPart,
    Difference,
    HistoryEntry,
    Loop,
    SaveResult,
    SessionInfo,
    StoredSession,
)

R = TypeVar("R")
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A statement with its parameters, ready to be sent."""

    name: str
    sql: str
    parameters: Mapping[str, Any]
    repeat: Repeat


@dataclass(frozen=True, slots=True)
class Together:
    """Calls that are one transaction; the answer is that of each of them, one list of rows after the other.

    `calls` is asked anew for every attempt, and goes on only when the call before is through: so it can tell which
    of them was refused.
    """

    name: str
    calls: Callable[[], Iterator[Call]]
    repeat: Repeat


@dataclass(frozen=True, slots=True)
class Statement(Generic[R]):
    """One operation: its SQL, how its parameters are built, how a row of its answer is read."""

    name: str
    sql: str
    parameters: Mapping[str, Kind]
    parse: Callable[[Row, Codec], R]
    repeat: Repeat

    def bind(self, codec: Codec, /, **values: Any) -> Call:
        """Return the call with these values, one for each parameter.

        Raises:
            InvalidContext: a value that JSON or jsonb cannot hold (InvalidMachine in a definition).
            TypeError: an argument of another type than its parameter's.
            psycopg.errors.InvalidParameterValue: 22023, a text or number that PostgreSQL's type cannot hold.
        """
        bound = {name: kind.convert(name, values.pop(name), codec) for name, kind in self.parameters.items()}
        if values:
            raise TypeError(f"{self.name} has no parameter {', '.join(values)}")
        return Call(self.name, self.sql, bound, self.repeat)

    def rows(self, rows: Sequence[Row], codec: Codec) -> list[R]:
        """Read all rows of an answer."""
        return [self.parse(row, codec) for row in rows]

    def row(self, rows: Sequence[Row], codec: Codec) -> R:
        """Read the answer of a function that always gives one row."""
        (row,) = rows
        return self.parse(row, codec)


def function(
    name: str, columns: str, parse: Callable[[Row, Codec], R], repeat: Repeat, **parameters: Kind
) -> Statement[R]:
    """Return the statement that calls a function of schema fsm with these parameters, all by name."""
    arguments = ", ".join(f"p_{argument} => %({argument})s::{kind.sql}" for argument, kind in parameters.items())
    return Statement(name, f"select {columns} from fsm.{name}({arguments})", parameters, parse, repeat)


_SESSION = (
    "session_id, machine, machine_version, state, version, context::text, context_version, is_final, "
    "entered_at, created_at, updated_at"
)
_SAVE_RESULT = (
    "session_id, machine, machine_version, version, state, previous_state, changed_state, loop_detected, replayed, "
    "is_final, context_version, entered_at, created_at, saved_at"
)


def _stored(row: Row, codec: Codec) -> StoredSession:
    return StoredSession(*row)


def _stored_or_unchanged(row: Row, codec: Codec) -> tuple[StoredSession, bool]:
    return StoredSession(*row[:-1]), row[-1]


def _save_result(row: Row, codec: Codec) -> SaveResult:
    return SaveResult(*row)


def _save_result_and_context(row: Row, codec: Codec) -> tuple[SaveResult, str | None]:
    return SaveResult(*row[:-1]), row[-1]


def _turn_and_session(row: Row, codec: Codec) -> tuple[int, datetime | None, StoredSession]:
    return row[0], row[1], StoredSession(*row[2:])


def _context_part(row: Row, codec: Codec) -> ContextPart:
    path, value, version = row
    return ContextPart(path, codec.decode(value), version)


def _difference(row: Row, codec: Codec) -> Difference:
    path, old, new = row
    return Difference(
        path,
        None if old is None else codec.decode(old),
        None if new is None else codec.decode(new),
        was_there=old is not None,
        is_there=new is not None,
    )


def _history_entry(row: Row, codec: Codec) -> HistoryEntry:
    note = row[7]
    row = (*row[:7], None if note is None else codec.decode(note), *row[8:])
    return HistoryEntry(*row)


def decoded(row: Row, codec: Codec) -> Any:
    """Read a function's JSON document, given as text."""
    return None if row[0] is None else codec.decode(row[0])


def scalar(row: Row, codec: Codec) -> Any:
    """Read a function's one value."""
    return row[0]


SCHEMA_RELEASE: Statement[str] = function("schema_release", "schema_release", scalar, Repeat.READ)

CREATE = function(
    "create_session",
    _SAVE_RESULT,
    _save_result,
    Repeat.SAME_REQUEST,
    session_id=TEXT,
    machine=TEXT,
    context=JSONB,
    machine_version=INTEGER,
    request_id=UUID_,
    actor=TEXT,
    note=JSONB,
)
LOAD = function(
    "load_session",
    f"{_SESSION}, unchanged",
    _stored_or_unchanged,
    Repeat.READ,
    session_id=TEXT,
    known_version=BIGINT,
    known_updated_at=TIMESTAMP,
)
LOAD_MANY = function("load_sessions", _SESSION, _stored, Repeat.READ, session_ids=TEXTS)
SAVE = function(
    "save_session",
    _SAVE_RESULT,
    _save_result,
    Repeat.SAME_REQUEST,
    session_id=TEXT,
    state=TEXT,
    context=JSONB,
    expected_version=BIGINT,
    event=TEXT,
    request_id=UUID_,
    turn=BIGINT,
    actor=TEXT,
    note=JSONB,
)
SEND = function(
    "send_event",
    f"{_SAVE_RESULT}, context::text",
    _save_result_and_context,
    Repeat.SAME_REQUEST,
    session_id=TEXT,
    event=TEXT,
    patch=JSONB,
    append=JSONB,
    expected_version=BIGINT,
    request_id=UUID_,
    turn=BIGINT,
    actor=TEXT,
    note=JSONB,
)
UPDATE = function(
    "update_context",
    _SAVE_RESULT,
    _save_result,
    Repeat.SAME_REQUEST,
    session_id=TEXT,
    patch=JSONB,
    append=JSONB,
    expected_version=BIGINT,
    request_id=UUID_,
    turn=BIGINT,
    actor=TEXT,
    note=JSONB,
)
HISTORY = function(
    "history",
    "version, kind, from_state, to_state, event, actor, db_user, note::text, loop_detected, at",
    _history_entry,
    Repeat.READ,
    session_id=TEXT,
    limit=INTEGER,
    before_version=BIGINT,
)
LOAD_AT = function("load_session_at", _SESSION, _stored, Repeat.READ, session_id=TEXT, version=BIGINT)
ALLOWED_EVENTS = function(
    "allowed_events",
    "event, to_state, guard, allowed, reason",
    lambda row, codec: AllowedEvent(*row),
    Repeat.READ,
    session_id=TEXT,
)
DETECT_LOOP = function(
    "detect_loop",
    "from_state, to_state, occurrences, loop_limit, loop_window, first_at, last_at",
    lambda row, codec: Loop(*row),
    Repeat.READ,
    session_id=TEXT,
)
FORK = function(
    "fork_session",
    _SAVE_RESULT,
    _save_result,
    Repeat.SAME_REQUEST,
    session_id=TEXT,
    version=BIGINT,
    new_session_id=TEXT,
    request_id=UUID_,
    actor=TEXT,
)
ROLLBACK = function(
    "rollback_session",
    f"{_SAVE_RESULT}, context::text",
    _save_result_and_context,
    Repeat.SAME_REQUEST,
    session_id=TEXT,
    to_version=BIGINT,
    expected_version=BIGINT,
    reason=TEXT,
    request_id=UUID_,
    turn=BIGINT,
    actor=TEXT,
)
# Sent twice, it could erase a session that somebody else made in between.
DELETE: Statement[bool] = function("delete_session", "delete_session", scalar, Repeat.NEVER, session_id=TEXT)
AS_OF = function("session_as_of", _SESSION, _stored, Repeat.READ, session_id=TEXT, at=MOMENT)
DIFF = function(
    "diff_session",
    "path, old::text, new::text",
    _difference,
    Repeat.READ,
    session_id=TEXT,
    from_version=BIGINT,
    to_version=BIGINT,
)
LOAD_CONTEXT = function(
    "load_context", "path, value::text, version", _context_part, Repeat.READ, session_id=TEXT, paths=TEXTS
)
LIST = function(
    "list_sessions",
    "session_id, machine, machine_version, state, version, context_version, is_final, "
    "entered_at, created_at, updated_at",
    lambda row, codec: SessionInfo(*row),
    Repeat.READ,
    machine=TEXT,
    state=TEXT,
    after_session_id=TEXT,
    limit=INTEGER,
)
SAVE_MANY: Statement[Row] = function(
    "save_sessions",
    "ordinal, session_id, ok, sqlstate, message, detail::text, version, state",
    lambda row, codec: row,
    Repeat.SAME_REQUEST,
    items=WRITTEN_JSON,
    atomic=BOOLEAN,
)
BEGIN_TURN = function(
    "begin_turn",
    # A repeated call may find its turn ended, which is written as a time that Python has no word for.
    f"turn, expires_at, {_SESSION}",
    _turn_and_session,
    Repeat.SAME_REQUEST,
    session_id=TEXT,
    holder=TEXT,
    ttl=INTERVAL,
    request_id=UUID_,
)
EXTEND_TURN: Statement[datetime] = function(
    "extend_turn", "extend_turn", scalar, Repeat.HARMLESS, session_id=TEXT, turn=BIGINT, ttl=INTERVAL
)
END_TURN: Statement[bool] = function("end_turn", "end_turn", scalar, Repeat.HARMLESS, session_id=TEXT, turn=BIGINT)
