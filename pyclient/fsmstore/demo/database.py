"""The demo's database: made, migrated, its machines defined, a login for the application."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from fsmstore import SessionStore, migrate, shipped
from fsmstore.devdb import Server
from fsmstore.rows import DefinedMachine

_MARK = "the demo of fsmstore made this, migrations "


class ForeignDatabase(RuntimeError):
    """There is a database of that name that the demo did not make; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where the demo plays."""

    name: str
    owner_dsn: str
    """For set-up alone: the login that owns the server."""
    app_dsn: str
    """What the application has: a login that may move sessions and touch no table."""
    app_login: str
    applied: list[str]
    """The migrations that were applied just now."""
    machines: list[DefinedMachine]


def prepare(server: Server, name: str = "fsmstore_demo") -> Database:
    """Make the database ready, as far as it is not.

    A database that an earlier demo made with other migrations is dropped and made anew.

    Raises:
        ForeignDatabase: a database of that name exists, and no demo made it.
    """
    _create_database(server, name)
    owner_dsn = server.dsn(name)
    applied = migrate.apply(owner_dsn)
    login = f"{name}_app"
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        password = _create_login(owner, login)
        if owner.execute("select pg_has_role('fsm_admin', 'usage')").fetchone() == (False,):  # no superuser
            owner.execute("grant fsm_admin to current_user")
    with SessionStore(owner_dsn) as store:
        machines = [store.define_machine(shipped.machine("purchase_item")), store.define_machine(strict_machine())]
    return Database(name, owner_dsn, server.dsn(name, login, password), login, applied, machines)


def strict_machine() -> dict[str, Any]:
    """Return the shipped machine under another name, which blocks a loop instead of logging it."""
    definition = shipped.machine("purchase_item")
    loop = {**definition["meta"]["loop"], "action": "block"}
    return {**definition, "id": "purchase_item_strict", "meta": {**definition["meta"], "loop": loop}}


def _create_database(server: Server, name: str) -> None:
    mark = _MARK + _fingerprint()
    identifier = sql.Identifier(name)
    with psycopg.connect(server.dsn(), autocommit=True) as conn, _alone(conn):
        found = conn.execute(
            "select pg_catalog.shobj_description(oid, 'pg_database') from pg_catalog.pg_database where datname = %s",
            (name,),
        ).fetchone()
        if found is not None and found[0] == mark:
            return
        if found is not None:
            if not (found[0] or "").startswith(_MARK):
                raise ForeignDatabase(
                    f"database {name} exists, and it is not the demo's: choose another name with --database"
                )
            conn.execute(sql.SQL("drop database {} with (force)").format(identifier))
        conn.execute(sql.SQL("create database {} encoding 'UTF8' template template0").format(identifier))
        conn.execute(sql.SQL("comment on database {} is {}").format(identifier, mark))


@contextmanager
def _alone(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Keep other demos on this server out. Not a transaction: databases cannot be made in one."""
    conn.execute("select pg_advisory_lock(hashtextextended('fsmstore:demo', 0))")
    try:
        yield
    finally:
        conn.execute("select pg_advisory_unlock(hashtextextended('fsmstore:demo', 0))")


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(migrate.migrations_path().glob("*/*.sql")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _create_login(owner: psycopg.Connection[Any], login: str) -> str:
    password = secrets.token_urlsafe(24)
    name = sql.Identifier(login)
    with owner.transaction():
        owner.execute("select pg_advisory_xact_lock(hashtextextended('fsmstore:demo', 0))")
        if owner.execute("select from pg_catalog.pg_roles where rolname = %s", (login,)).fetchone() is None:
            owner.execute(sql.SQL("create role {} login").format(name))
        owner.execute(sql.SQL("alter role {} password {}").format(name, password))
        owner.execute(sql.SQL("grant fsm_app to {}").format(name))
    return password
