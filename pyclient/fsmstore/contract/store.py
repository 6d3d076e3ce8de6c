"""Saving and loading a contract engine's objects."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from fsmstore.errors import (
    CorruptSession,
    FsmError,
    InvalidContext,
    MachineNotFound,
    Outcome,
    SchemaMismatch,
    SessionExists,
    SessionNotFound,
)
from fsmstore.rows import Session
from fsmstore.session_operations import Expect
from fsmstore.store import SessionStore
from fsmstore.turns import Turn

from .context import SwisperContext
from .events import emit
from .held import Held
from .machine import ContractStateMachine
from .metrics import Metrics
from .savepoints import savepoint
from .template import template_path
from .translation import Wanted, context_like, machine_of, wanted

_LOGGER = logging.getLogger("fsmstore.contract")
# Another process may create the session, and a third one erase it, between our look and our create.
_RACES = 3


class UnifiedSessionStore:
    """The one store of a contract engine's sessions: thin over `SessionStore`, every rule in the database.

    Anything with a ``context`` that has ``to_dict`` and with a ``contract_template`` (path, name, object or None) can
    be saved. The state is the session's: ``current_state`` and ``session_id`` are not stored in the context, and are
    put back into the one that is handed out. ``contract_template`` is stored as the template's name.

    An object is remembered, while it lives, with the version that it was last loaded or saved as, and saved on top of
    that version only. One that was never seen before is saved on top of whatever is there, by the ordinary rules.

    Threads may share a store, but not an engine's object.

    Args:
        target: a connection string or URL, a pool, or a `SessionStore`, which is then left open; or a connection, whose
            transaction every call joins: it is never committed here, and a refusal does not abort it.
        fsm_factory: makes an engine's object from the path of its template; the context is replaced by the stored one.
        template_directory: where templates are looked for before those that are shipped.

    Raises:
        TypeError: `target` is none of these.
    """

    def __init__(
        self,
        target: str | ConnectionPool[Any] | psycopg.Connection[Any] | SessionStore,
        fsm_factory: Callable[[str], Any] = ContractStateMachine,
        *,
        template_directory: str | Path | None = None,
    ) -> None:
        self._owns = not isinstance(target, SessionStore)
        self._store = target if isinstance(target, SessionStore) else SessionStore(target)
        self._joined = target if isinstance(target, psycopg.Connection) else None
        self._factory = fsm_factory
        self._directory = template_directory
        self._held = Held()
        self._metrics = Metrics()
        self._local = threading.local()

    @property
    def sessions(self) -> SessionStore:
        """The store underneath: history, rollback, turns and all else."""
        return self._store

    @property
    def last_refusal(self) -> FsmError | None:
        """Why the last save of this thread that was refused was refused; None: none was."""
        refusal: FsmError | None = getattr(self._local, "refusal", None)
        return refusal

    def save_fsm_state(self, session_id: str, fsm: Any) -> bool:
        """Save an engine's object: its state, by one step of the machine, and its context.

        The first save of an id creates the session in the initial state of its machine (the contract's type, or else
        the template's name), with this context, and then saves the state by the ordinary rule.

        Returns:
            True: it is saved, and committed. False: the rules refused it; `last_refusal` says why, a record
            ``fsm.save_refused`` is logged, and the object's context is put back to what the database holds (where
            there is no session at all, it is left alone).

        Raises:
            CorruptSession: SM060, what is stored contradicts itself.
            SchemaMismatch: SM070.
            psycopg.Error: the database is lost, or an argument is misused: never False.
            UnknownTemplate: the contract template's name cannot be one.
        """
        with self._metrics.timed("save"):
            try:
                asked = wanted(fsm)
                saved = self._save(session_id, fsm, asked)
            except FsmError as error:
                if not _is_refusal(error):
                    raise
                self._refused(session_id, error)
            else:
                self._saved(fsm, asked, saved)
                return True
            self._put_back({session_id: fsm})
            return False

    def load_fsm_state(self, session_id: str) -> Any:
        """Return a new object of the engine with the stored state and context, or None if there is no such session.

        Raises:
            CorruptSession: SM060, what is stored contradicts itself.
            UnsupportedSerialization: the context was written in a form that this release does not know.
            UnknownTemplate: there is no template of the stored name.
            psycopg.Error: the database is lost.
        """
        with self._metrics.timed("load"):
            session = self._store.load(session_id)
            return None if session is None else self._rebuilt(session)

    def save_many(self, items: Mapping[str, Any]) -> dict[str, bool]:
        """Save many objects, each for itself as `save_fsm_state` does, in one call for every 1,000 of them.

        Sessions that are not there yet are created one by one. A corrupt session is False here, so that it does not
        keep the others from being saved.

        Returns:
            For each id whether it is saved.
        """
        with self._metrics.timed("save", len(items)):
            asked: dict[str, Wanted] = {}
            refused: dict[str, FsmError] = {}
            for session_id, fsm in items.items():
                try:
                    asked[session_id] = wanted(fsm)
                except InvalidContext as invalid:
                    refused[session_id] = invalid
            refused |= self._save_together(items, asked)
            for session_id, error in refused.items():
                self._refused(session_id, error)
            self._put_back({name: items[name] for name, why in refused.items() if not isinstance(why, CorruptSession)})
            return {session_id: session_id not in refused for session_id in items}

    def load_many(self, session_ids: Iterable[str]) -> dict[str, Any]:
        """Return new objects of the engine for those of these ids that exist, with one call for every 1,000.

        Raises:
            CorruptSession: SM060, one of them contradicts itself; otherwise what `load_fsm_state` raises.
        """
        wanted_ids = list(dict.fromkeys(session_ids))
        with self._metrics.timed("load", len(wanted_ids)):
            found = self._store.load_many(wanted_ids)
            return {session_id: self._rebuilt(session) for session_id, session in found.items()}

    @contextmanager
    def turn(self, session_id: str, holder: str, ttl: float = 60.0) -> Iterator[Turn]:
        """Hold a session for the time of a block, so that a long reply is worked out while nobody else writes it.

        What this thread saves of the session inside the block is saved under the turn; see `SessionStore.turn`.

        Raises:
            TurnHeld: SM050, another has it.
            SessionNotFound: SM010, it is not saved yet.
        """
        with self._store.turn(session_id, holder, ttl) as turn:
            assert turn.turn is not None  # it has been entered
            tokens = self._tokens()
            tokens[session_id] = turn.turn
            try:
                yield turn
            finally:
                del tokens[session_id]

    def validate_state_integrity(self, context_dict: Mapping[str, Any]) -> bool:
        """Ask the database whether a session could be saved with this context, in the state that it names.

        Nothing is stored. What there is to say against it is logged as ``fsm.context_invalid``.
        """
        state = context_dict.get("current_state")
        try:
            with savepoint(self._joined):
                findings = self._store.validate(
                    machine_of(context_dict),
                    state if isinstance(state, str) else None,  # type: ignore[arg-type]  # the database says what is wrong
                    dict(context_dict),
                )
        except (InvalidContext, MachineNotFound) as error:
            said: list[Any] = [error.message]
        except (psycopg.errors.InvalidParameterValue, psycopg.errors.NullValueNotAllowed) as error:
            said = [str(error)]
        else:
            said = [f"{finding.code} at {finding.path}: {finding.message}" for finding in findings]
        if said:
            emit(_LOGGER, logging.WARNING, "fsm.context_invalid", state=state, findings=said)
        return not said

    def get_performance_metrics(self) -> dict[str, Any]:
        """Return what this store did in this process.

        ``saves`` and ``loads``, of each ``…_errors``, ``…_ms_average`` and ``…_ms_max`` (of a batch: its whole time,
        spread over its items), ``refusals`` by SQLSTATE.
        """
        return self._metrics.report("save", "load")

    def close(self) -> None:
        """Close the store underneath, unless it was given."""
        if self._owns:
            self._store.close()

    def __enter__(self) -> UnifiedSessionStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _save(self, session_id: str, fsm: Any, asked: Wanted) -> Session:
        version = self._held.version(fsm, session_id)
        if version is not None:
            return self._write(asked.session(session_id, version))
        lost = 0
        while True:
            if self._store.load(session_id) is not None:
                return self._write(asked.session(session_id, 0), expected_version=None)
            try:
                with savepoint(self._joined):
                    created = self._store.create(session_id, asked.machine, asked.context)
            except SessionExists:
                lost += 1
                if lost == _RACES:
                    raise
                continue  # another process was faster; on to its session
            # Remembered already here: if the save breaks off, the next one is on top of this and of nothing else.
            self._held.put(fsm, session_id, created.version)
            if created.state == asked.state:
                return created
            return self._write(created.evolve(state=asked.state))

    def _write(self, session: Session, expected_version: int | Expect | None = Expect.SESSION_VERSION) -> Session:
        with savepoint(self._joined):
            token = self._tokens().get(session.session_id)
            return self._store.save(session, expected_version=expected_version, turn=token)

    def _tokens(self) -> dict[str, int]:
        """Return the tokens of the turns that this thread holds, by session."""
        tokens: dict[str, int] = self._local.__dict__.setdefault("tokens", {})
        return tokens

    def _save_together(self, items: Mapping[str, Any], asked: Mapping[str, Wanted]) -> dict[str, FsmError]:
        """Save what is asked in one call, and then what that call did not find; return the refusals."""
        versions = {session_id: self._held.version(items[session_id], session_id) for session_id in asked}
        batch = [
            {
                "session_id": session_id,
                "state": one.state,
                "context": one.context,
                "expected_version": versions[session_id],
                "turn": self._tokens().get(session_id),
            }
            for session_id, one in asked.items()
        ]
        refused: dict[str, FsmError] = {}
        for (session_id, one), outcome in zip(
            asked.items(), self._store.save_many(batch, atomic=False) if batch else (), strict=True
        ):
            error = outcome.error
            saved = None if outcome.version is None else one.session(session_id, outcome.version, outcome.state)
            if isinstance(error, SessionNotFound):
                saved, error = self._tried(session_id, items[session_id], one)
            if saved is not None:
                self._saved(items[session_id], one, saved)
            elif isinstance(error, FsmError):
                refused[session_id] = error
            else:
                assert error is not None
                raise error
        return refused

    def _tried(self, session_id: str, fsm: Any, asked: Wanted) -> tuple[Session | None, FsmError | None]:
        try:
            return self._save(session_id, fsm, asked), None
        except FsmError as error:
            if not _is_refusal(error):
                raise
            return None, error

    def _saved(self, fsm: Any, asked: Wanted, saved: Session) -> None:
        self._held.put(fsm, saved.session_id, saved.version)
        if saved.state != asked.state:  # the machine diverts loops
            facts = {"session_id": saved.session_id, "asked": asked.state, "got": saved.state}
            emit(_LOGGER, logging.WARNING, "fsm.save_diverted", **facts)
            fsm.context = context_like(fsm.context, saved)
        elif isinstance(fsm.context, SwisperContext):
            fsm.context.session_id = saved.session_id  # a new one does not know it yet

    def _refused(self, session_id: str, error: FsmError) -> None:
        self._local.refusal = error
        self._metrics.refused(error.sqlstate)
        emit(
            _LOGGER,
            logging.WARNING,
            "fsm.save_refused",
            session_id=session_id,
            sqlstate=error.sqlstate,
            reason=error.message,
            detail=error.detail,
        )

    def _put_back(self, refused: Mapping[str, Any]) -> None:
        """Give each object the context that the database holds, so that memory and database say the same."""
        held = self._store.load_many(refused) if refused else {}
        for session_id, fsm in refused.items():
            session = held.get(session_id)
            if session is None:
                self._held.drop(fsm)
            else:
                fsm.context = context_like(fsm.context, session)
                self._held.put(fsm, session.session_id, session.version)

    def _rebuilt(self, session: Session) -> Any:
        template = session.context.get("contract_template") or session.machine
        fsm = self._factory(str(template_path(template, self._directory)))
        fsm.context = context_like(fsm.context, session)
        self._held.put(fsm, session.session_id, session.version)
        return fsm


def _is_refusal(error: FsmError) -> bool:
    """Tell whether the rules refused a save: not if something is broken, nor if it was saved in spite of the error."""
    return not isinstance(error, (CorruptSession, SchemaMismatch)) and error.outcome is Outcome.NOT_DONE
