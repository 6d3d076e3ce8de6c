"""What a store reports, and how it keeps sessions in order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from . import report_statements, statements
from .base_operations import BaseOperations, Steps
from .report_rows import AuditHead, Change, DoctorFinding, FiredDeadline, LoopingSession, StuckSession, Violation


class ReportOperations(BaseOperations):
    """See SessionStore."""

    def schema_release(self) -> Steps[str]:
        """See SessionStore.schema_release."""
        rows = yield statements.SCHEMA_RELEASE.bind(self._codec)
        return statements.SCHEMA_RELEASE.row(rows, self._codec)

    def fire_deadlines(self, limit: int | None) -> Steps[list[FiredDeadline]]:
        """See SessionStore.fire_deadlines."""
        try:
            rows = yield report_statements.FIRE_DEADLINES.bind(self._codec, limit=limit)
        except BaseException:
            self._cache.clear()  # Some may have been taken; which, was in the answer.
            raise
        fired = report_statements.FIRE_DEADLINES.rows(rows, self._codec)
        self._cache.changed(one.session_id for one in fired if one.version is not None)
        return fired

    def verify(self, session_id: str | None, limit: int | None, after: str | None) -> Steps[list[Violation]]:
        """See SessionStore.verify."""
        rows = yield report_statements.VERIFY.bind(
            self._codec, session_id=session_id, limit=limit, after_session_id=after
        )
        return report_statements.VERIFY.rows(rows, self._codec)

    def metrics(self) -> Steps[dict[str, Any]]:
        """See SessionStore.metrics."""
        rows = yield report_statements.METRICS.bind(self._codec)
        metrics: dict[str, Any] = report_statements.METRICS.row(rows, self._codec)
        return metrics

    def doctor(self) -> Steps[list[DoctorFinding]]:
        """See SessionStore.doctor."""
        rows = yield report_statements.DOCTOR.bind(self._codec)
        return report_statements.DOCTOR.rows(rows, self._codec)

    def looping_sessions(self, limit: int | None) -> Steps[list[LoopingSession]]:
        """See SessionStore.looping_sessions."""
        rows = yield report_statements.LOOPING.bind(self._codec, limit=limit)
        return report_statements.LOOPING.rows(rows, self._codec)

    def stuck_sessions(self, idle: float | timedelta, limit: int | None) -> Steps[list[StuckSession]]:
        """See SessionStore.stuck_sessions."""
        rows = yield report_statements.STUCK.bind(self._codec, idle=idle, limit=limit)
        return report_statements.STUCK.rows(rows, self._codec)

    def audit_head(self, session_id: str, version: int | None) -> Steps[AuditHead | None]:
        """See SessionStore.audit_head."""
        rows = yield report_statements.AUDIT_HEAD.bind(self._codec, session_id=session_id, version=version)
        return report_statements.AUDIT_HEAD.row(rows, self._codec) if rows else None

    def changes(self, after: str | None, limit: int | None) -> Steps[list[Change]]:
        """See SessionStore.changes."""
        rows = yield report_statements.CHANGES.bind(self._codec, after=after, limit=limit)
        return report_statements.CHANGES.rows(rows, self._codec)

    def new_feed_epoch(self) -> Steps[str]:
        """See SessionStore.new_feed_epoch."""
        rows = yield report_statements.NEW_FEED_EPOCH.bind(self._codec)
        return report_statements.NEW_FEED_EPOCH.row(rows, self._codec)

    def purge(self, idle: float | timedelta, limit: int | None, only_final: bool) -> Steps[int]:
        """See SessionStore.purge."""
        call = report_statements.PURGE.bind(self._codec, idle=idle, limit=limit, only_final=only_final)
        try:
            rows = yield call
        finally:
            self._cache.clear()  # Which sessions were erased is not said.
        return report_statements.PURGE.row(rows, self._codec)

    def trim_history(self, keep_versions: int, limit: int | None, keep_for: float | timedelta) -> Steps[int]:
        """See SessionStore.trim_history."""
        rows = yield report_statements.TRIM_HISTORY.bind(
            self._codec, keep_versions=keep_versions, limit=limit, keep_for=keep_for
        )
        return report_statements.TRIM_HISTORY.row(rows, self._codec)
