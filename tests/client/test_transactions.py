"""A store on the caller's connection joins the caller's transaction; a store on a pool leaves the pool as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import psycopg_pool
import pytest
from psycopg.rows import dict_row

import fsmstore
from support.clients import Flavour
from support.together import Running, holding, waiting_backend
from support.waiting import wait_until

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(flavour: Flavour, app_dsn: str) -> Any:
    """The caller's connection, not in autocommit."""
    return flavour.connect(app_dsn)


def test_what_is_rolled_back_never_was(flavour: Flavour, connection: Any, app: Connection) -> None:
    store = flavour.store(connection)
    session = store.create("s-1", "door", {"n": 1})
    assert store.load("s-1") == session
    assert app.execute("select version from fsm.load_session('s-1')").fetchone() is None
    connection.rollback()
    assert store.load("s-1", max_age=60) is None


def test_what_is_committed_is_there(flavour: Flavour, connection: Any, app: Connection) -> None:
    store = flavour.store(connection)
    store.create("s-1", "door")
    store.send("s-1", "OPEN", {"n": 1})
    assert app.execute("select version from fsm.load_session('s-1')").fetchone() is None
    connection.commit()
    assert app.execute("select version from fsm.load_session('s-1')").fetchone() == (2,)
    row = app.execute("select count(*) from fsm.history('s-1')").fetchone()
    assert row == (2,)


def test_a_refusal_aborts_the_transaction_unless_it_is_wrapped(flavour: Flavour, connection: Any) -> None:
    store = flavour.store(connection)
    store.create("s-1", "door")
    with pytest.raises(fsmstore.TransitionNotAllowed), flavour.transaction(connection):
        store.send("s-1", "CLOSE")
    assert store.send("s-1", "OPEN").version == 2
    with pytest.raises(fsmstore.TransitionNotAllowed):
        store.send("s-1", "OPEN")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        store.load("s-1")
    connection.rollback()
    assert store.load("s-1") is None


def test_a_bad_context_does_not_abort_it(flavour: Flavour, connection: Any) -> None:
    store = flavour.store(connection)
    session = store.create("s-1", "door")
    with pytest.raises(fsmstore.InvalidContext):
        store.save(session.evolve(context={"x": {1}}))
    assert store.load("s-1") == session


def test_the_stores_end_is_not_the_connections(flavour: Flavour, connection: Any) -> None:
    store = flavour.store(connection)
    store.create("s-1", "door")
    store.close()
    assert not connection.closed
    assert store.load("s-1").version == 1


def test_the_callers_settings_do_not_matter_and_are_not_touched(
    flavour: Flavour, app_dsn: str, app: Connection
) -> None:
    connection = flavour.connect(app_dsn, row_factory=dict_row, prepare_threshold=1)
    connection.wrapped.adapters.register_loader("text", _Shouting)
    store = flavour.store(connection)
    store.create("s-1", "door", {"n": 1})
    for _ in range(10):
        assert store.load("s-1").context == {"n": 1}
    assert connection.wrapped.prepare_threshold == 1
    assert connection.wrapped.row_factory is dict_row
    assert flavour.run(lambda: prepared(connection)) == []
    assert connection.wrapped.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


class _Shouting(psycopg.adapt.Loader):
    """What a caller may do to the connection's adapters."""

    def load(self, data: Any) -> str:
        return bytes(data).decode()


def prepared(connection: Any) -> Any:
    """The statements that this connection has prepared on the server, but for this one."""
    query = "select statement from pg_prepared_statements where statement !~ 'pg_prepared_statements'"
    found = connection.wrapped.execute(query, prepare=False)
    if hasattr(found, "__await__"):

        async def awaited() -> Any:
            return await (await found).fetchall()

        return awaited()
    return found.fetchall()


def test_an_autocommit_connection_commits_each_call(flavour: Flavour, app_dsn: str, app: Connection) -> None:
    store = flavour.store(flavour.connect(app_dsn, autocommit=True))
    store.create("s-1", "door")
    assert app.execute("select version from fsm.load_session('s-1')").fetchone() == (1,)


@pytest.mark.parametrize("autocommit", [False, True])
def test_a_given_pool_is_used_and_left_as_it_was(
    flavour: Flavour, app_dsn: str, app: Connection, autocommit: bool
) -> None:
    options = {"autocommit": autocommit, "prepare_threshold": 1, "row_factory": dict_row}
    pool = flavour.pool(app_dsn, min_size=1, max_size=1, kwargs=options)
    store = flavour.store(pool)
    store.create("s-1", "door", {"n": 1})
    assert app.execute("select version from fsm.load_session('s-1')").fetchone() == (1,)
    for _ in range(10):
        store.update("s-1")
        store.load("s-1")
    with pytest.raises(fsmstore.TransitionNotAllowed):
        store.send("s-1", "CLOSE")
    assert store.send("s-1", "OPEN").version == 12
    store.close()
    connection = pool.getconn()
    assert connection.autocommit is autocommit
    assert connection.prepare_threshold == 1
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    query = "select count(*) as n from pg_prepared_statements where statement ~ 'fsm'"
    if flavour.name == "sync":
        assert connection.execute(query).fetchone() == {"n": 0}
    pool.putconn(connection)


@pytest.mark.parametrize(("prepare", "expected"), [(False, 0), (True, 1)])
def test_statements_are_prepared_only_when_asked_for(
    flavour: Flavour, app_dsn: str, db: Connection, prepare: bool, expected: int
) -> None:
    store = flavour.store(app_dsn, prepare=prepare, max_size=1)
    for _ in range(10):
        store.load("s-1")
    # What is prepared is seen only by its own session, so the question goes through the store's own pool.
    pool = store.wrapped._connections._own

    query = "select count(*) from pg_prepared_statements"

    async def ask() -> Any:
        async with pool.connection() as connection:
            cursor = await connection.execute(query, prepare=False)
            return await cursor.fetchone(), connection.prepare_threshold

    if flavour.name == "async":
        row, threshold = flavour.run(ask)
    else:
        with pool.connection() as connection:
            row, threshold = connection.execute(query, prepare=False).fetchone(), connection.prepare_threshold
    assert row == (expected,)
    assert threshold == (5 if prepare else None)


def test_a_pool_that_is_used_up_is_a_clear_error(
    flavour: Flavour, app_dsn: str, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    store = flavour.store(app_dsn, max_size=1, timeout=0.3)
    store.create("s-1", "door")
    with holding(connect_as(None), "s-1"):
        blocked = Running(lambda: store.send("s-1", "OPEN"))
        wait_until(lambda: waiting_backend(db) is not None, "the only connection is in use")
        with pytest.raises(psycopg_pool.PoolTimeout) as caught:
            store.load("s-1")
        assert fsmstore.outcome_of(caught.value) is fsmstore.Outcome.NOT_DONE
    assert blocked.result().version == 2
    assert store.load("s-1").version == 2


def test_a_closed_store_says_so(flavour: Flavour, app_dsn: str) -> None:
    store = flavour.store(app_dsn)
    store.create("s-1", "door")
    store.close()
    store.close()
    with pytest.raises(psycopg_pool.PoolClosed, match="the store is closed"):
        store.load("s-1")
    unopened = flavour.store(app_dsn)
    unopened.close()
    with pytest.raises(psycopg_pool.PoolClosed):
        unopened.load("s-1")


def test_with_closes(flavour: Flavour, app_dsn: str) -> None:
    store = flavour.store_class(app_dsn)

    async def asynchronously() -> None:
        async with store as opened:
            assert opened is store
            await opened.create("s-1", "door")

    if flavour.name == "async":
        flavour.run(asynchronously)
    else:
        with store as opened:
            assert opened is store
            opened.create("s-1", "door")
    with pytest.raises(psycopg_pool.PoolClosed):
        flavour.run(lambda: store.load("s-1"))


@pytest.mark.parametrize("target", [None, 7, object()])
def test_what_is_no_database_is_a_type_error(flavour: Flavour, target: Any) -> None:
    with pytest.raises(TypeError, match="connection string"):
        flavour.store_class(target)


def test_the_other_clients_connection_is_a_type_error(app_dsn: str) -> None:
    pool: Any = psycopg_pool.AsyncConnectionPool(app_dsn, open=False)
    with pytest.raises(TypeError, match="AsyncConnectionPool"):
        fsmstore.SessionStore(pool)
    other: Any = psycopg_pool.ConnectionPool(app_dsn, open=False)
    with pytest.raises(TypeError, match="not ConnectionPool"):
        fsmstore.AsyncSessionStore(other)
