"""The functions of schema fsm, called by argument name on a connection, and what a refusal must look like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import namedtuple_row

JSON_ARGUMENTS = {"context", "patch", "append", "note", "definition", "items", "state_map"}

# One stable sentence without data for each refusal; plain misuse of an argument has three.
MESSAGES = {
    "SM001": {"machine not found"},
    "SM002": {"definition invalid"},
    "SM010": {"session not found"},
    "SM011": {"session exists"},
    "SM012": {"session is in a final state"},
    "SM020": {"no such transition from this state"},
    "SM021": {"context rejected"},
    "SM022": {"guard does not hold"},
    "SM030": {"version conflict"},
    "SM040": {"loop blocked"},
    "SM050": {"turn held by another"},
    "SM051": {"turn token stale"},
    "SM060": {"stored session corrupt"},
    "22004": {"argument must not be null"},
    "22023": {
        "argument empty or too long",
        "argument too large",
        "limit below 1",
        "interval out of range",
        "path not usable",
        "session of another machine",
        "unknown format",
        "version never made or no longer retained",
        "batch is not an array",
        "item of a batch has the wrong form",
        "item of an import has the wrong form",
        "not a cursor of the feed",
        "upgrade to the same version",
        "unknown state in the state map",
    },
}


class Refusal:
    """What an error said; complete after the ``with refused(...)`` block."""

    message: str
    detail: dict[str, Any]
    hint: str


@contextmanager
def refused(sqlstate: str) -> Iterator[Refusal]:
    """Expect this SQLSTATE with its MESSAGE, a JSON object in DETAIL and a HINT."""
    refusal = Refusal()
    with pytest.raises(psycopg.Error) as caught:
        yield refusal
    assert isinstance(caught.value, psycopg.Error)
    diag = caught.value.diag
    said = f"{diag.sqlstate}: {diag.message_primary} {diag.message_detail}"
    assert diag.sqlstate == sqlstate, said
    assert diag.message_primary in MESSAGES[sqlstate], said
    assert diag.message_detail, said
    assert diag.message_hint, said
    refusal.message = diag.message_primary
    refusal.detail = json.loads(diag.message_detail)
    refusal.hint = diag.message_hint
    assert isinstance(refusal.detail, dict), said
    assert "\n" not in refusal.message + refusal.hint


@contextmanager
def case(label: object) -> Iterator[None]:
    """Say which case it was that failed, where many share a database."""
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:
        raise AssertionError(f"in the case of {label}: {error}") from error


class Api:
    """``Api(conn).save("s-1", "open", {})``. Arguments are named without ``p_``; rows come as named tuples.

    JSON arguments are Python values, or a str of JSON text where its spelling matters.
    """

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn

    def cursor(self, function: str, **arguments: Any) -> psycopg.Cursor[Any]:
        """Call a function as a table and return the cursor."""
        given = [sql.SQL("{} => {}").format(sql.Identifier(f"p_{name}"), sql.Placeholder()) for name in arguments]
        call = sql.SQL("select * from fsm.{}({})").format(sql.Identifier(function), sql.SQL(", ").join(given))
        values = [
            json.dumps(value, ensure_ascii=False)
            if name in JSON_ARGUMENTS and value is not None and not isinstance(value, str)
            else value
            for name, value in arguments.items()
        ]
        return self.conn.cursor(row_factory=namedtuple_row).execute(call, values)

    def rows(self, function: str, **arguments: Any) -> list[Any]:
        return self.cursor(function, **arguments).fetchall()

    def one(self, function: str, **arguments: Any) -> Any:
        [row] = self.rows(function, **arguments)
        return row

    def create(self, session_id: str | None = "s-1", machine: str | None = "door", **more: Any) -> Any:
        return self.one("create_session", session_id=session_id, machine=machine, **more)

    def save(
        self, session_id: str | None, state: str | None, context: Any = "{}", version: int | None = None, **more: Any
    ) -> Any:
        """Save; `version` is the expected one."""
        arguments = {"state": state, "context": context, "expected_version": version, **more}
        return self.one("save_session", session_id=session_id, **arguments)

    def send(self, session_id: str | None, event: str | None, **more: Any) -> Any:
        return self.one("send_event", session_id=session_id, event=event, **more)

    def update(self, session_id: str | None, **more: Any) -> Any:
        return self.one("update_context", session_id=session_id, **more)

    def load(self, session_id: str | None, **more: Any) -> Any:
        """Return the session, or None."""
        rows = self.rows("load_session", session_id=session_id, **more)
        assert len(rows) <= 1
        return rows[0] if rows else None

    def at(self, session_id: str | None, version: int | None) -> Any:
        """Return the session as it was at a version, or None."""
        rows = self.rows("load_session_at", session_id=session_id, version=version)
        assert len(rows) <= 1
        return rows[0] if rows else None

    def history(self, session_id: str | None, **more: Any) -> list[Any]:
        return self.rows("history", session_id=session_id, **more)

    def text(self, session_id: str, version: int | None = None) -> str | None:
        """Return the context's text, now or at a version: as jsonb spells it, 1.0 other than 1."""
        call = "load_session(%s)" if version is None else "load_session_at(%s, %s)"
        arguments = (session_id,) if version is None else (session_id, version)
        row = self.conn.execute(f"select context::pg_catalog.text from fsm.{call}", arguments).fetchone()
        return None if row is None else row[0]

    def move(self, session_id: str, *events: str) -> Any:
        """Send events one after the other; return the last answer."""
        return [self.send(session_id, event) for event in events][-1]

    def begin(self, session_id: str | None = "s-1", holder: str | None = "me", **more: Any) -> Any:
        """Begin a turn."""
        return self.one("begin_turn", session_id=session_id, holder=holder, **more)

    def batch(self, items: Any, **more: Any) -> list[Any]:
        """Save several sessions in one call."""
        return self.rows("save_sessions", items=items, **more)

    def rollback(self, session_id: str | None, to_version: int | None, version: int | None = None, **more: Any) -> Any:
        """Roll back; `version` is the expected one."""
        arguments = {"to_version": to_version, "expected_version": version, **more}
        return self.one("rollback_session", session_id=session_id, **arguments)

    def fork(self, session_id: str | None, version: int | None, new_session_id: str | None, **more: Any) -> Any:
        """Fork a session as it was at a version."""
        return self.one("fork_session", session_id=session_id, version=version, new_session_id=new_session_id, **more)

    def fire(self, **more: Any) -> list[Any]:
        """Take the deadlines that are due."""
        return self.rows("fire_deadlines", **more)
