"""The methods about a session's past, for both clients."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from .driver import AsyncDriver, Driver
from .rows import Difference, HistoryEntry, SaveResult, Session


class PastMethods(Driver):
    """What a synchronous store can do with a session's past."""

    def history(
        self, session_id: str, limit: int | None = 100, before_version: int | None = None
    ) -> list[HistoryEntry]:
        """Return what happened to a session, one entry for each acknowledged write, the newest first.

        Args:
            session_id: which session.
            limit: entries at most; None: all.
            before_version: only what is older than this version, to page on.

        Raises:
            SessionNotFound: SM010.
        """
        return self._run(self._operations.history(session_id, limit, before_version))

    def load_at(self, session_id: str, version: int) -> Session | None:
        """Return the session exactly as it was saved at that version, `updated_at` being the time of that save.

        None: there is no such session, or that version was never made or is not retained any more.

        Raises:
            CorruptSession: SM060, the history is not complete.
        """
        return self._run(self._operations.load_at(session_id, version))

    def as_of(self, session_id: str, at: datetime) -> Session | None:
        """Return the session as it was at a moment: the newest version saved at or before it.

        None: there is no such session, there was none then, or that far back nothing is retained.

        Args:
            session_id: which session.
            at: a moment with a time zone.

        Raises:
            CorruptSession: SM060, the history is not complete.
            psycopg.errors.InvalidParameterValue: 22023, `at` has no time zone.
        """
        return self._run(self._operations.as_of(session_id, at))

    def diff(self, session_id: str, from_version: int, to_version: int) -> list[Difference]:
        """Return the places in which the contexts of two versions differ, in either direction; none: they are equal.

        Raises:
            SessionNotFound: SM010.
            psycopg.errors.InvalidParameterValue: 22023, a version was never made, or is not retained any more.
            CorruptSession: SM060, the history is not complete.
        """
        return self._run(self._operations.diff(session_id, from_version, to_version))

    def rollback(
        self,
        session_id: str,
        to_version: int,
        *,
        expected_version: int | None,
        reason: str | None = None,
        request_id: UUID | str | None = None,
        turn: int | None = None,
        actor: str | None = None,
    ) -> Session:
        """Bring state and context of an earlier version back, as a new version on the present machine version.

        Nothing is taken out of history. Schema and invariants are checked; edges, guards and loops are not. A finished
        session is open again if that version was.

        Args:
            session_id: which session.
            to_version: a retained version.
            expected_version: the version that the session must still have; None: whatever it is now.
            reason: why, for people; kept in the history, at most 4,096 bytes.
            request_id: applied at most once; a repeated id returns the first call's result, `replayed`.
            turn: the token of the turn under which this is written.
            actor: who asks for this, as you say it; kept in the history.

        Returns:
            The session as it is stored now, equal to what `load` gives, with `result`. Of a replayed call it is the
            session at that version, and its context is None if that version is not retained any more.

        Raises:
            SessionNotFound: SM010.
            TurnHeld, TurnExpired: SM050, SM051.
            VersionConflict: SM030, it has another version than expected.
            psycopg.errors.InvalidParameterValue: 22023, `to_version` was never made, or is not retained any more.
            CorruptSession: SM060, the history is not complete.
            TransitionNotAllowed: SM020, the present machine version does not have that state.
            InvalidContext: SM021, the present machine version refuses that context.
        """
        return self._run(
            self._operations.rollback(
                session_id,
                to_version,
                expected_version=expected_version,
                reason=reason,
                request_id=request_id,
                turn=turn,
                actor=actor,
            )
        )

    def fork(
        self,
        session_id: str,
        version: int,
        new_session_id: str,
        *,
        request_id: UUID | str | None = None,
        actor: str | None = None,
    ) -> SaveResult:
        """Make a new session that starts as another one was at a retained version: state, context, machine version.

        Args:
            session_id: the session to copy from; it is not changed.
            version: which of its versions.
            new_session_id: 1 to 512 bytes.
            request_id: the same id gives the same answer again instead of SessionExists.
            actor: who asks for this, as you say it; kept in the history.

        Returns:
            What was done, of the new session, at version 1; the context is not sent back.

        Raises:
            SessionExists: SM011, there is one with the new id.
            SessionNotFound: SM010, there is none to copy from.
            psycopg.errors.InvalidParameterValue: 22023, that version was never made, or is not retained any more.
            CorruptSession: SM060, the history is not complete.
            MachineNotFound: SM001, its machine version takes no new sessions any more.
        """
        return self._run(self._operations.fork(session_id, version, new_session_id, request_id=request_id, actor=actor))


class AsyncPastMethods(AsyncDriver):
    """What an asynchronous store can do with a session's past."""

    async def history(
        self, session_id: str, limit: int | None = 100, before_version: int | None = None
    ) -> list[HistoryEntry]:
        """See SessionStore.history."""
        return await self._run(self._operations.history(session_id, limit, before_version))

    async def load_at(self, session_id: str, version: int) -> Session | None:
        """See SessionStore.load_at."""
        return await self._run(self._operations.load_at(session_id, version))

    async def as_of(self, session_id: str, at: datetime) -> Session | None:
        """See SessionStore.as_of."""
        return await self._run(self._operations.as_of(session_id, at))

    async def diff(self, session_id: str, from_version: int, to_version: int) -> list[Difference]:
        """See SessionStore.diff."""
        return await self._run(self._operations.diff(session_id, from_version, to_version))

    async def rollback(
        self,
        session_id: str,
        to_version: int,
        *,
        expected_version: int | None,
        reason: str | None = None,
        request_id: UUID | str | None = None,
        turn: int | None = None,
        actor: str | None = None,
    ) -> Session:
        """See SessionStore.rollback."""
        return await self._run(
            self._operations.rollback(
                session_id,
                to_version,
                expected_version=expected_version,
                reason=reason,
                request_id=request_id,
                turn=turn,
                actor=actor,
            )
        )

    async def fork(
        self,
        session_id: str,
        version: int,
        new_session_id: str,
        *,
        request_id: UUID | str | None = None,
        actor: str | None = None,
    ) -> SaveResult:
        """See SessionStore.fork."""
        return await self._run(
            self._operations.fork(session_id, version, new_session_id, request_id=request_id, actor=actor)
        )
