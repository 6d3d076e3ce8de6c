"""What can go wrong, one class for each SQLSTATE of schema ``fsm``, and whether the work was done.

The database decides and says why in three parts: a stable sentence, a JSON object with the facts
(DETAIL) and what to do next (HINT). This module only carries them over. Errors of the driver that are
not refusals of ``fsm`` pass through unchanged, among them the standard codes for a misused argument,
22023 (``psycopg.errors.InvalidParameterValue``) and 22004 (``NullValueNotAllowed``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
import psycopg_pool


class Outcome(str, Enum):
    """What became of a call that ended in an error."""

    NOT_DONE = "not done"
    """Nothing was written, and nothing will be later."""
    DONE = "done"
    """The write was committed; only its answer could not be handed over."""
    UNKNOWN = "unknown"
    """Committed or not: ask again, with the same request id and no other."""


class FsmError(Exception):
    """A refusal by the database, or by this client where a value cannot be put into words for it.

    Attributes:
        message: one stable sentence, without data.
        sqlstate: the five characters of the condition, such as ``SM030``.
        detail: the facts, a dict. Each of them is an attribute of the exception too.
        hint: what to do next, or None.
        outcome: whether the call was done; a refusal never is.
    """

    sqlstate: str = "SM000"
    outcome: Outcome = Outcome.NOT_DONE
    # Attributes whose name is not the one that the database gives the fact.
    _aliases: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        detail: Mapping[str, Any] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail: dict[str, Any] = dict(detail or {})
        self.hint = hint
        if sqlstate is not None:
            self.sqlstate = sqlstate
        for attribute, fact in self._aliases.items():
            setattr(self, attribute, self.detail.get(fact))

    if not TYPE_CHECKING:  # A type checker is told the facts of each class below.

        def __getattr__(self, name: str) -> Any:
            detail = self.__dict__.get("detail", {})
            if name in detail:
                return detail[name]
            raise AttributeError(f"{type(self).__name__} has no attribute and no fact {name!r}")

    def __str__(self) -> str:
        lines = [self.message]
        if self.detail:
            lines.append(f"DETAIL: {json.dumps(self.detail, ensure_ascii=False, default=str)}")
        if self.hint:
            lines.append(f"HINT: {self.hint}")
        return "\n".join(lines)


class MachineNotFound(FsmError):
    """SM001: there is no such machine, no such version of it, or it takes no new sessions any more."""

    sqlstate = "SM001"
    machine: str
    machine_version: int | None


class InvalidMachine(FsmError):
    """SM002: the definition has findings of severity error; all of them are in ``findings``."""

    sqlstate = "SM002"
    findings: list[dict[str, Any]]


class SessionNotFound(FsmError):
    """SM010: there is no session with this id."""

    sqlstate = "SM010"
    session_id: str


class SessionExists(FsmError):
    """SM011: a session with this id exists already."""

    sqlstate = "SM011"
    session_id: str


class SessionFinished(FsmError):
    """SM012: the session is in a final state and takes no writes."""

    sqlstate = "SM012"
    session_id: str
    state: str
    version: int


class TransitionNotAllowed(FsmError):
    """SM020: no event leads from the present state to the state asked for."""

    sqlstate = "SM020"
    session_id: str
    state: str
    to_state: str | None
    event: str | None
    allowed_events: list[str]


class InvalidContext(FsmError):
    """SM021: the context is refused for its form, schema, size, invariant, or a state or id that disagrees.

    Raised by the client itself, before anything is sent, only for a value that JSON or jsonb cannot hold.
    """

    sqlstate = "SM021"
    path: str
    """The place of the first finding in the context, as a jsonpath."""
    findings: list[dict[str, Any]]


class GuardFailed(FsmError):
    """SM022: an event leads there, but its guard does not hold for this context."""

    sqlstate = "SM022"
    session_id: str
    state: str
    to_state: str | None
    event: str | None
    candidates: list[dict[str, Any]]


class VersionConflict(FsmError):
    """SM030: somebody wrote the session since it was read. Load it, apply the change again, save it."""

    sqlstate = "SM030"
    _aliases: ClassVar[Mapping[str, str]] = {"expected": "expected_version", "actual": "version"}
    session_id: str
    expected: int
    """The version that the caller had read."""
    actual: int | None
    """The version that the session has; None if it changed while the lock was held."""


class LoopDetected(FsmError):
    """SM040: the same transition was passed too often, and the machine says to block it."""

    sqlstate = "SM040"
    session_id: str
    from_state: str
    to_state: str


class TurnHeld(FsmError):
    """SM050: another holder has the turn. Wait until it is ended or expires, then load the session anew."""

    sqlstate = "SM050"
    session_id: str
    holder: str
    """Who has it, as they said."""
    expires_at: datetime | None
    """When it expires by the clock of the database, unless it is extended."""

    def __init__(self, message: str, **parts: Any) -> None:
        super().__init__(message, **parts)
        self.expires_at = _moment(self.detail.get("expires_at"))


class TurnExpired(FsmError):
    """SM051: the turn's token is not, or no longer, the one that is held."""

    sqlstate = "SM051"
    session_id: str
    turn: int
    """The token that was given."""
    held_turn: int | None
    """The one that is held now; None: there is none."""


class CorruptSession(FsmError):
    """SM060: what is stored contradicts itself."""

    sqlstate = "SM060"
    session_id: str


class SchemaMismatch(FsmError):
    """SM070: the database has no schema ``fsm``, or one of a release that this client does not know."""

    sqlstate = "SM070"


BY_SQLSTATE: Mapping[str, type[FsmError]] = {
    kind.sqlstate: kind
    for kind in (
        MachineNotFound,
        InvalidMachine,
        SessionNotFound,
        SessionExists,
        SessionFinished,
        TransitionNotAllowed,
        InvalidContext,
        GuardFailed,
        VersionConflict,
        LoopDetected,
        TurnHeld,
        TurnExpired,
        CorruptSession,
        SchemaMismatch,
    )
}
"""The exception class of each SQLSTATE of schema ``fsm``."""

# invalid_schema_name and undefined_function: what our calls meet where the migrations have not run.
_SCHEMA_MISSING = frozenset({"3F000", "42883"})
MIGRATE_HINT = "Run the migrations on this database: fsmstore migrate."


def refusal(
    sqlstate: str, message: str, detail: Mapping[str, Any], hint: str | None
) -> FsmError | psycopg.DatabaseError:
    """Return the exception for what the database has answered; a standard code becomes the driver's own class."""
    if sqlstate.startswith("SM"):
        return BY_SQLSTATE.get(sqlstate, FsmError)(message, sqlstate=sqlstate, detail=detail, hint=hint)
    try:
        kind: type[psycopg.Error] = psycopg.errors.lookup(sqlstate)
    except KeyError:
        kind = psycopg.DatabaseError
    error = kind(message)
    assert isinstance(error, psycopg.DatabaseError)
    return error


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the exception of this package for a refusal by schema ``fsm``, chained to the driver's error.

    One context manager for synchronous and asynchronous code. A code ``SM…`` that this client does not know becomes
    a plain FsmError; every error that is not a refusal passes through unchanged.
    """
    try:
        yield
    except psycopg.Error as error:
        sqlstate = error.sqlstate or ""
        if sqlstate in _SCHEMA_MISSING and error.diag.context is None:  # with a context it comes from inside a function
            raise SchemaMismatch(
                "the database lacks a function that this client calls",
                detail={"server": error.diag.message_primary},
                hint=MIGRATE_HINT,
            ) from error
        if not sqlstate.startswith("SM"):
            raise
        raise refusal(
            sqlstate,
            error.diag.message_primary or str(error),
            parse_detail(error.diag.message_detail),
            error.diag.message_hint,
        ) from error


def parse_detail(text: str | None) -> dict[str, Any]:
    """Return the first JSON object found in a DETAIL, or an empty dict if there is none.

    Engines between client and database put words before it (``Remote detail: {…}``), so it is looked for.
    """
    decoder = json.JSONDecoder()
    start = (text or "").find("{")
    while text and start >= 0:
        try:
            found, _ = decoder.raw_decode(text, start)
        except ValueError:
            start = text.find("{", start + 1)
        else:
            return dict(found)
    return {}


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    # PostgreSQL drops trailing zeros; older Pythons want three digits or six.
    six = re.sub(r"\.(\d{1,6})", lambda found: "." + found[1].ljust(6, "0"), text)
    try:
        return datetime.fromisoformat(six)
    except ValueError:
        return None


# The server went away, or the connection to it did, before a complete answer arrived.
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})
# Besides: the server says itself that it does not know; a cancelled call may have been cut short behind a
# commit on an engine of several nodes, so a time-out is never taken as an answer.
_UNKNOWN = _LOST | {"40003", "57014"}
_NEVER_SENT = (psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, psycopg_pool.TooManyRequests)


def is_lost_connection(error: psycopg.Error) -> bool:
    """Tell whether the connection broke before the answer was complete."""
    if isinstance(error, _NEVER_SENT):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith("08") or error.sqlstate in _LOST


def outcome_of(error: BaseException) -> Outcome:
    """Say what became of the call that raised `error`: not done, done or unknown.

    An answer of the server settles it. A lost connection, a time-out and a cancellation do not: repeat such a call
    only with the same request id (on a store with connections of its own, every write that takes a request id has
    already tried that for the store's `timeout`). A call that joined the caller's transaction is done when that
    transaction is. Any exception that is neither FsmError nor psycopg.Error is unknown.
    """
    if isinstance(error, FsmError):
        return error.outcome
    if not isinstance(error, psycopg.Error):
        return Outcome.UNKNOWN
    if is_lost_connection(error) or error.sqlstate in _UNKNOWN:
        return Outcome.UNKNOWN
    if error.sqlstate is None and (
        isinstance(error, psycopg.InterfaceError) or type(error) in (psycopg.DatabaseError, psycopg.InternalError)
    ):
        return Outcome.UNKNOWN  # the driver's own: an answer that it could not make sense of
    # No connection for the repetition of a call whose first answer was lost: see retry.Attempts.
    if isinstance(error.__cause__, psycopg.Error):
        return outcome_of(error.__cause__)
    return Outcome.NOT_DONE
