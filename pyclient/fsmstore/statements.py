"""Every statement that the client sends: one frozen object each, without I/O.

Functions are called by argument name, so that the database may append arguments, and columns are selected by name, so
that it may append columns. A context leaves the database as text: the codec reads it, not the connection's adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

import psycopg

from .errors import InvalidMachine
from .jsonvalues import Codec
from .retry import Repeat
from .rows import (
    AllowedEvent,
    ContextFinding,
    DefinedMachine,
    Finding,
    HistoryEntry,
    Loop,
    SaveResult,
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


@dataclass(frozen=True, slots=True)
class Kind:
    """How one type of parameter is written and checked; only what the wire cannot carry is refused here."""

    sql: str
    convert: Callable[[str, Any, Codec], Any]


def _misused(name: str, problem: str) -> psycopg.Error:
    return psycopg.errors.InvalidParameterValue(f"argument {name} {problem}")


def _text(name: str, value: Any, codec: Codec) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"argument {name} must be str, not {type(value).__name__}")
    if "\0" in value:
        raise _misused(name, "contains the character \\u0000")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _misused(name, "contains a lone surrogate") from None
    return value


def _texts(name: str, value: Any, codec: Codec) -> list[str | None]:
    return [_text(name, element, codec) for element in value]


def _integer(bits: int) -> Callable[[str, Any, Codec], int | None]:
    limit = 1 << (bits - 1)

    def convert(name: str, value: Any, codec: Codec) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"argument {name} must be int, not {type(value).__name__}")
        if not -limit <= value < limit:
            raise _misused(name, f"needs more than {bits} bits")
        return value

    return convert


def _uuid(name: str, value: Any, codec: Codec) -> UUID | None:
    if value is None or isinstance(value, UUID):
        return value
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            raise _misused(name, "is not a UUID") from None
    raise TypeError(f"argument {name} must be a UUID, not {type(value).__name__}")


def _json(name: str, value: Any, codec: Codec) -> str | None:
    return None if value is None else codec.encode(value)


def _definition(name: str, value: Any, codec: Codec) -> str | None:
    return None if value is None else codec.encode(value, InvalidMachine)


def _as_it_is(name: str, value: Any, codec: Codec) -> Any:
    return value


TEXT = Kind("text", _text)
TEXTS = Kind("text[]", _texts)
INTEGER = Kind("integer", _integer(32))
BIGINT = Kind("bigint", _integer(64))
UUID_ = Kind("uuid", _uuid)
JSONB = Kind("jsonb", _json)
DEFINITION = Kind("jsonb", _definition)
TIMESTAMP = Kind("timestamptz", _as_it_is)
BOOLEAN = Kind("boolean", _as_it_is)


def _function(
    name: str, columns: str, parse: Callable[[Row, Codec], R], repeat: Repeat, **parameters: Kind
) -> Statement[R]:
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


def _history_entry(row: Row, codec: Codec) -> HistoryEntry:
    note = row[7]
    row = (*row[:7], None if note is None else codec.decode(note), *row[8:])
    return HistoryEntry(*row)


def _defined_machine(row: Row, codec: Codec) -> DefinedMachine:
    machine, machine_version, created, warnings = row
    findings = tuple(
        Finding(found["severity"], found["code"], found["path"], found["message"]) for found in codec.decode(warnings)
    )
    return DefinedMachine(machine, machine_version, created, findings)


def _decoded(row: Row, codec: Codec) -> Any:
    return None if row[0] is None else codec.decode(row[0])


def _scalar(row: Row, codec: Codec) -> Any:
    return row[0]


SCHEMA_RELEASE: Statement[str] = _function("schema_release", "schema_release", _scalar, Repeat.READ)

CREATE = _function(
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
LOAD = _function(
    "load_session",
    f"{_SESSION}, unchanged",
    _stored_or_unchanged,
    Repeat.READ,
    session_id=TEXT,
    known_version=BIGINT,
    known_updated_at=TIMESTAMP,
)
LOAD_MANY = _function("load_sessions", _SESSION, _stored, Repeat.READ, session_ids=TEXTS)
SAVE = _function(
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
SEND = _function(
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
UPDATE = _function(
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
HISTORY = _function(
    "history",
    "version, kind, from_state, to_state, event, actor, db_user, note::text, loop_detected, at",
    _history_entry,
    Repeat.READ,
    session_id=TEXT,
    limit=INTEGER,
    before_version=BIGINT,
)
LOAD_AT = _function("load_session_at", _SESSION, _stored, Repeat.READ, session_id=TEXT, version=BIGINT)
ALLOWED_EVENTS = _function(
    "allowed_events",
    "event, to_state, guard, allowed, reason",
    lambda row, codec: AllowedEvent(*row),
    Repeat.READ,
    session_id=TEXT,
)
VALIDATE = _function(
    "validate_context",
    "code, path, message",
    lambda row, codec: ContextFinding(*row),
    Repeat.READ,
    machine=TEXT,
    state=TEXT,
    context=JSONB,
    machine_version=INTEGER,
)
DETECT_LOOP = _function(
    "detect_loop",
    "from_state, to_state, occurrences, loop_limit, loop_window, first_at, last_at",
    lambda row, codec: Loop(*row),
    Repeat.READ,
    session_id=TEXT,
)
DEFINE_MACHINE = _function(
    "define_machine",
    "machine, machine_version, created, warnings::text",
    _defined_machine,
    # Sent twice, it could bring a definition back over one that somebody else stored in between.
    Repeat.NEVER,
    definition=DEFINITION,
)
CHECK_MACHINE = _function(
    "check_machine",
    "severity, code, path, message",
    lambda row, codec: Finding(*row),
    Repeat.READ,
    definition=DEFINITION,
)
MACHINE_DEFINITION: Statement[Any] = _function(
    "machine_definition", "machine_definition::text", _decoded, Repeat.READ, machine=TEXT, machine_version=INTEGER
)
RETIRE_MACHINE: Statement[bool] = _function(
    "retire_machine",
    "retire_machine",
    _scalar,
    Repeat.NEVER,
    machine=TEXT,
    machine_version=INTEGER,
    retired=BOOLEAN,
)
