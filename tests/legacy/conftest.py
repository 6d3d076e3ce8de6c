"""What the tests of the import share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.conftest import fsmstore_command
from support import databases
from support.databases import Connection
from support.legacy import DATA

__all__ = ["fsmstore_command"]


def listing(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file below a directory, with its size and the time of its last change."""
    found = (path for path in sorted(directory.rglob("*")))
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


@pytest.fixture(autouse=True)
def sources_stay_as_they_are() -> Iterator[None]:
    """No test changes, makes or removes a file beside the sources."""
    before = listing(DATA)
    yield
    assert listing(DATA) == before


@pytest.fixture
def old_database(db: Connection, dbname: str) -> Iterator[Callable[[], str]]:
    """Makes an empty database beside the test's own, for an old table, and returns its connection string."""
    names: list[str] = []

    def make(encoding: str = "UTF8") -> str:
        names.append(f"{dbname}_old{len(names)}")
        db.execute(f"create database {names[-1]} template template0 encoding '{encoding}' locale 'C'")
        return databases.conninfo(names[-1])

    yield make
    for name in names:
        db.execute(f"drop database {name} with (force)")


@pytest.fixture
def admin(dsn: Callable[..., str]) -> str:
    """A connection string of a login in fsm_admin."""
    return dsn("test_admin")


@pytest.fixture
def ask(db: psycopg.Connection[Any]) -> Callable[..., list[Any]]:
    """``ask("select …", …)`` returns rows from the test's database, single columns as values."""

    def query(text: str, *parameters: Any) -> list[Any]:
        rows = db.execute(text, parameters).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    return query
