"""A client without the client library: plain SQL on one connection, nothing repeated, nothing kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from fsmstore import Session
from support.api import Api

_SESSION = (
    "session_id", "machine", "machine_version", "state", "version", "context", "context_version", "is_final",
    "entered_at", "created_at", "updated_at",
)  # fmt: skip


class DirectStore:
    """The methods of a store that the load uses, as calls of the functions of schema fsm."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.Connection[Any] | None = None
        self._backend = 0
        self.switched = 0
        """How often the next update was served by another backend than the last, on one connection: by a pooler."""

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
            self._backend = 0

    def _api(self) -> Api:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self.close()
            self._connection = psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None)
        return Api(self._connection)

    def _one(self, function: str, **arguments: Any) -> Any:
        return self._api().one(function, **arguments)

    def create(self, session_id: str, machine: str, context: dict[str, Any], **more: Any) -> Any:
        """create_session."""
        return _wrote(
            self._one("create_session", session_id=session_id, machine=machine, context=context, **more), context
        )

    def load(self, session_id: str) -> Session | None:
        """load_session."""
        row = self._api().load(session_id)
        return None if row is None else _session(row)

    def load_at(self, session_id: str, version: int) -> Session | None:
        """load_session_at."""
        row = self._api().at(session_id, version)
        return None if row is None else _session(row)

    def load_many(self, session_ids: list[str]) -> dict[str, Session]:
        """load_sessions."""
        return {row.session_id: _session(row) for row in self._api().rows("load_sessions", session_ids=session_ids)}

    def history(self, session_id: str, limit: int) -> list[Any]:
        """history."""
        return self._api().history(session_id, limit=limit)

    def save(self, session: Session, *, expected_version: int | None, **more: Any) -> Any:
        """save_session."""
        arguments = {"state": session.state, "context": session.context, "expected_version": expected_version, **more}
        return _wrote(self._one("save_session", session_id=session.session_id, **arguments), session.context)

    def send(self, session_id: str, event: str, patch: dict[str, Any], **more: Any) -> Any:
        """send_event."""
        row = self._one("send_event", session_id=session_id, event=event, patch=patch, **more)
        return _wrote(row, row.context)

    def update(self, session_id: str, patch: dict[str, Any], **more: Any) -> Any:
        """update_context; notes which backend served it."""
        given = {"session_id": session_id, "patch": json.dumps(patch), **more}
        given["append"] = json.dumps(given.get("append") or {})
        arguments = ", ".join(f"p_{name} => %({name})s" for name in given)
        query = f"select *, pg_backend_pid() as backend from fsm.update_context({arguments})"
        row: Any = self._api().conn.cursor(row_factory=namedtuple_row).execute(query, given).fetchone()
        self.switched += self._backend not in (0, row.backend)
        self._backend = row.backend
        return row

    def rollback(self, session_id: str, to_version: int, **more: Any) -> Any:
        """rollback_session."""
        row = self._api().rollback(session_id, to_version, more.pop("expected_version"), **more)
        return _wrote(row, row.context)

    def fork(self, session_id: str, version: int, new_session_id: str, **more: Any) -> Any:
        """fork_session."""
        return self._api().fork(session_id, version, new_session_id, **more)

    def save_many(self, items: Iterable[Mapping[str, Any]], atomic: bool) -> list[Any]:
        """save_sessions."""
        return self._api().batch(list(items), atomic=atomic)


def _session(row: Any) -> Session:
    return Session(**{name: getattr(row, name) for name in _SESSION})


def _wrote(row: Any, context: dict[str, Any] | None) -> Any:
    return SimpleNamespace(result=row, context=None if row.replayed else context)
