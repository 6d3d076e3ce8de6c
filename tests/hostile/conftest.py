"""A world of machines and sessions that bad input is thrown at; nothing that is refused may change it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import plcov
from support import databases, run
from support.fixtures import api, define, purchase
from support.hostile import Judge, furnish
from support.serverlog import ServerLog

__all__ = ["api", "define", "furnished", "judge", "purchase"]

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="session")
def furnished(pg_template: Any, pg_admin: Connection) -> Iterator[str]:
    """The name of a database with the world in it, for all tests that leave it as it is."""
    with databases.cloned(pg_admin, pg_template.template_dbname) as name:
        with (
            psycopg.connect(databases.conninfo(name, "test_admin"), autocommit=True) as admin,
            psycopg.connect(databases.conninfo(name), autocommit=True) as db,
        ):
            furnish(admin, db)
        yield name
        plcov.harvest(databases.conninfo(name))


@pytest.fixture
def judge(furnished: str) -> Iterator[Judge]:
    """Throws cases at the world, as somebody in role fsm_admin."""
    with (
        psycopg.connect(databases.conninfo(furnished, "test_admin"), autocommit=True) as admin,
        psycopg.connect(databases.conninfo(furnished), autocommit=True) as db,
    ):
        admin.execute("set statement_timeout = '20s'")
        log = ServerLog(run.log_path(), furnished)
        yield Judge(admin, db)
        if run.log_path() is not None:
            # A line each, whatever was in it: what does not parse raises here.
            assert all(log.events(name) is not None for name in ("fsm.refused", "fsm.loop", "fsm.corrupt"))
            assert {level for level, _ in log.lines()} <= {"LOG", "ERROR", "DETAIL", "HINT", "STATEMENT", "CONTEXT"}
