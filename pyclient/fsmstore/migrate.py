"""The schema's migrations, applied and rolled back with yoyo.

yoyo keeps its own tables in schema ``fsm_migrations``. Two things that it leaves open are closed here: runs that
start at the same time wait for each other (yoyo gives up after 10 seconds), and a run that was killed leaves nothing to
be cleaned up by hand: its lock is recognised as dead, and a migration whose SQL was committed before yoyo could mark it
finds itself recorded and is only marked (see the files in ``migrations/``).
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from yoyo.backends import DatabaseBackend

SCHEMA = "fsm_migrations"


class MigrationError(RuntimeError):
    """The migrations cannot be applied or rolled back as asked; the message says why and what to do."""


def migrations_path() -> Path:
    """Return the directory of the migrations: the one shipped in the wheel, else the checkout's."""
    here = Path(__file__).resolve().parent
    for place in (here / "_migrations", here.parents[1] / "migrations"):
        if place.is_dir():
            return place
    raise MigrationError(f"no migrations beside {here}: install the wheel of fsmstore, or work in its checkout")


def yoyo_url(dsn: str) -> str:
    """Return yoyo's URL for a psycopg connection string, in whichever form and with whatever parameters."""
    parameters = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    # All of it in the query: there a socket's directory, several hosts and every special character survive.
    return "postgresql+psycopg:///?" + urlencode({**parameters, "schema": SCHEMA}, quote_via=quote)


def applied(dsn: str) -> list[str]:
    """Return the ids of the migrations that are marked as applied, oldest first. Changes nothing."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        return _applied(conn)


def pending(dsn: str, source: Path | None = None) -> list[str]:
    """Return the ids of the migrations that ``apply`` would run, in their order. Changes nothing."""
    done = set(applied(dsn))
    return [one for one in _ids(source or migrations_path()) if one not in done]


def apply(dsn: str, count: int | None = None, source: Path | None = None, timeout: float = 60) -> list[str]:
    """Apply what is pending (the next ``count`` migrations, or all), and return the ids.

    The role needs CREATE on the database and either superuser or CREATEROLE. Another run on the same database is waited
    for, up to ``timeout`` seconds.
    """
    source = source or migrations_path()
    with _alone(dsn, timeout) as owner:
        todo = pending(dsn, source)[:count]
        if todo:
            _create_schema(dsn)
            with _backend(dsn, owner, timeout) as backend:
                migrations = backend.to_apply(_read(source))
                backend.apply_migrations(migrations.filter(lambda one: one.id in todo))
            left = set(todo) & set(pending(dsn, source))
            if left:  # yoyo skips a migration that it cannot load
                raise MigrationError(f"not applied: {', '.join(left)}; yoyo's log says why")
        return todo


def rollback(dsn: str, count: int = 1, source: Path | None = None, timeout: float = 60) -> list[str]:
    """Roll the newest ``count`` applied migrations back, and return their ids, newest first."""
    source = source or migrations_path()
    with _alone(dsn, timeout) as owner:
        newest_first = applied(dsn)[::-1][: max(count, 0)]
        unknown = set(newest_first) - set(_ids(source))
        if unknown:
            raise MigrationError(f"{', '.join(sorted(unknown))} is of a newer release: roll back with that release")
        if newest_first:
            with _backend(dsn, owner, timeout) as backend:
                migrations = backend.to_rollback(_read(source))
                backend.rollback_migrations(migrations.filter(lambda one: one.id in newest_first))
            left = [one for one in applied(dsn) if one in newest_first]
            if left:
                raise MigrationError(f"not rolled back: {', '.join(left)}; yoyo's log says why")
        return newest_first


def _ids(source: Path) -> list[str]:
    return sorted(path.stem for path in source.iterdir() if path.suffix == ".py")


def _applied(conn: psycopg.Connection[Any]) -> list[str]:
    known = conn.execute(
        "select from pg_catalog.pg_class where relname = '_yoyo_migration' and relnamespace = to_regnamespace(%s)",
        (SCHEMA,),
    )
    if known.fetchone() is None:
        return []
    rows = conn.execute(f"select migration_id from {SCHEMA}._yoyo_migration order by applied_at_utc, migration_id")
    return [row[0] for row in rows]


@contextmanager
def _alone(dsn: str, timeout: float) -> Iterator[int]:
    """Keep other runs out; yields a number that no lock row of a living run bears."""
    with psycopg.connect(dsn) as conn:
        conn.execute("select set_config('lock_timeout', %s, true)", (f"{timeout * 1000:.0f}",))
        conn.execute("set local statement_timeout = 0")
        conn.execute("set local idle_in_transaction_session_timeout = 0")
        try:
            # For the length of this transaction: it is freed when this process dies, and works behind a pooler.
            conn.execute("select pg_advisory_xact_lock(hashtextextended('fsmstore:migrate', 0))")
        except psycopg.errors.LockNotAvailable as error:
            raise MigrationError(f"another migration of this database has run for {timeout:g} s") from error
        yield -conn.info.backend_pid


def _create_schema(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        # "if not exists" alone would ask for the right to create also when the schema is there.
        if conn.execute("select to_regnamespace(%s) is not null", (SCHEMA,)).fetchone() == (True,):
            return
        try:
            conn.execute(f"create schema if not exists {SCHEMA}")
        except psycopg.errors.InsufficientPrivilege as error:
            raise MigrationError(
                f"role {conn.info.user} may not create schema {SCHEMA}, where yoyo keeps its tables. "
                f'As the owner of the database: grant create on database "{conn.info.dbname}" to "{conn.info.user}";'
            ) from error


@contextmanager
def _backend(dsn: str, owner: int, timeout: float) -> Iterator[DatabaseBackend]:
    """Open yoyo's backend and take its lock, which keeps out a plain ``yoyo apply``.

    yoyo's lock row holds a process id. Ours hold a negative number instead, so that one left by a killed run is known:
    while we are alone nobody living owns it.
    """
    try:
        from yoyo import get_backend
    except ImportError as error:
        raise MigrationError("yoyo is not installed: pip install 'fsmstore[migrate]'") from error
    _name_the_user()
    with get_backend(yoyo_url(dsn)) as backend:
        backend.execute("delete from yoyo_lock where pid < 0")
        backend._insert_lock_row(owner, timeout)
        backend._is_locked = True
        try:
            yield backend
        finally:
            backend._delete_lock_row(owner)


def _read(source: Path) -> Any:
    from yoyo import read_migrations

    return read_migrations(str(source))


def _name_the_user() -> None:
    """Give the user a name where the system has none (a container's random uid): yoyo logs it, after the DDL."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"
