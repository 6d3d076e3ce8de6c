"""One store for many threads, tasks and processes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import coverage
import psycopg
import psycopg_pool
import pytest

import fsmstore
from fsmstore import AsyncSessionStore, SessionStore
from support.clients import Flavour
from support.together import Running, backends, holding, waiting_backend, waiting_backends
from support.waiting import wait_until

Connection = psycopg.Connection[Any]


def test_many_threads_share_a_store(flavour: Flavour, app_dsn: str) -> None:
    store = flavour.store(app_dsn, max_size=3, cache_entries=2)
    names = ["s-1", "s-2", "s-3"]
    for name in names:
        store.create(name, "door", {"n": 0, "log": []})
    start = threading.Barrier(6)

    def work(number: int) -> int:
        start.wait()
        conflicts = 0
        for step in range(15):
            name = names[step % 3]
            while True:
                session = store.load(name)
                assert session.context["n"] == len(session.context["log"]) == session.version - 1
                log = [*session.context["log"], number]
                try:
                    store.save(session.evolve(context={"n": len(log), "log": log}))
                except fsmstore.VersionConflict:
                    conflicts += 1
                else:
                    break
                aged = store.load(name, max_age=1000)
                assert aged.version >= session.version
        return conflicts

    runs = [Running(lambda number=number: work(number)) for number in range(6)]  # type: ignore[misc]
    conflicts = sum(run.result() for run in runs)
    assert conflicts > 0
    for name in names:
        session = store.load(name)
        assert session.version == 31
        assert sorted(session.context["log"]) == [number for number in range(6) for _ in range(5)]


CHILD = """
import json, os, sys
import fsmstore

dsn = sys.argv[1]
store = fsmstore.SessionStore(dsn, max_size=2)
mine = store.create("s-1", "door", {"n": 1})
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.close(reading)
    seen = store.load("s-1")
    aged = store.load("s-1", max_age=1000)
    sent = store.send("s-1", "OPEN", {"n": 2})
    told = {"pid": os.getpid(), "seen": seen.version, "aged": aged.version, "sent": sent.version}
    os.write(writing, json.dumps(told).encode())
    os.close(writing)
    if sys.argv[2] == "exit":
        sys.exit(0)
    os._exit(0)
os.close(writing)
with os.fdopen(reading) as pipe:
    told = json.load(pipe)
_, status = os.waitpid(child, 0)
after = store.load("s-1")
print(json.dumps({**told, "status": status, "after": after.version, "context": after.context}))
store.close()
"""


@pytest.mark.parametrize("way", ["exit", "_exit"])
def test_a_forked_child_has_a_pool_of_its_own(app_dsn: str, db: Connection, way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", CHILD, app_dsn, way],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["seen"], told["aged"], told["sent"]) == (1, 1, 2)
    assert (told["status"], told["after"], told["context"]) == (0, 2, {"n": 2})
    wait_until(lambda: not backends(db), "all connections are closed")


def in_child(work: Callable[[], Any]) -> Any:
    """Fork, do the work there, and return what it returned or the name of its exception."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            try:
                told = work()
            except Exception as error:  # noqa: BLE001  # told to the parent
                told = f"{type(error).__name__}: {error}"
            os.write(writing, json.dumps(told).encode())
            measured = coverage.Coverage.current()
            if measured is not None:
                measured.save()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = json.load(pipe)
    os.waitpid(child, 0)
    return told


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_of_a_process_with_threads(app_dsn: str) -> None:
    """Threads that hold the store's locks in the parent do not exist in the child."""
    with SessionStore(app_dsn) as store:
        store.create("s-1", "door", {"n": 1})
        holders = [store._cache._lock, store._connections._opening]
        for lock in holders:
            lock.acquire()
        try:
            told = in_child(lambda: store.load("s-1", max_age=1000).context)  # type: ignore[union-attr]
        finally:
            for lock in holders:
                lock.release()
        assert told == {"n": 1}
        assert store.load("s-1") is not None


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_may_not_use_its_parents_connections(app_dsn: str) -> None:
    with psycopg.connect(app_dsn) as connection, psycopg_pool.ConnectionPool(app_dsn, open=True) as pool:
        for target in (connection, pool):
            store = SessionStore(target)
            assert store.load("s-1") is None
            assert "forked" in in_child(lambda store=store: store.load("s-1"))  # type: ignore[misc]
            assert store.load("s-1") is None


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_an_asynchronous_store_in_a_child(app_dsn: str) -> None:
    store = AsyncSessionStore(app_dsn)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(store.create("s-1", "door", {"n": 1}))

    async def load() -> Any:
        async with store:
            session = await store.load("s-1")
            assert session is not None
            return session.context

    assert in_child(lambda: asyncio.run(load())) == {"n": 1}

    async def open_pool() -> Any:
        pool = psycopg_pool.AsyncConnectionPool(app_dsn, open=False)
        await pool.open()
        return pool

    given = loop.run_until_complete(open_pool())
    guarded = AsyncSessionStore(given)
    connection = loop.run_until_complete(psycopg.AsyncConnection.connect(app_dsn))
    joined = AsyncSessionStore(connection)
    assert "forked" in in_child(lambda: asyncio.run(guarded.load("s-1")))
    assert "forked" in in_child(lambda: asyncio.run(joined.load("s-1")))
    assert loop.run_until_complete(guarded.load("s-1")) == loop.run_until_complete(joined.load("s-1"))
    loop.run_until_complete(given.close())
    loop.run_until_complete(connection.close())
    loop.run_until_complete(store.close())
    loop.close()


def test_one_event_loop_after_another(app_dsn: str) -> None:
    store = AsyncSessionStore(app_dsn)
    assert asyncio.run(store.create("s-1", "door")).version == 1
    assert asyncio.run(store.send("s-1", "OPEN")).version == 2

    async def elsewhere() -> None:
        await store.send("s-1", "CLOSE")
        with pytest.raises(psycopg_pool.PoolClosed, match="another event loop"):
            await asyncio.to_thread(asyncio.run, store.load("s-1"))
        await store.close()

    asyncio.run(elsewhere())


def test_cancelled_calls_leave_the_pool_whole(
    app_dsn: str, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    async def scenario() -> None:
        async with AsyncSessionStore(app_dsn, max_size=2) as store:
            await store.create("s-1", "door")
            for _ in range(5):
                with holding(connect_as(None), "s-1"):
                    tasks = [asyncio.create_task(store.send("s-1", "OPEN")) for _ in range(4)]
                    # Both connections are in use, and the server has both calls: a cancellation that overtakes
                    # its call is lost, as PostgreSQL's protocol has it.
                    await asyncio.to_thread(wait_until, lambda: len(waiting_backends(db)) == 2, "two calls wait")
                    for task in tasks:
                        task.cancel()
                    results = await asyncio.gather(*tasks, return_exceptions=True)
                    assert all(isinstance(result, asyncio.CancelledError) for result in results)
                # Nothing of it goes on, and nobody holds the lock.
                await asyncio.to_thread(wait_until, lambda: waiting_backend(db) is None, "nothing waits any more")
                assert (await store.update("s-1", expected_version=None)).replayed is False
            loaded = await asyncio.gather(*(store.load("s-1") for _ in range(10)))
            assert {session and session.version for session in loaded} == {6}
            pool = store._connections._own
            assert pool is not None
            stats = pool.get_stats()
            assert stats["requests_waiting"] == 0
            assert stats["pool_available"] == stats["pool_size"] <= 2
            assert not any(store._cache._flights.values())

    asyncio.run(scenario())


def test_cancellation_at_any_await_leaves_the_pool_whole(app_dsn: str) -> None:
    """Let the call take n steps of the event loop, then cancel it: for every n until it is through."""

    async def scenario() -> int:
        async with AsyncSessionStore(app_dsn, max_size=1) as store:
            session = await store.create("s-1", "door", {"n": 0})
            steps = 0
            while True:
                task = asyncio.create_task(store.save(session.evolve(context={"n": steps}), expected_version=None))
                for _ in range(steps):
                    await asyncio.sleep(0)
                if task.done():
                    break
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                steps += 1
                loaded = await store.load("s-1")
                assert loaded is not None
                aged = await store.load("s-1", max_age=1000)
                assert aged == loaded
            assert store._connections._own is not None
            assert store._connections._own.get_stats()["pool_size"] == 1
            return steps

    assert asyncio.run(scenario()) > 3


def test_an_interrupted_call_leaves_the_pool_whole(
    app_dsn: str, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    """The write may or may not be done: what is held of the session goes."""
    with SessionStore(app_dsn, max_size=1) as store:
        store.create("s-1", "door")
        with holding(connect_as(None), "s-1"):
            run = Running(lambda: store.send("s-1", "OPEN"))
            wait_until(lambda: waiting_backend(db) is not None, "the call waits")
            db.execute("select pg_cancel_backend(%s)", (waiting_backend(db),))
            with pytest.raises(psycopg.errors.QueryCanceled):
                run.result()
        assert store._cache.entries == 0
        assert store.load("s-1", max_age=1000) == store.load("s-1")
        assert store.send("s-1", "OPEN").version == 2
