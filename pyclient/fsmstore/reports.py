"""The methods that report on sessions and keep them in order, for both clients."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from .driver import AsyncDriver, Driver
from .report_rows import AuditHead, Change, DoctorFinding, FiredDeadline, LoopingSession, StuckSession, Violation


class ReportMethods(Driver):
    """What a synchronous store reports, and how it keeps sessions in order."""

    def fire_deadlines(self, limit: int | None = 100) -> list[FiredDeadline]:
        """Take the deadlines that are due, the longest overdue first; call it again while it returns any.

        Any number of callers may do that at the same time: each deadline is taken once, and a session that somebody is
        writing is left for the next call. ``fsmstore deadlines`` is a loop around it.

        Not repeated when its connection breaks: outcome_of() is then unknown, and the next call goes on with what is
        left.

        Args:
            limit: sessions at most; None: 1,000.

        Returns:
            One entry for each session: the version that was made, or why it was refused. Refused ones are tried again
            later by themselves.
        """
        return self._run(self._operations.fire_deadlines(limit))

    def verify(
        self, session_id: str | None = None, limit: int | None = None, after: str | None = None
    ) -> list[Violation]:
        """Check everything that is stored of sessions; none: it is sound.

        Args:
            session_id: only this one; None: all.
            limit: sessions to look at, at most; None: all.
            after: only ids after this one.

        Raises:
            SessionNotFound: SM010, there is nothing stored under `session_id`.
        """
        return self._run(self._operations.verify(session_id, limit, after))

    def metrics(self) -> dict[str, Any]:
        """Return counts by machine, state and transition, rates, loops, deadlines, turns and sizes."""
        return self._run(self._operations.metrics())

    def doctor(self) -> list[DoctorFinding]:
        """Return what is wrong or risky with this installation, errors first; none: nothing to say."""
        return self._run(self._operations.doctor())

    def looping_sessions(self, limit: int | None = 100) -> list[LoopingSession]:
        """Return what `detect_loop` tells, of all sessions; those written last come first.

        Args:
            limit: entries at most; None: all.
        """
        return self._run(self._operations.looping_sessions(limit))

    def stuck_sessions(self, idle: float | timedelta, limit: int | None = 100) -> list[StuckSession]:
        """Return the unfinished sessions that nobody wrote for some time, the longest first.

        Args:
            idle: seconds, or a timedelta.
            limit: sessions at most; None: all.
        """
        return self._run(self._operations.stuck_sessions(idle, limit))

    def audit_head(self, session_id: str, version: int | None = None) -> AuditHead | None:
        """Return a version of a session and the hash that covers it and every version before, to be kept outside.

        While that version is retained, the same question must give the same hash.

        Args:
            session_id: an existing session.
            version: one of its versions; None: the present one.

        Returns:
            None: that version was never made or is no longer retained.

        Raises:
            SessionNotFound: SM010.
        """
        return self._run(self._operations.audit_head(session_id, version))

    def changes(self, after: str | None = None, limit: int | None = 1000) -> list[Change]:
        """Return what was written to any session, in an order in which nothing is ever inserted before what was shown.

        Whoever hands back the cursor of the last change that he has dealt with misses nothing and sees nothing twice.
        The oldest transaction that is still running delays what comes after it.

        Args:
            after: the `cursor` of a change; None: from the oldest that is retained.
            limit: changes at most; None: all.

        Raises:
            psycopg.errors.InvalidParameterValue: 22023, `after` is no cursor.
            psycopg.errors.ObjectNotInPrerequisiteState: 55000, this is a restored copy: see `new_feed_epoch`.
        """
        return self._run(self._operations.changes(after, limit))

    def new_feed_epoch(self) -> str:
        """Let `changes` go on in a copy of the database that was restored into another cluster, before it is written.

        Cursors stay valid. Not repeated when its connection breaks; to call it once more does no harm.

        Returns:
            The number of the epoch.
        """
        return self._run(self._operations.new_feed_epoch())

    def purge(self, idle: float | timedelta, limit: int | None = 1000, only_final: bool = True) -> int:
        """Erase sessions that nobody wrote for some time; call it again until it returns 0.

        Sessions that are held or being written are left. Not repeated when its connection breaks: the next call goes on
        with what is left.

        Args:
            idle: seconds, or a timedelta.
            limit: sessions at most; None: 1,000.
            only_final: only finished ones; False: all.

        Returns:
            How many.
        """
        return self._run(self._operations.purge(idle, limit, only_final))

    def trim_history(self, keep_versions: int, limit: int | None = 1000, keep_for: float | timedelta = 86400.0) -> int:
        """Remove the oldest versions from history, with their request ids; call it again until it returns 0.

        Not repeated when its connection breaks: the next call goes on with what is left.

        Args:
            keep_versions: how many of each session stay, the newest; 1 or more.
            limit: versions at most; None: no limit.
            keep_for: seconds, or a timedelta: what is younger stays too, and so does what a loop window covers.

        Returns:
            How many versions were removed.
        """
        return self._run(self._operations.trim_history(keep_versions, limit, keep_for))


class AsyncReportMethods(AsyncDriver):
    """What an asynchronous store reports, and how it keeps sessions in order."""

    async def fire_deadlines(self, limit: int | None = 100) -> list[FiredDeadline]:
        """See SessionStore.fire_deadlines."""
        return await self._run(self._operations.fire_deadlines(limit))

    async def verify(
        self, session_id: str | None = None, limit: int | None = None, after: str | None = None
    ) -> list[Violation]:
        """See SessionStore.verify."""
        return await self._run(self._operations.verify(session_id, limit, after))

    async def metrics(self) -> dict[str, Any]:
        """See SessionStore.metrics."""
        return await self._run(self._operations.metrics())

    async def doctor(self) -> list[DoctorFinding]:
        """See SessionStore.doctor."""
        return await self._run(self._operations.doctor())

    async def looping_sessions(self, limit: int | None = 100) -> list[LoopingSession]:
        """See SessionStore.looping_sessions."""
        return await self._run(self._operations.looping_sessions(limit))

    async def stuck_sessions(self, idle: float | timedelta, limit: int | None = 100) -> list[StuckSession]:
        """See SessionStore.stuck_sessions."""
        return await self._run(self._operations.stuck_sessions(idle, limit))

    async def audit_head(self, session_id: str, version: int | None = None) -> AuditHead | None:
        """See SessionStore.audit_head."""
        return await self._run(self._operations.audit_head(session_id, version))

    async def changes(self, after: str | None = None, limit: int | None = 1000) -> list[Change]:
        """See SessionStore.changes."""
        return await self._run(self._operations.changes(after, limit))

    async def new_feed_epoch(self) -> str:
        """See SessionStore.new_feed_epoch."""
        return await self._run(self._operations.new_feed_epoch())

    async def purge(self, idle: float | timedelta, limit: int | None = 1000, only_final: bool = True) -> int:
        """See SessionStore.purge."""
        return await self._run(self._operations.purge(idle, limit, only_final))

    async def trim_history(
        self, keep_versions: int, limit: int | None = 1000, keep_for: float | timedelta = 86400.0
    ) -> int:
        """See SessionStore.trim_history."""
        return await self._run(self._operations.trim_history(keep_versions, limit, keep_for))
