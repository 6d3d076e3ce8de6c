"""Sessions of finite-state machines that survive in PostgreSQL. The rules live in the database; this client is thin."""

from .aio import AsyncSessionStore
from .errors import (
    CorruptSession,
    FsmError,
    GuardFailed,
    InvalidContext,
    InvalidMachine,
    LoopDetected,
    MachineNotFound,
    Outcome,
    SchemaMismatch,
    SessionExists,
    SessionFinished,
    SessionNotFound,
    TransitionNotAllowed,
    TurnExpired,
    TurnHeld,
    VersionConflict,
    outcome_of,
    translate_errors,
)
from .operations import SUPPORTED_RELEASES, Expect
from .rows import (
    AllowedEvent,
    ContextFinding,
    DefinedMachine,
    Finding,
    HistoryEntry,
    Loop,
    SaveResult,
    Session,
)
from .store import SessionStore

__version__ = "0.1.0"

__all__ = [
    "SUPPORTED_RELEASES",
    "AllowedEvent",
    "AsyncSessionStore",
    "ContextFinding",
    "CorruptSession",
    "DefinedMachine",
    "Expect",
    "Finding",
    "FsmError",
    "GuardFailed",
    "HistoryEntry",
    "InvalidContext",
    "InvalidMachine",
    "Loop",
    "LoopDetected",
    "MachineNotFound",
    "Outcome",
    "SaveResult",
    "SchemaMismatch",
    "Session",
    "SessionExists",
    "SessionFinished",
    "SessionNotFound",
    "SessionStore",
    "TransitionNotAllowed",
    "TurnExpired",
    "TurnHeld",
    "VersionConflict",
    "__version__",
    "outcome_of",
    "translate_errors",
]
