"""Shadow databases, and what their catalogues say about the schemas fsm and fsm_internal."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from fsmstore import migrate
from fsmstore.devdb import Server
from tree import bundle, joined

_FINGERPRINT = (Path(__file__).parent / "fingerprint.sql").read_text("utf-8")
_number = itertools.count(1)


@contextmanager
def shadow(server: Server) -> Iterator[str]:
    """Make an empty database, yield its DSN, and drop it."""
    name = f"fsm_shadow_{os.getpid()}_{next(_number)}"
    quoted = sql.Identifier(name)
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(sql.SQL("create database {} encoding 'UTF8' template template0").format(quoted))
        try:
            yield server.dsn(name)
        finally:
            conn.execute(sql.SQL("drop database {} with (force)").format(quoted))


def install(dsn: str, db: Path) -> None:
    """Run db/install.sql as psql -1 would: in one transaction."""
    run(dsn, joined(bundle(db / "install.sql")))


def run(dsn: str, text: str) -> None:
    """Run a script whole, in one transaction."""
    with psycopg.connect(dsn) as conn:
        conn.execute(text.encode())


def fingerprint(dsn: str) -> list[str]:
    """Return every fact, sorted. A fact is one text: kind and name in its first line, then what there is to say."""
    with psycopg.connect(dsn) as conn:
        conn.execute("set local search_path = pg_catalog")
        facts: list[str] = [row[0] for row in conn.execute(_FINGERPRINT.encode())]
        return sorted(facts + [f"release {' '.join(row)}" for row in releases(conn)])


def releases(conn: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Return what the database records of itself: (migration, release), without times."""
    known = conn.execute("select to_regclass('fsm_internal.releases') is not null").fetchone()
    if known != (True,):
        return []
    return conn.execute("select migration, release from fsm_internal.releases order by migration").fetchall()


def migrated(server: Server, migrations: Path) -> list[str]:
    """Return the facts of a database made by the migrations."""
    with shadow(server) as dsn:
        migrate.apply(dsn, source=migrations)
        return fingerprint(dsn)


def installed(server: Server, db: Path) -> list[str]:
    """Return the facts of a database made by db/install.sql."""
    with shadow(server) as dsn:
        install(dsn, db)
        return fingerprint(dsn)


def differences(one: list[str], other: list[str], names: tuple[str, str]) -> list[str]:
    """Tell, fact by fact, where two catalogues differ; empty when they are the same."""
    left, right = ({fact.partition("\n")[0]: fact for fact in facts} for facts in (one, other))
    told = []
    for head in sorted(left.keys() | right.keys()):
        if head not in right:
            told.append(f"{head}: only in {names[0]}")
        elif head not in left:
            told.append(f"{head}: only in {names[1]}")
        elif left[head] != right[head]:
            diff = difflib.unified_diff(
                left[head].splitlines(),
                right[head].splitlines(),
                f"{head} in {names[0]}",
                f"{head} in {names[1]}",
                lineterm="",
                n=1,
            )
            told.append("\n".join(diff))
    return told
