"""fsm_owner owns everything; API functions run as it with a pinned search_path, helpers never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api

OURS = "in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)"
OWNED = {
    "schemas": f"select nspname::text, nspowner from pg_namespace where oid {OURS}",
    "relations, indexes, sequences": f"select oid::regclass::text, relowner from pg_class where relnamespace {OURS}",
    "functions": f"select oid::regprocedure::text, proowner from pg_proc where pronamespace {OURS}",
    "types": f"select format_type(oid, null), typowner from pg_type where typnamespace {OURS}",
}


@pytest.mark.parametrize("kind", OWNED)
def test_fsm_owner_owns_all(db: psycopg.Connection[Any], kind: str) -> None:
    rows = db.execute(f"select name, owner::regrole::text from ({OWNED[kind]}) o (name, owner)").fetchall()
    assert len(rows) >= 2
    assert [row for row in rows if row[1] != "fsm_owner"] == []


def test_api_functions_run_as_the_owner_with_a_pinned_search_path(db: psycopg.Connection[Any]) -> None:
    rows = db.execute(
        "select oid::regprocedure::text, prosecdef, proconfig from pg_proc where pronamespace = 'fsm'::regnamespace"
    ).fetchall()
    assert len(rows) >= 16
    assert [row for row in rows if row[1:] != (True, ["search_path=pg_catalog, pg_temp"])] == []


def test_helpers_run_as_their_caller_with_the_callers_search_path(db: psycopg.Connection[Any]) -> None:
    rows = db.execute(
        "select oid::regprocedure::text from pg_proc where pronamespace = 'fsm_internal'::regnamespace"
        " and (prosecdef or proconfig is not null)"
    ).fetchall()
    assert rows == []


def test_replacing_a_function_would_drop_neither(db: psycopg.Connection[Any]) -> None:
    """What the catalogue says is what the sources say: pg_get_functiondef gives a function that is pinned."""
    rows = db.execute("select pg_get_functiondef(oid) from pg_proc where pronamespace = 'fsm'::regnamespace").fetchall()
    for (text,) in rows:
        assert " SECURITY DEFINER" in text
        assert "SET search_path TO 'pg_catalog', 'pg_temp'" in text


def test_the_session_user_is_recorded_whatever_role_is_set(
    api: Api, db: psycopg.Connection[Any], connect_as: Callable[..., Any]
) -> None:
    api.create("s-1", actor="postgres")
    admin = Api(connect_as("test_admin"))
    admin.update("s-1")
    db.execute("set role fsm_app")
    Api(db).update("s-1")
    db.execute("reset role")
    db.execute("set session authorization test_app")
    Api(db).update("s-1")
    db.execute("reset session authorization")
    users = [(entry.db_user, entry.actor) for entry in reversed(api.history("s-1"))]
    assert users == [("test_app", "postgres"), ("test_admin", None), ("postgres", None), ("test_app", None)]


def test_the_definer_of_a_machine_is_recorded(db: psycopg.Connection[Any], connect_as: Callable[..., Any]) -> None:
    definition = {"id": "x", "initial": "a", "states": {"a": {"on": {"X": "a"}}}}
    Api(connect_as("test_admin")).one("define_machine", definition=definition)
    assert db.execute("select created_by from fsm_internal.machine_versions where machine = 'x'").fetchone() == (
        "test_admin",
    )
