"""A turn of the asynchronous client is cancelled cleanly wherever it waits: no task, no connection, no turn is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import fsmstore
from fsmstore import AsyncSessionStore, aio_turns
from support.together import holding, waiting_backend
from support.waiting import wait_until

Connection = psycopg.Connection[Any]
Held = Callable[[], list[tuple[str, str]]]


def nothing_is_left(store: AsyncSessionStore) -> None:
    # The pool's own workers are tasks too.
    places = {task: task.get_coro().cr_code.co_filename for task in asyncio.all_tasks()}  # type: ignore[union-attr]
    assert not [task for task, place in places.items() if Path(place).parent == Path(aio_turns.__file__).parent]
    pool = store._connections._own
    assert pool is not None
    stats = pool.get_stats()
    assert stats["requests_waiting"] == 0
    assert stats["pool_available"] == stats["pool_size"]
    assert not any(store._cache._flights.values())


async def steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(happened: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(wait_until, happened, what)


def test_cancellation_at_any_await(app_dsn: str, held: Held) -> None:
    """Let the block take n steps of the event loop, then cancel it: for every n until it is through."""

    async def scenario() -> tuple[int, int]:
        written = 0
        async with AsyncSessionStore(app_dsn, max_size=2) as store:
            await store.create("s-1", "door", {"n": 0})

            async def block(number: int) -> None:
                async with store.turn("s-1", f"task {number}", 5) as turn:
                    await turn.update({"n": number})
                    await turn.extend()

            number = 0
            while True:
                task = asyncio.create_task(block(number))
                await steps(number)
                if task.done():
                    break
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                nothing_is_left(store)
                assert held() == []
                loaded = await store.load("s-1")
                assert loaded is not None
                assert loaded == await store.load("s-1", max_age=1000)
                written += loaded.context["n"] == number
                number += 1
            await task
            return number, written

    number, written = asyncio.run(scenario())
    assert number > 10
    assert 0 < written < number


def test_cancellation_in_the_block(app_dsn: str, held: Held) -> None:
    async def scenario() -> None:
        async with AsyncSessionStore(app_dsn) as store:
            await store.create("s-1", "door")
            inside = asyncio.Event()

            async def block() -> None:
                async with store.turn("s-1", "ann", 0.3):
                    inside.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(block())
            await inside.wait()
            assert held() == [("s-1", "ann")]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            nothing_is_left(store)
            assert held() == []

    asyncio.run(scenario())


def test_a_beginning_that_waits_is_given_up(
    app_dsn: str, db: Connection, connect_as: Callable[..., Connection], held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing may come of it later, and it does not wait for the one who has the lock."""
    monkeypatch.setattr(aio_turns, "GRACE", 0.1)

    async def scenario() -> None:
        async with AsyncSessionStore(app_dsn) as store:
            await store.create("s-1", "door")
            with holding(connect_as("test_app"), "s-1"):
                turn = store.turn("s-1", "ann")
                task = asyncio.create_task(turn.__aenter__())
                await until(lambda: waiting_backend(db) is not None, "the beginning waits for the lock")
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await until(lambda: waiting_backend(db) is None, "nothing waits any more")
            nothing_is_left(store)
            assert held() == []

    asyncio.run(scenario())


@pytest.mark.parametrize("cancellations", [1, 2])
def test_an_end_that_waits_is_given_up(
    app_dsn: str,
    db: Connection,
    connect_as: Callable[..., Connection],
    held: Held,
    monkeypatch: pytest.MonkeyPatch,
    cancellations: int,
) -> None:
    monkeypatch.setattr(aio_turns, "GRACE", 0.2 if cancellations == 1 else 60)

    async def scenario() -> None:
        async with AsyncSessionStore(app_dsn) as store:
            await store.create("s-1", "door")
            other = connect_as("test_app")

            async def block() -> None:
                async with store.turn("s-1", "ann", 30) as turn:
                    other.execute("begin")
                    other.execute("select fsm.extend_turn('s-1', %s, '30 seconds')", (turn.turn,))

            task = asyncio.create_task(block())
            await until(lambda: waiting_backend(db) is not None, "the end waits for the lock")
            for _ in range(cancellations):
                assert not task.done()
                task.cancel()
                await steps(10)
            with pytest.raises(asyncio.CancelledError):
                await task
            nothing_is_left(store)
            other.execute("rollback")
            assert held() == [("s-1", "ann")]  # It expires.

    asyncio.run(scenario())


def test_a_cancelled_block_on_the_callers_connection(app_dsn: str, held: Held) -> None:
    async def scenario() -> None:
        async with await psycopg.AsyncConnection.connect(app_dsn) as connection:
            store = AsyncSessionStore(connection)
            await store.create("s-1", "door")
            task = asyncio.create_task(store.turn("s-1", "ann").__aenter__())
            await steps(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await connection.rollback()
            assert held() == []

    asyncio.run(scenario())


def test_many_turns_at_the_same_time(app_dsn: str, held: Held) -> None:
    async def scenario() -> None:
        async with AsyncSessionStore(app_dsn, max_size=2) as store:
            await store.create("s-1", "door", {"log": []})
            refused = 0

            async def work(number: int) -> None:
                nonlocal refused
                while True:
                    try:
                        async with store.turn("s-1", str(number), 5) as turn:
                            await turn.update(append={"log": [number]})
                            await asyncio.sleep(0)
                            await turn.update(append={"log": [number]})
                            return
                    except fsmstore.TurnHeld:
                        refused += 1
                        await asyncio.sleep(0.005)

            await asyncio.gather(*(work(number) for number in range(8)))
            session = await store.load("s-1")
            assert session is not None
            log = session.context["log"]
            assert log[::2] == log[1::2]
            assert sorted(log[::2]) == list(range(8))
            assert refused > 0
            nothing_is_left(store)
        assert held() == []

    asyncio.run(scenario())
