"""Both clients behind one face: the asynchronous one runs in an event loop of its own, so that one suite is enough."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import psycopg_pool

from fsmstore import AsyncSessionStore, SessionStore


class Blocking:
    """An object whose coroutine methods are run to their end in the flavour's event loop."""

    def __init__(self, flavour: Flavour, wrapped: Any) -> None:
        self.flavour = flavour
        self.wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.wrapped, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return self.flavour.run(lambda: found(*args, **kwargs))

        return call


class Flavour:
    """One of the two clients, with what belongs to it: connections and pools of the same kind."""

    name: str
    store_class: Any
    connection_class: Any
    pool_class: Any

    def __init__(self) -> None:
        self.opened = ExitStack()

    def run(self, call: Callable[[], Any]) -> Any:
        """Do it, and wait for the result if it is a coroutine."""
        raise NotImplementedError

    def store(self, target: Any, **options: Any) -> Any:
        """Return a store that is closed after the test; its methods block."""
        wrapped = target.wrapped if isinstance(target, Blocking) else target
        store = Blocking(self, self.store_class(wrapped, **options))
        self.opened.callback(store.close)
        return store

    def connect(self, dsn: str, **options: Any) -> Any:
        """Return a connection that is closed after the test."""
        connection = Blocking(self, self.run(lambda: self.connection_class.connect(dsn, **options)))
        self.opened.callback(connection.close)
        return connection

    def pool(self, dsn: str, **options: Any) -> Any:
        """Return an open pool that is closed after the test."""
        pool = Blocking(self, self.pool_class(dsn, open=False, **options))
        pool.open()
        self.opened.callback(pool.close)
        return pool

    @contextmanager
    def transaction(self, connection: Any) -> Iterator[None]:
        """``with connection.transaction():`` for either kind of connection."""
        raise NotImplementedError
        yield


class Sync(Flavour):
    """SessionStore."""

    name = "sync"
    store_class = SessionStore
    connection_class = psycopg.Connection
    pool_class = psycopg_pool.ConnectionPool

    def run(self, call: Callable[[], Any]) -> Any:
        return call()

    @contextmanager
    def transaction(self, connection: Any) -> Iterator[None]:
        with connection.wrapped.transaction():
            yield


class Async(Flavour):
    """AsyncSessionStore, in an event loop that runs in a thread of its own."""

    name = "async"
    store_class = AsyncSessionStore
    connection_class = psycopg.AsyncConnection
    pool_class = psycopg_pool.AsyncConnectionPool

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self.loop.run_forever)
        thread.start()
        self.opened.callback(self.loop.close)
        self.opened.callback(thread.join)
        self.opened.callback(self.loop.call_soon_threadsafe, self.loop.stop)

    def run(self, call: Callable[[], Any]) -> Any:
        async def awaited() -> Any:
            result = call()
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result()

    @contextmanager
    def transaction(self, connection: Any) -> Iterator[None]:
        block = connection.wrapped.transaction()
        self.run(block.__aenter__)
        try:
            yield
        except BaseException as error:
            caught = error  # its name ends with the except block
            if not self.run(lambda: block.__aexit__(type(caught), caught, caught.__traceback__)):
                raise
        else:
            self.run(lambda: block.__aexit__(None, None, None))


FLAVOURS: dict[str, type[Flavour]] = {"sync": Sync, "async": Async}
