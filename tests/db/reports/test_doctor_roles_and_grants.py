"""fsm.doctor finds privileges that nobody should have. Each is given for real, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.api import case

Findings = Callable[..., list[tuple[str, str, str]]]
CHECKS = ["role", "grant", "definer", "owner", "owner_member"]


def test_a_new_installation_has_nothing_to_say_of_it(findings: Findings) -> None:
    for check in CHECKS:
        assert findings(check) == [], check


# A privilege, on what, and who has it.
GRANTS = [
    ("execute", "function fsm.schema_release()", "public"),
    ("execute", "function fsm.define_machine(jsonb)", "fsm_app"),
    ("execute", "function fsm.delete_session(text)", "fsm_app"),
    ("execute", "function fsm.history(text,integer,bigint)", "fsm_monitor"),
    ("execute", "function fsm.metrics()", "fsm_reader"),
    ("execute", "function fsm.load_sessions(text[])", "test_nobody"),
    ("execute", "function fsm_internal.make_durable()", "fsm_admin"),
    ("usage", "schema fsm_internal", "fsm_app"),
    ("usage", "schema fsm_internal", "public"),
    ("usage", "schema fsm", "test_nobody"),
    ("create", "schema fsm", "fsm_admin"),
    ("create", "schema fsm_internal", "public"),
    ("select", "table fsm_internal.sessions", "fsm_reader"),
    ("update", "table fsm_internal.history", "public"),
    ("select", "view fsm.sessions", "fsm_app"),
    ("select", "view fsm.machines", "public"),
    ("update", "view fsm.machines", "fsm_admin"),
]


def test_every_privilege_beyond_those_of_an_installation(db: psycopg.Connection[Any], findings: Findings) -> None:
    for privilege, what, who in GRANTS:
        with case((privilege, what, who)), db.transaction(force_rollback=True):
            db.execute(f"grant {privilege} on {what.removeprefix('view ')} to {who}")
            [(severity, message, hint)] = findings("grant")
            assert (severity, message) == ("error", f"{who} has {privilege} on {what}")
            db.execute(hint)
            assert findings("grant") == []


def test_a_privilege_on_a_column(db: psycopg.Connection[Any], findings: Findings) -> None:
    with db.transaction(force_rollback=True):
        db.execute("grant select (state) on fsm_internal.sessions to test_app")
        [(severity, message, hint)] = findings("grant")
        assert (severity, message) == ("error", "test_app has select on column fsm_internal.sessions.state")
        db.execute(hint)
        assert findings("grant") == []


def test_a_function_made_anew_belongs_to_public(db: psycopg.Connection[Any], findings: Findings) -> None:
    """As after create function by hand, by a superuser: PostgreSQL's own defaults."""
    with db.transaction(force_rollback=True):
        db.execute("create function fsm_internal.mine() returns int language sql return 1")
        assert [message for _, message, _ in findings("grant")] == [
            "public has execute on function fsm_internal.mine()"
        ]
        assert findings("owner") == [
            (
                "error",
                "function fsm_internal.mine() belongs to postgres",
                "alter function fsm_internal.mine() owner to fsm_owner;",
            )
        ]


def test_many_are_cut(db: psycopg.Connection[Any], findings: Findings) -> None:
    with db.transaction(force_rollback=True):
        db.execute("grant execute on all functions in schema fsm_internal to public")
        assert len(findings("grant")) == 100


DEFINERS = [
    ("security invoker", "is not security definer"),
    ("reset search_path", "has no search_path that ends in pg_temp"),
    ("set search_path = pg_temp, pg_catalog", "has no search_path that ends in pg_temp"),
    ("set search_path = public", "has no search_path that ends in pg_temp"),
    ("set search_path = pg_catalog, my_pg_temp", "has no search_path that ends in pg_temp"),
]


def test_api_functions_that_are_not_pinned(db: psycopg.Connection[Any], findings: Findings) -> None:
    for change, message in DEFINERS:
        with case(change), db.transaction(force_rollback=True):
            db.execute(f"alter function fsm.schema_release() {change}")
            [(severity, said, hint)] = findings("definer")
            assert severity == "error"
            assert said.startswith(f"function fsm.schema_release() {message}")
            db.execute(hint)
            assert findings("definer") == []


@pytest.mark.parametrize("path", ["pg_temp", "pg_catalog, public, pg_temp", '"$user", pg_temp'])
def test_search_paths_that_are_good_enough(db: psycopg.Connection[Any], findings: Findings, path: str) -> None:
    with db.transaction(force_rollback=True):
        db.execute(f"alter function fsm.schema_release() set search_path = {path}")
        assert findings("definer") == []


def test_what_belongs_to_somebody_else(db: psycopg.Connection[Any], findings: Findings) -> None:
    for kind, name in (
        ("table", "fsm_internal.sessions"),
        ("schema", "fsm"),
        ("function", "fsm.schema_release()"),
        ("view", "fsm.sessions"),
    ):
        with case(name), db.transaction(force_rollback=True):
            db.execute(f"alter {kind} {name} owner to test_nobody")
            [(severity, message, hint)] = findings("owner")
            assert severity == "error"
            assert message.endswith(f" {name} belongs to test_nobody")
            db.execute(hint)
            assert findings("owner") == []


def test_a_table_that_its_owner_may_not_read(db: psycopg.Connection[Any], findings: Findings) -> None:
    with db.transaction(force_rollback=True):
        db.execute("revoke all on fsm_internal.history from fsm_owner")
        [(severity, message, hint)] = findings("owner")
        assert (severity, message) == ("error", "fsm_owner may not read table fsm_internal.history")
        db.execute(hint)
        assert findings("owner") == []


@pytest.mark.parametrize("option", ["login", "superuser", "createrole", "createdb", "replication", "bypassrls"])
@pytest.mark.parametrize("role", ["fsm_owner", "fsm_monitor"])
def test_roles_that_are_more_than_roles(
    db: psycopg.Connection[Any], findings: Findings, role: str, option: str
) -> None:
    with db.transaction(force_rollback=True):
        db.execute(f"alter role {role} {option}")
        [(severity, message, hint)] = findings("role")
        assert severity == "error"
        assert message.startswith(f"role {role} ")
        db.execute(hint)
        assert findings("role") == []


def test_who_is_the_owner_too(db: psycopg.Connection[Any], findings: Findings) -> None:
    with db.transaction(force_rollback=True):
        for statement in (
            "create role doctors_middle",
            "create role doctors_login login",
            "create role doctors_super superuser",
            "grant fsm_owner to doctors_middle, doctors_super",
            "grant doctors_middle to doctors_login",
        ):
            db.execute(statement)
        assert [(severity, message.split()[1]) for severity, message, _ in findings("owner_member")] == [
            ("warning", "doctors_login"),
            ("warning", "doctors_middle"),
        ]
        db.execute("revoke fsm_owner from doctors_middle")
        assert findings("owner_member") == []


def test_a_role_that_may_only_grant_it_is_not_named(db: psycopg.Connection[Any], findings: Findings) -> None:
    if db.info.server_version < 160000:
        pytest.skip("memberships have options from PostgreSQL 16 on")
    with db.transaction(force_rollback=True):
        db.execute("create role doctors_installer")
        db.execute("grant fsm_owner to doctors_installer with admin true, inherit false, set false")
        assert findings("owner_member") == []
        db.execute("grant fsm_owner to doctors_installer with set true")
        assert len(findings("owner_member")) == 1


def test_a_database_that_everybody_may_connect_to(db: psycopg.Connection[Any], findings: Findings, dbname: str) -> None:
    [(severity, message, hint)] = findings("public_connect")
    assert (severity, message) == ("warning", f"PUBLIC may connect to database {dbname}")
    assert hint.startswith(f"revoke connect on database {dbname} from public;")
    db.execute(sql.SQL("revoke connect on database {} from public").format(sql.Identifier(dbname)))
    assert findings("public_connect") == []
    db.execute(sql.SQL("grant connect on database {} to public").format(sql.Identifier(dbname)))
    assert len(findings("public_connect")) == 1
