"""Turns of the synchronous client: a lease on a session for as long as a reply takes."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any
from uuid import UUID

import psycopg

from .driver import Driver
from .errors import FsmError
from .held_turn import HeldTurn
from .rows import SaveResult, Session
from .session_operations import Expect


class Turn(HeldTurn):
    """A turn on a session, to be used as a context manager: made by `turn` of a store.

    Inside the block nobody else can write the session, in any process, until the turn expires; it is extended in the
    background while the block runs, and ended with it. The methods write under the turn and keep `session` current.

    The database alone decides whether the turn is still held: a write that comes too late raises TurnExpired, also when
    nobody here has noticed before.

    Attributes:
        session_id: which session.
        holder: who holds the turn, as the caller said.
        session: the session as this turn last had it from the database.
        turn: the token, to be passed as `turn` to methods of a store.
        expires_at: when it expires unless it is extended, by the clock of the database; None if it had ended already
            when it was asked for again with the same request id.
        lost: the database has said that the token is stale. Nothing that is written with it will be taken.
    """

    def __init__(self, store: Driver, *arguments: Any) -> None:
        super().__init__(store._operations, store._connections.joined, store._timeout, *arguments)
        self._run = store._run
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()

    def __enter__(self) -> Turn:
        self._run(self._begin())
        if not self._joined:
            name = f"fsmstore turn of {self.session_id}"
            self._thread = threading.Thread(target=self._keep_extending, name=name, daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the system has no more threads
                self._run(self._end())
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if os.getpid() != self._pid:  # The body forked: the turn is the parent's.
            return
        self._over.set()
        try:
            if self._thread is not None:
                self._thread.join()
        finally:
            try:
                self._run(self._end())
            except (FsmError, psycopg.Error) as failure:
                self._not_ended(failure, raised=kind is not None)

    def _keep_extending(self) -> None:
        pause: float | None = self._period
        while pause is not None and not self._over.wait(pause):
            try:
                self._run(self._extend(None), timeout=self._attempt)
            except (FsmError, psycopg.Error) as error:
                pause = self._after_failure(error)
            else:
                pause = self._period

    def extend(self, ttl: float | timedelta | None = None) -> datetime:
        """Let the turn expire `ttl` from now, and return when that is, by the clock of the database.

        Args:
            ttl: seconds, or a timedelta, above 0 and at most 1 hour; from now on the extension in the background uses
                it too. None: as before.

        Raises:
            TurnExpired: SM051, it is not held any more.
            SessionNotFound: SM010.
        """
        return self._run(self._extend(ttl))

    def load(self) -> Session | None:
        """Load the session anew; None: it was deleted meanwhile, and `session` stays what it was.

        Raises:
            CorruptSession: SM060.
        """
        return self._run(self._load())

    def save(
        self,
        session: Session,
        *,
        event: str | None = None,
        expected_version: int | Expect | None = Expect.SESSION_VERSION,
        request_id: UUID | str | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """Save under the turn, as `save` of the store does.

        Raises:
            TurnExpired: SM051, it is not held any more.
            FsmError: what else `save` of the store raises.
        """
        return self._run(
            self._save(
                session,
                event=event,
                expected_version=expected_version,
                request_id=request_id,
                actor=actor,
                note=note,
            )
        )

    def send(
        self,
        event: str,
        patch: dict[str, Any] | None = None,
        *,
        append: dict[str, Any] | None = None,
        expected_version: int | None = None,
        request_id: UUID | str | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> Session:
        """Send an event to the session under the turn, as `send` of the store does.

        Raises:
            TurnExpired: SM051, it is not held any more.
            FsmError: what else `send` of the store raises.
        """
        return self._run(
            self._send(
                event,
                patch,
                append=append,
                expected_version=expected_version,
                request_id=request_id,
                actor=actor,
                note=note,
            )
        )

    def update(
        self,
        patch: dict[str, Any] | None = None,
        *,
        append: dict[str, Any] | None = None,
        expected_version: int | None = None,
        request_id: UUID | str | None = None,
        actor: str | None = None,
        note: Any = None,
    ) -> SaveResult:
        """Change the context alone under the turn, as `update` of the store does, and load the session anew.

        The whole context comes back for that; `update` of the store, with the token, spares it. When the update is done
        and only the loading fails, that is logged, and `session` stays what it was.

        Raises:
            TurnExpired: SM051, it is not held any more.
            FsmError: what else `update` of the store raises.
        """
        return self._run(
            self._update(
                patch,
                append=append,
                expected_version=expected_version,
                request_id=request_id,
                actor=actor,
                note=note,
            )
        )

    def rollback(
        self,
        to_version: int,
        *,
        expected_version: int | Expect | None = Expect.SESSION_VERSION,
        reason: str | None = None,
        request_id: UUID | str | None = None,
        actor: str | None = None,
    ) -> Session:
        """Bring an earlier version back under the turn, as `rollback` of the store does.

        The version that the session must still have is that of `session` unless another is given.

        Raises:
            TurnExpired: SM051, it is not held any more.
            FsmError: what else `rollback` of the store raises.
        """
        return self._run(
            self._rollback(to_version, expected_version, reason=reason, request_id=request_id, actor=actor)
        )


class TurnMethods(Driver):
    """What a synchronous store can do with turns."""

    def turn(
        self, session_id: str, holder: str, ttl: float | timedelta = 60.0, *, request_id: UUID | str | None = None
    ) -> Turn:
        """Hold a session for the time of a block, so that a long reply can be worked out while nobody else writes it.

        ``with store.turn("s-1", "worker-7") as turn:`` (``async with`` for the asynchronous store) begins the turn,
        extends it in the background every third of `ttl`, and ends it, also when the block raises. A turn that is stale
        by then is no error; an error in ending it is raised unless the block raised something itself. When the process
        dies, or cannot reach the database, the turn expires after `ttl`, and its token is worth nothing any more:
        writes that come late raise TurnExpired, whatever was begun since.

        On a store that was given a connection the turn is part of the caller's transaction, nothing happens in the
        background, and others see it after the commit; ``turn.extend()`` is there for long work.

        Args:
            session_id: which session.
            holder: who you are, for people to read; 1 to 512 bytes.
            ttl: seconds, or a timedelta, above 0 and at most 1 hour: how long after the last extension it expires.
            request_id: the same id gives the same turn again, as it now is; a new one unless given.

        Returns:
            What the block is given: a turn, with the session as it is at its beginning. Errors come when it is entered.

        Raises:
            TurnHeld: SM050, another has it; `holder` and `expires_at` say who, and until when.
            SessionNotFound: SM010.
            CorruptSession: SM060.
            RuntimeError: the same object is entered twice.
        """
        return Turn(self, session_id, holder, ttl, request_id)
