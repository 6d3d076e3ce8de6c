"""What drives the operations: input, output, waiting and nothing else; once for each client."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from .base_operations import Steps
from .cache import Cache
from .connections import AsyncConnections, Connections
from .errors import FsmError, translate_errors
from .jsonvalues import Codec
from .operations import Operations
from .retry import Attempts
from .statements import Call, Row, Together

T = TypeVar("T")
D = TypeVar("D", bound="Driver")
A = TypeVar("A", bound="AsyncDriver")


class Driver:
    """Connections, cache and operations of a synchronous store."""

    def __init__(
        self,
        target: str | ConnectionPool[Any] | Connection[Any],
        *,
        timeout: float = 30.0,
        max_size: int = 10,
        prepare: bool = False,
        decimals: bool = False,
        cache_entries: int = 1024,
        cache_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._timeout = timeout
        self._connections = Connections(target, timeout=timeout, max_size=max_size, prepare=prepare)
        joined = self._connections.joined
        self._cache = Cache(0 if joined else cache_entries, cache_bytes)
        self._operations = Operations(Codec(decimals=decimals), self._cache, joined=joined)

    def __enter__(self: D) -> D:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the store's own pool; calls after that raise ``psycopg_pool.PoolClosed``.

        A pool or connection that the store was given stays open. Closing twice does nothing.
        """
        self._connections.close()

    def schema_release(self) -> str:
        """Return the release of schema ``fsm`` in this database, such as ``0.1.0``.

        Raises:
            SchemaMismatch: SM070, there is no such schema.
        """
        return self._run(self._operations.schema_release(), checked=False)

    def _run(self, steps: Steps[T], *, checked: bool = True, timeout: float | None = None) -> T:
        try:
            call = next(steps)
            if checked and not self._operations.release_known:
                self._run(self._operations.check_release(), checked=False, timeout=timeout)
            while True:
                try:
                    rows = self._execute(call, self._timeout if timeout is None else timeout)
                except (psycopg.Error, FsmError) as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(rows)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            steps.close()

    def _execute(self, call: Call | Together, timeout: float) -> list[Row]:
        attempts = Attempts(call.name, call.repeat, timeout, joined=self._connections.joined)
        while True:
            try:
                with translate_errors():
                    return self._connections.execute(
                        call, timeout=attempts.remaining(), suspicious=attempts.lost is not None
                    )
            except psycopg.Error as error:
                delay = attempts.delay_after(error)
            time.sleep(delay)


class AsyncDriver:
    """Connections, cache and operations of an asynchronous store."""

    def __init__(
        self,
        target: str | AsyncConnectionPool[Any] | AsyncConnection[Any],
        *,
        timeout: float = 30.0,
        max_size: int = 10,
        prepare: bool = False,
        decimals: bool = False,
        cache_entries: int = 1024,
        cache_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._timeout = timeout
        self._connections = AsyncConnections(target, timeout=timeout, max_size=max_size, prepare=prepare)
        joined = self._connections.joined
        self._cache = Cache(0 if joined else cache_entries, cache_bytes)
        self._operations = Operations(Codec(decimals=decimals), self._cache, joined=joined)

    async def __aenter__(self: A) -> A:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """See SessionStore.close."""
        await self._connections.close()

    async def schema_release(self) -> str:
        """See SessionStore.schema_release."""
        return await self._run(self._operations.schema_release(), checked=False)

    async def _run(self, steps: Steps[T], *, checked: bool = True, timeout: float | None = None) -> T:
        try:
            call = next(steps)
            if checked and not self._operations.release_known:
                await self._run(self._operations.check_release(), checked=False, timeout=timeout)
            while True:
                try:
                    rows = await self._execute(call, self._timeout if timeout is None else timeout)
                except (psycopg.Error, FsmError) as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(rows)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            steps.close()

    async def _execute(self, call: Call | Together, timeout: float) -> list[Row]:
        attempts = Attempts(call.name, call.repeat, timeout, joined=self._connections.joined)
        while True:
            try:
                with translate_errors():
                    return await self._connections.execute(
                        call, timeout=attempts.remaining(), suspicious=attempts.lost is not None
                    )
            except psycopg.Error as error:
                delay = attempts.delay_after(error)
            await asyncio.sleep(delay)
