"""What reports and the care of sessions answer, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class FiredDeadline:
    """A deadline that fire_deadlines took up."""

    session_id: str
    from_state: str
    to_state: str | None
    """Where it leads; None when the present state is not one of the machine's."""
    version: int | None
    """The version that it made; None when it was refused."""
    sqlstate: str | None
    """Why it was refused: SM050 (turn held), SM021, SM040 or SM060; None when it was taken. It is tried again later."""
    message: str | None


@dataclass(frozen=True, slots=True)
class UpgradedSessions:
    """Sessions that upgrade moved, or would move, from a state to a state; or that stay, and why."""

    from_state: str
    to_state: str | None
    sessions: int
    code: str | None
    """unmapped_state, context_rejected, turn_held or corrupt: why they stay; None: they are moved."""
    message: str | None
    """What that means, and the first of them."""
    last_session_id: str
    """The last session that the call looked at: the `after` of the next one."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something stored that contradicts itself."""

    session_id: str
    code: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """Something wrong or risky with an installation."""

    severity: str
    """error, warning or info."""
    check_name: str
    message: str
    hint: str | None
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class LoopingSession:
    """A session and a transition that it passed more often than its machine allows."""

    session_id: str
    from_state: str
    to_state: str
    occurrences: int
    loop_limit: int
    loop_window: timedelta
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class StuckSession:
    """A session that is not in a final state and was not written to for long."""

    session_id: str
    machine: str
    state: str
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The end of a session's audit chain: kept outside, it proves later that nothing up to it was changed."""

    version: int
    hash: str | None
    """64 hexadecimal digits; None when the machine keeps no chain."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the feed of changes."""

    cursor: str
    """Where this line stands: the `after` of the next call."""
    session_id: str
    version: int
    kind: str
    """That of the history entry, or delete."""
    from_state: str | None
    to_state: str | None
    event: str | None
    at: datetime
