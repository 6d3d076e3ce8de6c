"""One server a run, one migrated template a worker, one database a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import hypothesis
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pytest_postgresql import factories

import plcov
from fsmstore import migrate
from support import databases, mutants, run
from support.databases import Connection
from support.psql import Psql
from support.serverlog import ServerLog

# A slow example is no failure on a shared machine. The database fixture is one for all examples of a test.
hypothesis.settings.register_profile(
    "fsmstore",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("fsmstore")

_server = pytest.StashKey[run.Run]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server in the controller (or the only process); tell pytest-postgresql where it is."""
    if config.option.collectonly or config.option.help:
        return
    if not hasattr(config, "workerinput"):
        run.run_id()
        plcov.begin()
        config.stash[_server] = run.Run(settings=plcov.settings())
    given = conninfo_to_dict(run.server_url())
    for key in ("host", "port", "user", "password"):
        setattr(config.option, f"postgresql_{key}", given.get(key))


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(_server, None)
    if server is not None:
        server.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Keep what was covered in PL/pgSQL; in the end, with all workers done, too little of it fails the run."""
    result = yield
    if plcov.wanted():
        plcov.write()
        if not hasattr(session.config, "workerinput") and not plcov.total().enough:
            session.testsfailed += 1
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if plcov.wanted():
        terminalreporter.section("PL/pgSQL coverage")
        terminalreporter.write_line(plcov.total().text)


def _migrate(host: str, port: str, user: str, dbname: str, password: str | None = None, **_: Any) -> None:
    """Make the template: what ``fsmstore migrate`` makes of an empty database."""
    dsn = make_conninfo(run.server_url(), dbname=dbname)
    if not migrate.apply(dsn):
        raise pytest.UsageError(f"no migration in {migrate.migrations_path()}: run make freeze")
    mutants.plant_if_told(dsn)
    plcov.prepare(dsn)


pg_template = factories.postgresql_noproc(dbname=f"fsm_{run.run_id()}_", load=[_migrate])


@pytest.fixture(scope="session")
def pg_admin(pg_template: Any) -> Iterator[Connection]:
    """A superuser's autocommit connection to the server, beside all test databases. The test logins exist."""
    with psycopg.connect(databases.conninfo("postgres"), autocommit=True) as conn:
        databases.create_logins(conn)
        yield conn


@pytest.fixture
def dbname(pg_template: Any, pg_admin: Connection) -> Iterator[str]:
    """The name of a migrated database that is this test's own."""
    with databases.cloned(pg_admin, pg_template.template_dbname) as name:
        yield name
        plcov.harvest(databases.conninfo(name))


@pytest.fixture
def dsn(dbname: str) -> Callable[..., str]:
    """``dsn()`` is a connection string for the test's database as superuser, ``dsn("test_app")`` as that login."""

    def make(login: str | None = None) -> str:
        return databases.conninfo(dbname, login)

    return make


@pytest.fixture
def connect_as(dsn: Callable[..., str]) -> Iterator[Callable[..., Connection]]:
    """``connect_as("test_reader")`` opens an autocommit connection as that login; psycopg's keywords may follow.

    Logins: test_app, test_reader, test_monitor, test_admin, test_nobody; None is the superuser. All are closed in the
    end.
    """
    with ExitStack() as opened:

        def connect(login: str | None, **options: Any) -> Connection:
            conn = psycopg.connect(dsn(login), **{"autocommit": True, **options})
            opened.callback(conn.close)
            return conn

        yield connect


@pytest.fixture
def db(connect_as: Callable[..., Connection]) -> Connection:
    """A superuser's autocommit connection to the test's database: for looking, and for set-up."""
    return connect_as(None)


@pytest.fixture
def app(connect_as: Callable[..., Connection]) -> Connection:
    """An autocommit connection as login test_app, which is granted fsm_app: what an application has."""
    return connect_as("test_app")


@pytest.fixture
def server_log(dbname: str) -> ServerLog:
    """What the server logs about this test's database."""
    return ServerLog(run.log_path(), dbname)


@pytest.fixture
def psql(dsn: Callable[..., str]) -> Psql:
    """Runs psql on the test's database."""
    return Psql(dsn())
