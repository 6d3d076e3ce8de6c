"""A database of its own for each test, cloned from a migrated template, and the logins that come to it."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.run import run_id, server_url

Connection = psycopg.Connection[Any]

# Each login is granted one role of the product, test_nobody none.
LOGINS = {
    "test_app": "fsm_app",
    "test_reader": "fsm_reader",
    "test_monitor": "fsm_monitor",
    "test_admin": "fsm_admin",
    "test_nobody": None,
}
_number = itertools.count(1)


def conninfo(dbname: str, login: str | None = None) -> str:
    """Return a connection string for a database of the run's server, as its superuser or as a login."""
    if login is None:
        return make_conninfo(server_url(), dbname=dbname)
    return make_conninfo(server_url(), dbname=dbname, user=login, password=_password())


def _password() -> str:
    """Return the logins' password: as secret as the superuser's own, and the same in every worker."""
    secret = str(conninfo_to_dict(server_url()).get("password") or run_id())
    return hashlib.sha256(f"fsmstore tests {secret}".encode()).hexdigest()


def create_logins(admin: Connection) -> None:
    """Create the logins where they are missing. Roles belong to the whole server, and several workers come at once."""
    with admin.transaction():
        admin.execute("select pg_advisory_xact_lock(hashtextextended('fsmstore tests: logins', 0))")
        known = {row[0] for row in admin.execute("select rolname from pg_roles where rolname like 'test\\_%%'", ())}
        for login, role in LOGINS.items():
            name = sql.Identifier(login)
            if login not in known:
                admin.execute(sql.SQL("create role {} login").format(name))
            admin.execute(sql.SQL("alter role {} password {}").format(name, _password()))
            if role is not None:
                admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), name))


@contextmanager
def cloned(admin: Connection, template: str) -> Iterator[str]:
    """Clone the template (about 10 ms), yield the new database's name, and drop it with whatever is connected to it."""
    name = f"t_{run_id()}_{os.getpid()}_{next(_number)}"
    # Copying files beats logging every block for a small template; before PostgreSQL 15 it was the only way.
    strategy = sql.SQL(" strategy file_copy" if admin.info.server_version >= 150000 else "")
    admin.execute(
        sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)) + strategy
    )
    try:
        yield name
    finally:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
