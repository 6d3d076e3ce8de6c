"""Where a store's connections come from, for both clients."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor, DatabaseError, InternalError, OperationalError
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolClosed

from . import forks
from .statements import Call, Row, Together

# A pool gives up a connection after this many seconds and is then told to begin anew, so that the pauses between
# its attempts stay short however long the database was away.
RECONNECT_TIMEOUT = 5.0


def pool_arguments(prepare: bool) -> dict[str, Any]:
    """Return the arguments of the connections of a store's own pool."""
    return {
        # Every call is a transaction of its own: one round trip.
        "autocommit": True,
        "prepare_threshold": 5 if prepare else None,
        "client_encoding": "utf8",
    }


def forked(what: str) -> PoolClosed:
    """Return the error for a connection that two processes would share."""
    return PoolClosed(f"this process was forked after the store was given {what}: make a store with its own here")


def _calls(call: Call | Together) -> Iterable[Call]:
    return (call,) if isinstance(call, Call) else call.calls()


def _needs_transaction(call: Call | Together, connection: Connection[Any] | AsyncConnection[Any]) -> bool:
    """Tell whether a transaction must be begun for it; else it is one already, or the first statement begins one."""
    idle = connection.info.transaction_status is TransactionStatus.IDLE
    return isinstance(call, Together) and connection.autocommit and idle


# The place in the server that warns of a commit whose wait for the synchronous standby was broken off. Its text is
# translated, and its SQLSTATE is that of any warning.
_NOT_ON_THE_STANDBY = "SyncRepWaitForLSN"


@contextmanager
def _answered(connection: Connection[Any] | AsyncConnection[Any], joined: bool) -> Iterator[None]:
    """Take two sorts of answers for none, as if the connection had broken; not in a transaction of the caller's.

    One that makes no sense to the driver: a pooler whose server goes away may add its error to half an answer, or to
    one that was complete but for its last word. And one that comes with a warning that the commit may not be on the
    standby: it would be lost with this server. Sent again with its request id, the call waits for the standby anew.
    """
    if joined:
        yield
        return
    warned: list[str] = []

    def notice(diagnostic: Diagnostic) -> None:
        if diagnostic.source_function == _NOT_ON_THE_STANDBY:
            warned.append(diagnostic.message_primary or "")

    connection.add_notice_handler(notice)
    try:
        yield
    except DatabaseError as error:
        # Not those of the server, which have a code, nor those of a value that cannot be sent.
        if error.sqlstate is not None or type(error) not in (DatabaseError, InternalError):
            raise
        connection.pgconn.finish()
        raise OperationalError(f"the answer makes no sense: {error}") from error
    finally:
        connection.remove_notice_handler(notice)
    if warned:
        raise OperationalError(f"committed, but perhaps not on the standby: {warned[0]}")


class Connections:
    """The caller's connection, the caller's pool, or a pool of the store's own.

    Args:
        target: a connection string (a pool is opened at the first call), a pool, or a connection.
        timeout: seconds to wait for a connection of the own pool.
        max_size: connections of the own pool at most.
        prepare: let the driver prepare statements that are sent often.
    """

    def __init__(
        self, target: str | ConnectionPool[Any] | Connection[Any], *, timeout: float, max_size: int, prepare: bool
    ) -> None:
        if not isinstance(target, (str, ConnectionPool, Connection)):
            raise TypeError(f"a connection string, ConnectionPool or Connection is needed, not {type(target).__name__}")
        self._target = target
        self._timeout = timeout
        self._max_size = max_size
        self._prepare = prepare
        # Whatever a connection's own settings say: a named statement does not survive a pooler.
        self._may_prepare = None if prepare else False
        self._pid = os.getpid()
        self._own: ConnectionPool[Any] | None = None
        self._opening = threading.Lock()
        # Pools of a parent process. Kept: collecting one would end sessions that the parent goes on using.
        self._inherited: list[ConnectionPool[Any]] = []
        self._closed = False
        forks.watch(self)

    @property
    def joined(self) -> bool:
        """Whether calls join a transaction of the caller's."""
        return isinstance(self._target, Connection)

    def execute(self, call: Call | Together, *, timeout: float, suspicious: bool) -> list[Row]:
        """Send a call and return its rows; on return it is committed, unless it joined the caller's transaction.

        Args:
            call: what to send; calls that are together are one transaction.
            timeout: seconds to wait for a connection of the own pool.
            suspicious: a connection has just broken: others may have too, so the pool looks at them before.
        """
        with self._lease(timeout, suspicious) as connection, Cursor(connection, row_factory=tuple_row) as cursor:
            rows: list[Row] = []
            with (
                _answered(connection, self.joined),
                connection.transaction() if _needs_transaction(call, connection) else nullcontext(),
            ):
                for one in _calls(call):
                    cursor.execute(one.sql, one.parameters, prepare=self._may_prepare)
                    rows += cursor.fetchall()
            return rows

    @contextmanager
    def _lease(self, timeout: float, suspicious: bool) -> Iterator[Connection[Any]]:
        if isinstance(self._target, Connection):
            if os.getpid() != self._pid:
                raise forked("a connection")
            yield self._target
            return
        pool = self._pool()
        if suspicious:
            pool.check()
        with pool.connection(timeout if pool is self._own else None) as connection:
            yield connection

    def _pool(self) -> ConnectionPool[Any]:
        if isinstance(self._target, ConnectionPool):
            if os.getpid() != self._pid:
                raise forked("a pool")
            return self._target
        with self._opening:
            if self._closed:
                raise PoolClosed("the store is closed")
            if self._own is None:
                self._own = ConnectionPool(
                    str(self._target),
                    kwargs=pool_arguments(self._prepare),
                    min_size=1,
                    max_size=self._max_size,
                    timeout=self._timeout,
                    reconnect_timeout=RECONNECT_TIMEOUT,
                    reconnect_failed=ConnectionPool.check,
                    name="fsmstore",
                    open=True,
                )
            return self._own

    def close(self) -> None:
        """Close the store's own pool."""
        with self._opening:
            self._closed = True
            pool, self._own = self._own, None
        if pool is not None:
            pool.close()

    def after_fork_in_child(self) -> None:
        """Leave the own pool to the parent; the next call opens another."""
        self._opening = threading.Lock()
        if self._own is not None:
            self._inherited.append(self._own)
            self._own = None


class AsyncConnections:
    """The same for asyncio. Its own pool belongs to one event loop, until that is closed."""

    def __init__(
        self,
        target: str | AsyncConnectionPool[Any] | AsyncConnection[Any],
        *,
        timeout: float,
        max_size: int,
        prepare: bool,
    ) -> None:
        if not isinstance(target, (str, AsyncConnectionPool, AsyncConnection)):
            raise TypeError(
                f"a connection string, AsyncConnectionPool or AsyncConnection is needed, not {type(target).__name__}"
            )
        self._target = target
        self._timeout = timeout
        self._max_size = max_size
        self._prepare = prepare
        # Whatever a connection's own settings say: a named statement does not survive a pooler.
        self._may_prepare = None if prepare else False
        self._pid = os.getpid()
        self._own: AsyncConnectionPool[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Pools of a parent process. Kept: collecting one would end sessions that the parent goes on using.
        self._inherited: list[AsyncConnectionPool[Any]] = []
        self._closed = False
        forks.watch(self)

    @property
    def joined(self) -> bool:
        """Whether calls join a transaction of the caller's."""
        return isinstance(self._target, AsyncConnection)

    async def execute(self, call: Call | Together, *, timeout: float, suspicious: bool) -> list[Row]:
        """Send a call and return its rows; on return it is committed, unless it joined the caller's transaction.

        Args:
            call: what to send; calls that are together are one transaction.
            timeout: seconds to wait for a connection of the own pool.
            suspicious: a connection has just broken: others may have too, so the pool looks at them before.
        """
        async with (
            self._lease(timeout, suspicious) as connection,
            AsyncCursor(connection, row_factory=tuple_row) as cursor,
        ):
            rows: list[Row] = []
            with _answered(connection, self.joined):
                async with connection.transaction() if _needs_transaction(call, connection) else nullcontext():
                    for one in _calls(call):
                        await cursor.execute(one.sql, one.parameters, prepare=self._may_prepare)
                        rows += await cursor.fetchall()
            return rows

    @asynccontextmanager
    async def _lease(self, timeout: float, suspicious: bool) -> AsyncIterator[AsyncConnection[Any]]:
        if isinstance(self._target, AsyncConnection):
            if os.getpid() != self._pid:
                raise forked("a connection")
            yield self._target
            return
        pool = await self._pool()
        if suspicious:
            await pool.check()
        async with pool.connection(timeout if pool is self._own else None) as connection:
            yield connection

    async def _pool(self) -> AsyncConnectionPool[Any]:
        if isinstance(self._target, AsyncConnectionPool):
            if os.getpid() != self._pid:
                raise forked("a pool")
            return self._target
        if self._closed:
            raise PoolClosed("the store is closed")
        loop = asyncio.get_running_loop()
        if self._own is not None and self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise PoolClosed("the store's pool belongs to another event loop: make a store for each loop")
            self._own = None
        if self._own is None:
            self._loop = loop
            self._own = AsyncConnectionPool(
                str(self._target),
                kwargs=pool_arguments(self._prepare),
                min_size=1,
                max_size=self._max_size,
                timeout=self._timeout,
                reconnect_timeout=RECONNECT_TIMEOUT,
                reconnect_failed=AsyncConnectionPool.check,
                name="fsmstore",
                open=False,
            )
        await self._own.open()
        return self._own

    async def close(self) -> None:
        """Close the store's own pool."""
        self._closed = True
        pool, self._own = self._own, None
        if pool is not None:
            await pool.close()

    def after_fork_in_child(self) -> None:
        """Leave the own pool to the parent; the next call opens another."""
        if self._own is not None:
            self._inherited.append(self._own)
            self._own = None
