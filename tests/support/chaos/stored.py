"""What is stored of the sessions in the end, and what may be said against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Row:
    """One row of a session's history."""

    version: int
    kind: str
    from_state: str | None
    to_state: str
    event: str | None
    actor: str | None
    at: datetime
    loop_detected: bool = False


@dataclass(slots=True)
class Stored:
    """What is stored of a session in the end."""

    rows: list[Row]
    """What is retained of its history, oldest first."""
    version: int
    state: str
    contexts: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The present context, that of the oldest retained version, and any others, as the database rebuilds them."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be."""

    rule: str
    session: str
    what: str
