"""Both clients and plain SQL behind one face, so that one load is written once and run over all of them."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from fsmstore import AsyncSessionStore, SessionStore

from .direct import DirectStore


class Face:
    """A store whose methods block; its coroutines never wait, so that ``run`` needs no event loop."""

    def __init__(self, store: Any) -> None:
        self.store = store

    async def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a method of the store."""
        try:
            return getattr(self.store, method)(*arguments, **keywords)
        except psycopg.DatabaseError as error:
            nonsense = error.sqlstate is None and type(error) in (psycopg.DatabaseError, psycopg.InternalError)
            if not (nonsense and isinstance(self.store, DirectStore)):
                raise
            self.store.close()  # what the client library does, too: an answer in disorder is none
            raise psycopg.OperationalError(str(error)) from error

    async def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    @asynccontextmanager
    async def turn(self, *arguments: Any) -> AsyncIterator[Face]:
        """Hold a turn; yields a face with the turn's methods."""
        with self.store.turn(*arguments) as turn:
            yield Face(turn)

    @property
    def has_turns(self) -> bool:
        """Whether ``turn`` may be used."""
        return not isinstance(self.store, DirectStore)


class AsyncFace(Face):
    """A store whose methods are coroutines."""

    async def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Call a method of the store."""
        result = getattr(self.store, method)(*arguments, **keywords)
        return await result if inspect.isawaitable(result) else result

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def turn(self, *arguments: Any) -> AsyncIterator[Face]:
        """Hold a turn; yields a face with the turn's methods."""
        async with self.store.turn(*arguments) as turn:
            yield AsyncFace(turn)


def run(steps: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits for anything."""
    try:
        steps.send(None)
    except StopIteration:
        return
    steps.close()
    raise RuntimeError("it waited for an event loop")


def opened(kind: str, dsn: str, patience: float) -> Any:
    """Return the store of one kind: sync, async or direct; with "uncached" in the kind it keeps nothing."""
    if kind.startswith("direct"):
        return DirectStore(dsn)
    options: dict[str, Any] = {"timeout": patience, "max_size": 3}
    if "uncached" in kind:
        options["cache_entries"] = 0
    return AsyncSessionStore(dsn, **options) if kind.startswith("async") else SessionStore(dsn, **options)
