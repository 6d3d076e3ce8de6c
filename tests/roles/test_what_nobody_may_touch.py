"""Nothing of fsm_internal is within anybody's reach, and PUBLIC is granted nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.api import Api

ROLES = ["fsm_app", "fsm_reader", "fsm_monitor", "fsm_admin"]
LOGINS = ["test_app", "test_reader", "test_monitor", "test_admin", "test_nobody"]
RELATIONS = (
    "select relname from pg_class where relnamespace = 'fsm_internal'::regnamespace and relkind in ('r', 'p', 'v', 'm')"
)


@pytest.mark.parametrize("login", LOGINS)
def test_no_table_is_reached(api: Api, db: psycopg.Connection[Any], connect_as: Callable[..., Any], login: str) -> None:
    api.create("s-1")
    caller = connect_as(login)
    tables = [name for (name,) in db.execute(RELATIONS)]
    assert {"sessions", "history", "machine_versions", "releases"} <= set(tables)
    for name in tables:
        table = sql.Identifier("fsm_internal", name)
        for statement in (
            "select 1 from {}",
            "insert into {} default values",
            "delete from {}",
            "truncate {}",
            "lock table {}",
            "copy {} to stdout",
            "create temp table mine (like {})",
            "select null::{}",
            "comment on table {} is 'mine'",
            "alter table {} owner to current_user",
            "create trigger t before insert on {} execute function suppress_redundant_updates_trigger()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), caller.transaction():
                caller.execute(sql.SQL(statement).format(table))


@pytest.mark.parametrize("login", LOGINS)
def test_no_helper_is_called(db: psycopg.Connection[Any], connect_as: Callable[..., Any], login: str) -> None:
    caller = connect_as(login)
    rows = db.execute("select oid::regprocedure::text from pg_proc where pronamespace = 'fsm_internal'::regnamespace")
    for (signature,) in rows.fetchall():
        name, _, types = signature.removesuffix(")").partition("(")
        arguments = ", ".join(
            f"null::{one}" for one in types.split(",") if one and not one.startswith(("any", "fsm_internal"))
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            caller.execute(f"select {name}({arguments})")


@pytest.mark.parametrize("login", LOGINS)
def test_no_type_is_used(db: psycopg.Connection[Any], connect_as: Callable[..., Any], login: str) -> None:
    rows = db.execute("select format_type(oid, null) from pg_type where typnamespace = 'fsm_internal'::regnamespace")
    caller = connect_as(login)
    for (name,) in rows.fetchall():
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            caller.execute(f"select null::{name}")


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("schema", ["fsm", "fsm_internal"])
def test_nothing_is_made_in_our_schemas(connect_as: Callable[..., Any], login: str, schema: str) -> None:
    caller = connect_as(login)
    for statement in (
        f"create table {schema}.mine (a int)",
        f"create function {schema}.mine() returns int language sql return 1",
        f"create or replace function {schema}.schema_release() returns text language sql return 'x'",
        f"drop schema {schema} cascade",
        f"alter schema {schema} rename to mine",
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.WrongObjectType)):
            caller.execute(statement)


@pytest.mark.parametrize("login", LOGINS)
def test_no_role_is_another(connect_as: Callable[..., Any], login: str) -> None:
    caller = connect_as(login)
    own = {f"fsm_{login.removeprefix('test_')}"}
    for role in {*ROLES, "fsm_owner", "postgres"} - own:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            caller.execute(f"set role {role}")


OURS = "in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)"
ACLS = {
    "schemas": f"select nspname::text, nspacl, acldefault('n', nspowner) from pg_namespace where oid {OURS}",
    "functions": f"""
        select oid::regprocedure::text, proacl, acldefault('f', proowner) from pg_proc where pronamespace {OURS}""",
    "relations": f"""
        select oid::regclass::text, relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)
        from pg_class where relnamespace {OURS} and relkind in ('r', 'p', 'v', 'm', 'S', 'f')""",
    "columns": f"""
        select attrelid::regclass || '.' || attname, attacl, acldefault('c', 10) from pg_attribute
        where attrelid in (select oid from pg_class where relnamespace {OURS}) and attnum > 0""",
    "types": f"""
        select format_type(t.oid, null), typacl, acldefault('T', typowner)
        from pg_type t left join pg_class c on c.oid = t.typrelid
        where typnamespace {OURS} and typelem = 0 and (typrelid = 0 or c.relkind = 'c')""",
}


def _granted(db: psycopg.Connection[Any], kind: str) -> list[tuple[str, str, str]]:
    query = f"""
        select o.name, case a.grantee when 0 then 'public' else a.grantee::regrole::text end, a.privilege_type
        from ({ACLS[kind]}) o (name, acl, usual)
        cross join lateral aclexplode(coalesce(o.acl, o.usual)) a
    """
    return db.execute(query).fetchall()


@pytest.mark.parametrize("kind", ACLS)
def test_public_is_granted_nothing(db: psycopg.Connection[Any], kind: str) -> None:
    assert [(name, privilege) for name, who, privilege in _granted(db, kind) if who == "public"] == []


def test_what_is_granted_is_use_of_schema_fsm_and_calls(db: psycopg.Connection[Any]) -> None:
    others = [grant for kind in ACLS for grant in _granted(db, kind) if grant[1] != "fsm_owner"]
    assert {who for _, who, _ in others} == set(ROLES)
    views = {"fsm.sessions", "fsm.machines", "fsm.transition_counts", "fsm.active_turns"}
    on_views = {grant for grant in others if grant[0] in views}
    others = [grant for grant in others if grant not in on_views and grant[0] != "fsm.quarantine"]
    assert {
        grant
        for kind in ACLS
        for grant in _granted(db, kind)
        if grant[0] == "fsm.quarantine" and grant[1] != "fsm_owner"
    } == {("fsm.quarantine", "fsm_admin", "SELECT")}
    assert {(name, privilege) for name, _, privilege in others if "(" not in name} == {("fsm", "USAGE")}
    assert on_views == {(view, role, "SELECT") for view in views for role in ("fsm_reader", "fsm_monitor", "fsm_admin")}
    assert {privilege for name, _, privilege in others if "(" in name} == {"EXECUTE"}
    assert all(name.startswith("fsm.") for name, _, _ in others if "(" in name)


def test_the_roles_cannot_log_in_and_are_nothing_special(db: psycopg.Connection[Any]) -> None:
    rows = db.execute(
        "select rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles"
        " where rolname like 'fsm\\_%' order by 1"
    ).fetchall()
    assert rows == [(role, *[False] * 6) for role in sorted([*ROLES, "fsm_owner"])]


def test_the_roles_are_members_of_nothing(db: psycopg.Connection[Any]) -> None:
    members = "select roleid::regrole::text from pg_auth_members where member::regrole::text like 'fsm%'"
    assert db.execute(members).fetchall() == []
    owners = "select member::regrole::text from pg_auth_members where roleid = 'fsm_owner'::regrole"
    assert db.execute(owners).fetchall() == []


def test_default_privileges_give_public_nothing_in_time_to_come(db: psycopg.Connection[Any]) -> None:
    """A function that a later release forgets to revoke is not PUBLIC's either."""
    with db.transaction(force_rollback=True):
        db.execute("set local role fsm_owner")
        db.execute("create function fsm.later() returns int language sql return 1")
        row = db.execute("select proacl::text from pg_proc where oid = 'fsm.later()'::regprocedure").fetchone()
        assert row == ("{fsm_owner=X/fsm_owner}",)
