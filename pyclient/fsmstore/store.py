"""The synchronous client. Every rule is in the database; what a method does around its calls is in `operations`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from .batches import BatchMethods
from .imports import ImportMethods
from .machines import MachineMethods
from .past import PastMethods
from .reports import ReportMethods
from .rows import AllowedEvent, ContextPart, Loop, SaveResult, Session, SessionInfo
from .session_operations import Expect
from .turns import TurnMethods


class SessionStore(PastMethods, BatchMethods, TurnMethods, MachineMethods, ReportMethods, ImportMethods):
    """Sessions of state machines in PostgreSQL.

    Given a connection string, the store has a pool of its own, opened at the first call and closed by `close` or at the
    end of a ``with`` block. Given a pool, it uses it and leaves it open. Given a connection, every call joins the
    caller's transaction and the store never commits it: a refusal aborts that transaction as any SQL error does
    (wrap the call in ``connection.transaction()`` to go on), nothing is repeated and nothing is cached.

    Except in a caller's transaction, a method that returns has committed, and a write whose connection broke is sent
    again with the same request id for up to `timeout` seconds, so that it is applied once. Whether the work was done in
    spite of an error is what `outcome_of` says.

    Threads may share a store. A child process that was forked finds it with a new, empty pool.

    Args:
        target: a connection string or URL, a pool, or a connection.
        timeout: seconds that a call waits for a connection of the store's own pool, and for which a call whose
            connection broke is sent again.
        max_size: connections of the store's own pool at most.
        prepare: prepare statements on the server. Off unless asked for: many poolers mix prepared statements up.
        decimals: take and return ``decimal.Decimal`` for numbers with a fraction, instead of float.
        cache_entries: sessions kept at most, so that an unchanged one comes back without its context; 0 turns it off.
        cache_bytes: memory that these may take at most.

    Raises:
        TypeError: `target` is none of the three, or one for the other kind of store.
        SchemaMismatch: (SM070, by the first call) the database has no schema ``fsm`` of a release known to this client.
    """

    def create(
        self,
        session_id: str,
        machine: str,
        context: dict[str, Any] | None = None,
        *,
        machine_version: int | None = None,
        request_id: UUID | str | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """Create a session in its machine's initial state, at version 1.

        Args:
            session_id: 1 to 512 bytes.
            machine: the name of a defined machine.
            context: the first context; an empty one unless given.
            machine_version: a version of the machine; the newest that is not retired unless given.
            request_id: the same id gives the same answer again instead of SessionExists.
            actor: who asks for this, as you say it; kept in the history.
            note: any JSON value; kept in the history.

        Returns:
            The new session; `result` says whether the answer was replayed.

        Raises:
            SessionExists: SM011, there is one with this id.
            MachineNotFound: SM001, there is no such machine or version.
            InvalidContext: SM021, the context does not fit the initial state, or cannot be stored.
        """
        return self._run(
            self._operations.create(
                session_id,
                machine,
                context,
                machine_version=machine_version,
                request_id=request_id,
                actor=actor,
                note=note,
            )
        )

    def load(self, session_id: str, *, max_age: float | None = None) -> Session | None:
        """Return the session as it is now, or None if there is none.

        The database is asked every time; a session that did not change since this store last had it comes back without
        its context, which the store has kept.

        Args:
            session_id: which session.
            max_age: seconds. Trades freshness for speed: a session that the database confirmed within that time is
                returned without asking again, although others may have written it since. It is never older than what
                this store itself wrote or loaded.

        Raises:
            CorruptSession: SM060, what is stored contradicts itself.
        """
        return self._run(self._operations.load(session_id, max_age=max_age))

    def load_many(self, session_ids: Iterable[str]) -> dict[str, Session]:
        """Return the sessions that exist among these ids, by id, in the order in which the ids first appear.

        One call for every 1,000 different ids; each call sees one moment, several calls see several.
        """
        return self._run(self._operations.load_many(session_ids))

    def save(
        self,
        session: Session,
        *,
        event: str | None = None,
        expected_version: int | Expect | None = Expect.SESSION_VERSION,
        request_id: UUID | str | None = None,
        turn: int | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """Save the state and context of `session`, if the machine allows that transition and nobody was faster.

        Args:
            session: a loaded Session, changed with `evolve`.
            event: the event that leads to the new state; any that does unless given.
            expected_version: the version that the session must still have: that of `session` unless given. None saves
                over whatever it is now.
            request_id: applied at most once; a repeated id returns the first call's result, `replayed`.
            turn: the token of the turn under which this is written.
            actor: who asks for this, as you say it; kept in the history.
            note: any JSON value; kept in the history.

        Returns:
            The session as it is stored now, equal to what `load` gives, with `result`. Its state differs from the one
            asked for if the machine diverts loops. Of a replayed call it is the session at that version, and its
            context is None if that version is not retained any more.

        Raises:
            SessionNotFound: SM010.
            TurnHeld, TurnExpired: SM050, SM051.
            VersionConflict: SM030, it has another version than expected.
            SessionFinished: SM012, it is in a final state.
            TransitionNotAllowed: SM020, no event (or not this one) leads from the present state to the new one.
            GuardFailed: SM022, one does, but its guard does not hold.
            LoopDetected: SM040, the machine blocks this loop.
            InvalidContext: SM021, the context does not fit the new state, or cannot be stored.
        """
        return self._run(
            self._operations.save(
                session,
                event=event,
                expected_version=expected_version,
                request_id=request_id,
                turn=turn,
                actor=actor,
                note=note,
            )
        )

    def send(
        self,
        session_id: str,
        event: str,
        patch: dict[str, Any] | None = None,
        *,
        append: dict[str, Any] | None = None,
        expected_version: int | None = None,
        request_id: UUID | str | None = None,
        turn: int | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """Send an event; the machine picks the target, its guards see the context with `patch` and `append` applied.

        Args:
            session_id: which session.
            event: an event of its present state.
            patch: a merge patch of the context (RFC 7396): null removes a key.
            append: elements to append to top-level arrays, such as ``{"conversation_history": [message]}``.
            expected_version: the version that the session must still have; None: whatever it is now.
            request_id: applied at most once; a repeated id returns the first call's result, `replayed`.
            turn: the token of the turn under which this is written.
            actor: who asks for this, as you say it; kept in the history.
            note: any JSON value; kept in the history.

        Returns:
            The session as it is stored now, equal to what `load` gives, with `result`. Of a replayed call it is the
            session at that version, and its context is None if that version is not retained any more.

        Raises:
            SessionNotFound: SM010.
            TurnHeld, TurnExpired: SM050, SM051.
            VersionConflict: SM030, it has another version than expected.
            SessionFinished: SM012, it is in a final state.
            TransitionNotAllowed: SM020, the present state does not know this event.
            GuardFailed: SM022, no guard of this event holds.
            LoopDetected: SM040, the machine blocks this loop.
            InvalidContext: SM021, the new context does not fit the new state, or cannot be stored.
        """
        return self._run(
            self._operations.send(
                session_id,
                event,
                patch,
                append=append,
                expected_version=expected_version,
                request_id=request_id,
                turn=turn,
                actor=actor,
                note=note,
            )
        )

    def update(
        self,
        session_id: str,
        patch: dict[str, Any] | None = None,
        *,
        append: dict[str, Any] | None = None,
        expected_version: int | None = None,
        request_id: UUID | str | None = None,
        turn: int | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> SaveResult:
        """Change the context alone, without a transition and without carrying the whole context over the wire.

        Args:
            session_id: which session.
            patch: a merge patch of the context (RFC 7396): null removes a key.
            append: elements to append to top-level arrays, such as ``{"conversation_history": [message]}``.
            expected_version: the version that the session must still have; None: whatever it is now.
            request_id: applied at most once; a repeated id returns the first call's result, `replayed`.
            turn: the token of the turn under which this is written.
            actor: who asks for this, as you say it; kept in the history.
            note: any JSON value; kept in the history.

        Returns:
            What was done; the context is not sent back.

        Raises:
            SessionNotFound: SM010.
            TurnHeld, TurnExpired: SM050, SM051.
            VersionConflict: SM030, it has another version than expected.
            SessionFinished: SM012, it is in a final state.
            InvalidContext: SM021, the new context does not fit the state, or cannot be stored.
        """
        return self._run(
            self._operations.update(
                session_id,
                patch,
                append=append,
                expected_version=expected_version,
                request_id=request_id,
                turn=turn,
                actor=actor,
                note=note,
            )
        )

    def allowed_events(self, session_id: str) -> list[AllowedEvent]:
        """Return the events of the present state, whether each could be sent now, and why or why not.

        Raises:
            SessionNotFound: SM010.
        """
        return self._run(self._operations.allowed_events(session_id))

    def detect_loop(self, session_id: str) -> list[Loop]:
        """Return the transitions that this session has passed more often than its machine allows; none: no loop.

        Read from the durable history, whoever wrote it.

        Raises:
            SessionNotFound: SM010.
        """
        return self._run(self._operations.detect_loop(session_id))

    def load_context(self, session_id: str, paths: Iterable[str]) -> list[ContextPart]:
        """Return parts of a context, without carrying the whole of it over the wire.

        Args:
            session_id: which session.
            paths: at most 1,000 jsonpaths such as ``$.items[*].price``; they may use what a guard may.

        Returns:
            One part for each item that a path matches, in the order of the paths and of the items; each with the
            version that all of them are of. A path that matches nothing gives none; so does an unknown session.

        Raises:
            psycopg.errors.InvalidParameterValue: 22023, one of them is no jsonpath, or not an allowed one.
        """
        return self._run(self._operations.load_context(session_id, paths))

    def list_sessions(
        self,
        machine: str | None = None,
        state: str | None = None,
        after: str | None = None,
        limit: int | None = 100,
    ) -> list[SessionInfo]:
        """Return sessions without their contexts, by id, in byte order.

        Args:
            machine: only those of this machine; None: of all.
            state: only those in this state; None: in any.
            after: only ids after this one: the last of the page before.
            limit: sessions at most; None: all.
        """
        return self._run(self._operations.list_sessions(machine, state, after, limit))

    def delete(self, session_id: str) -> bool:
        """Erase a session for good, with its history, its turn and its deadlines; one line in `changes` remains.

        Needs role fsm_admin. Not repeated when its connection breaks: outcome_of() is then unknown, and `load` tells.

        Returns:
            True: it was there; False: there is no such session.
        """
        return self._run(self._operations.delete(session_id))
