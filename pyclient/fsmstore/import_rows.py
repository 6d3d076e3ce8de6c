"""What the import of old sessions answers, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What became of one old session, or would."""

    session_id: str
    outcome: str
    """imported, skipped, conflict_resolved or quarantined."""
    code: str | None
    """Why it is not simply imported."""
    message: str | None
    """What that means."""


@dataclass(frozen=True, slots=True)
class UndoneImport:
    """How much of a batch was taken back."""

    removed: int
    """Sessions that are gone again."""
    kept: int
    """Sessions that were written since, and stay."""


@dataclass(frozen=True, slots=True)
class ImportedOriginal:
    """An old session as it was found in one source."""

    source: str
    """postgres or shelve."""
    original: str
    """The row as JSON text, or ``base64:`` and the bytes of the shelf's value."""
