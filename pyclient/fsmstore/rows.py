"""What the database answers, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from .jsonvalues import copy_json


@dataclass(frozen=True, slots=True)
class SaveResult:
    """What one acknowledged write did."""

    session_id: str
    machine: str
    machine_version: int
    version: int
    """The session's version after the write."""
    state: str
    """The state after the write; not the one asked for if the machine diverts loops."""
    previous_state: str | None
    """The state before it; None for a creation."""
    changed_state: bool
    loop_detected: bool
    """The same transition was passed more often than the machine allows within its window."""
    replayed: bool
    """The request id was committed before: this is the first call's result, and nothing was written now."""
    is_final: bool
    context_version: int
    entered_at: datetime
    created_at: datetime
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A session as the database held it at one version.

    A value, not a connection to the stored one: change a copy with `evolve` and hand it to `SessionStore.save`. The
    context is a plain dict of this Session's own. Two Sessions are equal when their data are; `result` does not count.
    """

    session_id: str
    machine: str
    machine_version: int
    state: str
    version: int
    context: dict[str, Any]
    context_version: int
    is_final: bool
    entered_at: datetime
    created_at: datetime
    updated_at: datetime
    result: SaveResult | None = field(default=None, compare=False, repr=False)
    """What the write did that returned this Session; None when it was loaded."""

    def evolve(self, **changes: Any) -> Session:
        """Return a copy with the named fields changed, such as ``evolve(state="search", context={…})``.

        The copy has a deep copy of the context and no `result`. Nothing is checked and nothing is saved.

        Raises:
            TypeError: there is no field of that name.
        """
        changed = replace(self, **{"result": None, **changes})
        return replace(changed, context=copy_json(changed.context))


@dataclass(frozen=True, slots=True)
class SaveOutcome:
    """What became of one item of a batch."""

    ordinal: int
    """The item's place in the whole call, from 1."""
    session_id: str | None
    ok: bool
    """It is saved."""
    sqlstate: str | None
    """Why not; so are message and detail. None if it is saved."""
    message: str | None
    detail: dict[str, Any] | None
    version: int | None
    """The session's version after the save; so is state. None if it was refused."""
    state: str | None
    error: Exception | None = field(default=None, compare=False, repr=False)
    """What a save of this item alone would have raised; None if it is saved."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session in a list: all but its context, which `SessionStore.load` gives."""

    session_id: str
    machine: str
    machine_version: int
    state: str
    version: int
    context_version: int | None
    """None, as `is_final`, for a session in a state that its machine lacks: loading that is CorruptSession."""
    is_final: bool | None
    entered_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ContextPart:
    """One item of a context that a path matches."""

    path: str
    value: Any
    version: int
    """The session's version that the item is of."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which the contexts of two versions differ."""

    path: str
    """A jsonpath, such as ``$.items[0].price``."""
    old: Any
    new: Any
    was_there: bool
    """False: the older one has nothing there, not even a null."""
    is_there: bool
    """False: the newer one has nothing there, not even a null."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One acknowledged write of a session."""

    version: int
    kind: str
    """create, transition, update, rollback, upgrade, import, deadline, divert or fork."""
    from_state: str | None
    to_state: str
    event: str | None
    actor: str | None
    """Who the caller said it was."""
    db_user: str
    """The login that wrote."""
    note: Any
    loop_detected: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class AllowedEvent:
    """One event of the present state, and whether it could be sent now."""

    event: str
    to_state: str
    guard: str | None
    allowed: bool
    reason: str | None
    """Why, or why not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that check_machine has to say about a definition."""

    severity: str
    """error or warning; an error keeps the definition from being stored."""
    code: str
    path: str | None
    message: str


@dataclass(frozen=True, slots=True)
class ContextFinding:
    """One reason why a context is refused in a state."""

    code: str
    path: str | None
    message: str


@dataclass(frozen=True, slots=True)
class DefinedMachine:
    """A stored definition."""

    machine: str
    machine_version: int
    created: bool
    """False when the newest version was the same already."""
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A transition that a session passed more often than its machine allows."""

    from_state: str
    to_state: str
    occurrences: int
    loop_limit: int
    loop_window: timedelta
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session with its context still as the database's text: what the cache holds. Not part of the interface."""

    session_id: str
    machine: str
    machine_version: int
    state: str
    version: int
    context: str | None
    context_version: int
    is_final: bool
    entered_at: datetime
    created_at: datetime
    updated_at: datetime
