"""Each SQLSTATE by a plain statement: MESSAGE without data, DETAIL with the facts, a HINT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import MESSAGES, Api, refused

STATES = {
    "a": {"on": {"GO": {"target": "b", "guard": "$.ok == true"}, "SELF": "a", "END": "z"}},
    "b": {"on": {"BACK": "a"}},
    "z": {"type": "final"},
}
LOOP = {"limit": 1, "window": "1 hour", "action": "block"}
AT = {"session_id": "s-1", "version": 2}
HERE = {**AT, "state": "a", "machine": "m", "machine_version": 1, "allowed_events": ["END", "GO", "SELF"]}
GUARD = {"event": "GO", "candidate": 1, "to_state": "b", "guard": "$.ok == true", "holds": False}

# A statement on session s-1: state a, version 2, one passage a -> a behind it. And DETAIL without its findings.
STATEMENTS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "SM001",
        "select fsm.create_session('new', 'nothing', '{}', 3)",
        {"machine": "nothing", "machine_version": 3, "versions": []},
    ),
    ("SM002", """select fsm.define_machine('{"id": "x", "initial": "a", "states": {}}')""", {"machine": "x"}),
    ("SM010", "select fsm.history('nobody')", {"session_id": "nobody"}),
    ("SM011", "select fsm.create_session('s-1', 'm')", {**AT, "machine": "m", "state": "a"}),
    ("SM012", "select fsm.send_event('s-z', 'END')", {"session_id": "s-z", "state": "z", "version": 2}),
    ("SM020", "select fsm.save_session('s-1', 'b', '{}', 2, 'END')", {**HERE, "to_state": "b", "event": "END"}),
    ("SM020", "select fsm.send_event('s-1', 'NO')", {**HERE, "to_state": None, "event": "NO"}),
    (
        "SM021",
        """select fsm.update_context('s-1', '{"n": "x"}')""",
        {"session_id": "s-1", "state": "a", "code": "type", "path": "$.n"},
    ),
    (
        "SM022",
        "select fsm.save_session('s-1', 'b', '{}', 2)",
        {**HERE, "to_state": "b", "event": None, "candidates": [GUARD]},
    ),
    (
        "SM022",
        "select fsm.send_event('s-1', 'GO')",
        {**HERE, "to_state": None, "event": "GO", "candidates": [GUARD]},
    ),
    ("SM030", "select fsm.save_session('s-1', 'a', '{}', 1)", {**AT, "expected_version": 1, "state": "a"}),
    (
        "SM040",
        "select fsm.send_event('s-1', 'SELF')",
        {
            **AT, "machine": "m", "machine_version": 1, "from_state": "a", "to_state": "a", "event": "SELF",
            "loop_limit": 1, "loop_window": "3600 seconds", "action": "block", "divert_to": None,
        },
    ),
    (
        "SM050",
        "select fsm.update_context('held')",
        {"session_id": "held", "holder": "worker-7", "expires_at": "2100-01-01T00:00:00+00:00"},
    ),
    ("SM051", "select fsm.update_context('s-1', p_turn => 5)", {"session_id": "s-1", "turn": 5, "held_turn": None}),
    (
        "SM060",
        "select fsm.load_session('broken')",
        {"session_id": "broken", "code": "unknown_state", "machine": "m", "machine_version": 1, "state": "nowhere"},
    ),
    ("22004", "select fsm.send_event('s-1', null)", {"argument": "p_event"}),
    ("22023", "select fsm.send_event('s-1', '')", {"argument": "p_event", "bytes": 0, "max_bytes": 128}),
    ("22023", "select fsm.history('s-1', 0)", {"argument": "p_limit", "value": 0}),
    (
        "22023",
        "select fsm.load_sessions(array_fill('x'::text, array[1001]))",
        {"argument": "p_session_ids", "items": 1001, "limit": 1000},
    ),
]  # fmt: skip


@pytest.fixture
def conn(api: Api, db: psycopg.Connection[Any], define: Callable[..., int]) -> psycopg.Connection[Any]:
    """A superuser's connection, because define_machine is not the application's."""
    define(STATES, loop=LOOP, context_schema={"properties": {"n": {"type": "integer"}}})
    for session_id in ("s-1", "s-z", "broken", "held"):
        api.create(session_id, "m")
    api.send("s-1", "SELF")
    api.send("s-z", "END")
    db.execute("set timezone to 'UTC'")
    db.execute("select fsm.begin_turn('held', 'worker-7')")
    db.execute("update fsm_internal.turns set expires_at = '2100-01-01 00:00+00'")
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 'broken'")
    return db


def test_the_message_is_stable_and_the_facts_are_in_detail(conn: psycopg.Connection[Any]) -> None:
    hints = set()
    for sqlstate, statement, facts in STATEMENTS:
        with refused(sqlstate) as refusal:
            conn.execute(statement)
        findings = refusal.detail.pop("findings", None)
        assert refusal.detail == facts, statement
        assert (findings is not None) == (sqlstate in ("SM002", "SM021"))
        for finding in findings or []:
            assert {"code", "path", "message"} <= set(finding)
        hints.add(refusal.hint)
    assert len(hints) >= len(MESSAGES)


def test_none_is_missing() -> None:
    assert {sqlstate for sqlstate, _, _ in STATEMENTS} == set(MESSAGES)


def test_a_refusal_never_changes_anything(conn: psycopg.Connection[Any]) -> None:
    def stored() -> list[Any]:
        return conn.execute(
            "select to_jsonb(s) from fsm_internal.sessions s union all select to_jsonb(h) from fsm_internal.history h"
            " union all select to_jsonb(v) from fsm_internal.machine_versions v order by 1"
        ).fetchall()

    before = stored()
    for sqlstate, statement, _ in STATEMENTS:
        with refused(sqlstate):
            conn.execute(statement)
    assert stored() == before


def test_a_refusal_leaves_the_transaction_usable_after_a_savepoint(conn: psycopg.Connection[Any], api: Api) -> None:
    with api.conn.transaction():
        api.update("s-1", patch={"n": 1})
        for sqlstate, statement, _ in STATEMENTS:
            if sqlstate == "SM002":
                continue
            with refused(sqlstate), api.conn.transaction():
                api.conn.execute(statement.replace("'{}', 2)", "'{}', 3)").replace("'{}', 2,", "'{}', 3,"))
        api.update("s-1", patch={"n": 2})
    assert api.load("s-1").context == {"n": 2}
