"""The statements that report on sessions, and those that keep them in order."""

from __future__ import annotations

from typing import Any

from .jsonvalues import Codec
from .parameters import BIGINT, BOOLEAN, INTEGER, INTERVAL, TEXT
from .report_rows import AuditHead, Change, DoctorFinding, FiredDeadline, LoopingSession, StuckSession, Violation
from .retry import Repeat
from .statements import Row, Statement, decoded, function, scalar


def _violation(row: Row, codec: Codec) -> Violation:
    session_id, code, detail = row
    return Violation(session_id, code, {} if detail is None else codec.decode(detail))


VERIFY = function(
    "verify_sessions",
    "session_id, code, detail::text",
    _violation,
    Repeat.READ,
    session_id=TEXT,
    limit=INTEGER,
    after_session_id=TEXT,
)
METRICS: Statement[Any] = function("metrics", "metrics::text", decoded, Repeat.READ)
DOCTOR = function("doctor", "severity, check_name, message, hint", lambda row, codec: DoctorFinding(*row), Repeat.READ)
LOOPING = function(
    "looping_sessions",
    "session_id, from_state, to_state, occurrences, loop_limit, loop_window, first_at, last_at",
    lambda row, codec: LoopingSession(*row),
    Repeat.READ,
    limit=INTEGER,
)
STUCK = function(
    "stuck_sessions",
    "session_id, machine, state, version, updated_at",
    lambda row, codec: StuckSession(*row),
    Repeat.READ,
    idle=INTERVAL,
    limit=INTEGER,
)
AUDIT_HEAD = function(
    "audit_head",
    "version, hash",
    lambda row, codec: AuditHead(*row),
    Repeat.READ,
    session_id=TEXT,
    version=BIGINT,
)
CHANGES = function(
    "changes",
    "cursor, session_id, version, kind, from_state, to_state, event, at",
    lambda row, codec: Change(*row),
    Repeat.READ,
    after=TEXT,
    limit=INTEGER,
)
NEW_FEED_EPOCH: Statement[str] = function("new_feed_epoch", "new_feed_epoch", scalar, Repeat.NEVER)
# Sent twice, these would do the work of two calls and tell of one.
FIRE_DEADLINES = function(
    "fire_deadlines",
    "session_id, from_state, to_state, version, sqlstate, message",
    lambda row, codec: FiredDeadline(*row),
    Repeat.NEVER,
    limit=INTEGER,
)
PURGE: Statement[int] = function(
    "purge_sessions", "purge_sessions", scalar, Repeat.NEVER, idle=INTERVAL, limit=INTEGER, only_final=BOOLEAN
)
TRIM_HISTORY: Statement[int] = function(
    "trim_history", "trim_history", scalar, Repeat.NEVER, keep_versions=INTEGER, limit=INTEGER, keep_for=INTERVAL
)
