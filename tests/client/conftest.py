"""What the tests of the clients share: machines, and stores of both flavours."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import plcov
from support import databases
from support.clients import FLAVOURS, Blocking, Flavour
from support.machines import BLOCKING, DOOR, PURCHASE
from support.proxy import Proxy

Connection = psycopg.Connection[Any]


@pytest.fixture(params=sorted(FLAVOURS))
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    """Each of the two clients in turn."""
    flavour = FLAVOURS[request.param]()
    with flavour.opened:
        yield flavour


@pytest.fixture(scope="session")
def template_with_machines(pg_template: Any, pg_admin: Connection) -> Iterator[str]:
    """A database to be cloned, in which the machines of support.machines are defined."""
    with databases.cloned(pg_admin, pg_template.template_dbname) as name:
        with psycopg.connect(databases.conninfo(name), autocommit=True) as connection:
            for definition in (PURCHASE, DOOR, BLOCKING):
                connection.execute("select fsm.define_machine(%s)", (json.dumps(definition),))
        yield name


@pytest.fixture
def dbname(template_with_machines: str, pg_admin: Connection) -> Iterator[str]:
    """The name of a database with the machines that is this test's own."""
    with databases.cloned(pg_admin, template_with_machines) as name:
        yield name
        plcov.harvest(databases.conninfo(name))


@pytest.fixture
def app_dsn(dsn: Callable[..., str]) -> str:
    """A connection string of the application's login."""
    return dsn("test_app")


@pytest.fixture
def store(flavour: Flavour, app_dsn: str) -> Any:
    """A store with a pool of its own, its methods blocking."""
    return flavour.store(app_dsn)


Turns = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def in_turn(flavour: Flavour) -> Turns:
    """``with in_turn(store, "s-1", "ann", 0.5) as turn:`` for either kind of store; the turn's methods block."""

    @contextmanager
    def enter(store: Any, *arguments: Any, **keywords: Any) -> Iterator[Any]:
        turn = store.turn(*arguments, **keywords)
        if flavour.name == "sync":
            with turn as entered:
                yield entered
            return
        entered = flavour.run(turn.__aenter__)
        try:
            yield Blocking(flavour, entered)
        except BaseException as error:
            caught = error  # its name ends with the except block
            flavour.run(lambda: turn.__aexit__(type(caught), caught, caught.__traceback__))
            raise
        flavour.run(lambda: turn.__aexit__(None, None, None))

    return enter


@pytest.fixture
def held(db: Connection) -> Callable[[], list[tuple[str, str]]]:
    """``held()`` gives session and holder of each turn that is held now."""

    def now() -> list[tuple[str, str]]:
        return db.execute(
            "select session_id, holder from fsm_internal.turns where expires_at > clock_timestamp()"
        ).fetchall()

    return now


@pytest.fixture
def proxy(app_dsn: str) -> Iterator[Proxy]:
    """A proxy before the database that cuts connections."""
    with tempfile.TemporaryDirectory(prefix="fsm") as directory:  # a socket's path must be short
        proxy = Proxy(app_dsn, Path(directory))
        yield proxy
        proxy.close()
