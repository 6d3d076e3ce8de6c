"""Every function of schema fsm, for every role: allowed or refused as this table says, by really calling it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from support.api import Api

# The privileges as data. A function that is missing here fails the test; so does one that is not there any more.
EVERYBODY = {"fsm_app", "fsm_reader", "fsm_monitor", "fsm_admin"}
APP, READ, ADMIN = {"fsm_app", "fsm_admin"}, {"fsm_app", "fsm_reader", "fsm_admin"}, {"fsm_admin"}
BATCH = "00000000-0000-0000-0000-000000000001"
MAY: dict[str, set[str]] = {
    "define_machine": ADMIN,
    "retire_machine": ADMIN,
    "check_machine": READ,
    "machine_definition": READ,
    "create_session": APP,
    "save_session": APP,
    "send_event": APP,
    "update_context": APP,
    "load_session": READ,
    "load_sessions": READ,
    "load_session_at": READ,
    "history": READ,
    "allowed_events": READ,
    "validate_context": READ,
    "detect_loop": READ,
    "save_sessions": APP,
    "fork_session": APP,
    "rollback_session": APP,
    "delete_session": ADMIN,
    "begin_turn": APP,
    "extend_turn": APP,
    "end_turn": APP,
    "fire_deadlines": APP,
    "upgrade_sessions": ADMIN,
    "purge_sessions": ADMIN,
    "import_sessions": ADMIN,
    "undo_import": ADMIN,
    "import_original": ADMIN,
    "purge_import": ADMIN,
    "trim_history": ADMIN,
    "new_feed_epoch": ADMIN,
    "verify_sessions": {"fsm_reader", "fsm_admin"},
    "changes": {"fsm_reader", "fsm_admin"},
    "load_context": READ,
    "list_sessions": READ,
    "session_as_of": READ,
    "diff_session": READ,
    "diagram": READ,
    "looping_sessions": {"fsm_reader", "fsm_monitor", "fsm_admin"},
    "stuck_sessions": {"fsm_reader", "fsm_monitor", "fsm_admin"},
    "audit_head": {"fsm_reader", "fsm_admin"},
    "metrics": {"fsm_monitor", "fsm_admin"},
    "doctor": {"fsm_monitor", "fsm_admin"},
    "schema_release": EVERYBODY,
}
# A call of each that is right.
CALLS: dict[str, dict[str, Any]] = {
    "define_machine": {"definition": {"id": "x", "initial": "a", "states": {"a": {"on": {"X": "a"}}}}},
    "retire_machine": {"machine": "door", "machine_version": 1},
    "check_machine": {"definition": {}},
    "machine_definition": {"machine": "door"},
    "create_session": {"session_id": "new", "machine": "door"},
    "save_session": {"session_id": "s-1", "state": "open", "context": {}, "expected_version": 1},
    "send_event": {"session_id": "s-1", "event": "OPEN"},
    "update_context": {"session_id": "s-1"},
    "load_session": {"session_id": "s-1"},
    "load_sessions": {"session_ids": ["s-1"]},
    "load_session_at": {"session_id": "s-1", "version": 1},
    "history": {"session_id": "s-1"},
    "allowed_events": {"session_id": "s-1"},
    "validate_context": {"machine": "door", "state": "open", "context": {}},
    "detect_loop": {"session_id": "s-1"},
    "save_sessions": {"items": []},
    "fork_session": {"session_id": "s-1", "version": 1, "new_session_id": "s-2"},
    "rollback_session": {"session_id": "s-1", "to_version": 1, "expected_version": None},
    "delete_session": {"session_id": "s-1"},
    "begin_turn": {"session_id": "s-1", "holder": "me"},
    "extend_turn": {"session_id": "held", "turn": 7, "ttl": "1 minute"},
    "end_turn": {"session_id": "held", "turn": 7},
    "fire_deadlines": {},
    "upgrade_sessions": {"machine": "door", "from_version": 1, "to_version": 2},
    "purge_sessions": {"idle": "1 day"},
    "import_sessions": {"items": "[]", "batch": BATCH},
    "undo_import": {"batch": BATCH},
    "import_original": {"batch": BATCH, "session_id": "s-1"},
    "purge_import": {"batch": BATCH},
    "trim_history": {"keep_versions": 1},
    "new_feed_epoch": {},
    "verify_sessions": {},
    "changes": {},
    "load_context": {"session_id": "s-1", "paths": ["$"]},
    "list_sessions": {},
    "session_as_of": {"session_id": "s-1", "at": "infinity"},
    "diff_session": {"session_id": "s-1", "from_version": 1, "to_version": 1},
    "diagram": {"machine": "door"},
    "looping_sessions": {},
    "stuck_sessions": {"idle": "1 day"},
    "audit_head": {"session_id": "s-1"},
    "metrics": {},
    "doctor": {},
    "schema_release": {},
}
LOGINS = {f"test_{role.removeprefix('fsm_')}": role for role in sorted(EVERYBODY)} | {"test_nobody": "nobody"}


def test_the_table_lists_every_function(db: psycopg.Connection[Any]) -> None:
    rows = db.execute("select proname from pg_proc where pronamespace = 'fsm'::regnamespace order by 1").fetchall()
    assert [name for (name,) in rows] == sorted(MAY)
    assert sorted(CALLS) == sorted(MAY)


@pytest.mark.parametrize("login", LOGINS)
def test_calls_are_allowed_or_refused(
    api: Api, db: psycopg.Connection[Any], connect_as: Callable[..., Any], login: str
) -> None:
    api.create("s-1")
    api.create("held")
    db.execute("select fsm.begin_turn('held', 'somebody')")
    db.execute("update fsm_internal.turns set turn = 7")
    db.execute("select fsm.define_machine(fsm.machine_definition('door') || '{\"description\": \"the second\"}')")
    caller = Api(connect_as(login))
    outcome: dict[str, str] = {}
    for function, arguments in CALLS.items():
        with suppress(psycopg.errors.InsufficientPrivilege), caller.conn.transaction(force_rollback=True):
            caller.rows(function, **arguments)
            outcome[function] = "allowed"
        outcome.setdefault(function, "refused")
    role = LOGINS[login]
    assert outcome == {function: "allowed" if role in roles else "refused" for function, roles in MAY.items()}


def test_the_catalogue_says_the_same(db: psycopg.Connection[Any]) -> None:
    rows = db.execute(
        """
        select r.rolname, p.proname, has_function_privilege(r.oid, p.oid, 'execute')
          and has_schema_privilege(r.oid, p.pronamespace, 'usage')
        from pg_proc p, pg_roles r
        where p.pronamespace = 'fsm'::regnamespace and r.rolname = any(%s)
        """,
        ([*EVERYBODY, "test_nobody"],),
    )
    assert {(function, role) for role, function, may in rows if may} == {
        (function, role) for function, roles in MAY.items() for role in roles
    }


def test_nobody_does_not_even_see_inside(connect_as: Callable[..., Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema fsm"):
        connect_as("test_nobody").execute("select fsm.schema_release()")
