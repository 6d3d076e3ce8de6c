"""No connection to be had, many threads at once, thousands of calls: a clear answer, nothing old, no growth."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import psycopg_pool
import pytest

import fsmstore
from fsmstore import Outcome, SessionStore, outcome_of
from support.clients import Flavour
from support.together import Running, holding, waiting_backends
from support.waiting import wait_until

Connection = psycopg.Connection[Any]

ELSEWHERE = """
select fsm.save_session(
  %(s)s, 'closed', jsonb_set(context, '{log}', context -> 'log' || to_jsonb(version + 1)), version)
from fsm.load_session(%(s)s)
"""


@pytest.mark.parametrize("method", ["load", "update", "save_many", "changes"])
def test_no_connection_within_the_timeout_is_an_error_and_nothing_was_done(
    flavour: Flavour, app_dsn: str, db: Connection, connect_as: Callable[..., Connection], method: str
) -> None:
    store = flavour.store(app_dsn, max_size=2, timeout=0.3)
    store.create("s-1", "door")
    store.create("s-2", "door")
    store.create("s-3", "door")
    with holding(connect_as(None), "s-1"):
        busy = [Running(lambda: store.update("s-1", {"n": 1})) for _ in range(2)]
        wait_until(lambda: len(waiting_backends(db)) == 2, "both connections are in use")
        call = {
            "load": lambda: store.load("s-2"),
            "update": lambda: store.update("s-2", {"n": 1}),
            "save_many": lambda: store.save_many([{"session_id": "s-2", "state": "closed", "context": {}}]),
            "changes": lambda: store.changes(),
        }[method]
        runs = [Running(call) for _ in range(5)]
        for run in runs:
            with pytest.raises(psycopg_pool.PoolTimeout) as caught:
                run.result()
            assert outcome_of(caught.value) is Outcome.NOT_DONE
        assert store.load("s-3", max_age=1000).version == 1  # what needs no connection goes on
    for run in busy:
        run.result()
    assert store.load("s-1").version == 3
    assert store.load("s-2").version == 1
    stats = store._connections._own.get_stats()
    assert (stats["requests_waiting"], stats["pool_available"]) == (0, stats["pool_size"])


def test_nobody_is_served_below_what_was_acknowledged(app_dsn: str, connect_as: Callable[..., Connection]) -> None:
    """Threads write through the store and behind it; what any reader gets is never older than what it knew before."""
    names = ["s-1", "s-2", "s-3"]
    told = dict.fromkeys(names, 1)
    lock = threading.Lock()
    over = threading.Event()
    done = [0] * 7
    ages: list[float | None] = [None, 0.0, 0.001, 1000.0]

    def tell(name: str, version: int) -> None:
        with lock:
            told[name] = max(told[name], version)

    with SessionStore(app_dsn, max_size=4, cache_entries=2) as store:
        for name in names:
            store.create(name, "door", {"log": [1]})

        def write(number: int) -> None:
            while not over.is_set():
                name = names[(number + done[number]) % 3]
                session = store.load(name, max_age=1000 if number else None)
                assert session is not None
                log = [*session.context["log"], session.version + 1]
                try:
                    tell(name, store.save(session.evolve(context={"log": log})).version)
                except fsmstore.VersionConflict:
                    store.load(name)
                done[number] += 1

        def write_elsewhere(number: int) -> None:
            connection = connect_as("test_app")
            while not over.wait(0.002):  # so that the others have a chance
                with suppress(psycopg.DatabaseError):  # somebody was faster: SM030
                    connection.execute(ELSEWHERE, {"s": names[done[number] % 3]})
                done[number] += 1

        def read(number: int) -> None:
            seen = dict.fromkeys(names, 0)
            while not over.is_set():
                reads = done[number]
                name, max_age = names[reads % 3], ages[(reads + number) % len(ages)]
                with lock:
                    floor = max(told[name], seen[name])
                session = store.load(name, max_age=max_age) if reads % 5 else store.load_many([name])[name]
                assert session is not None
                assert session.version >= floor, (max_age, floor)
                assert session.context["log"] == list(range(1, session.version + 1))
                session.context["log"].append("changed in place")
                seen[name] = session.version
                done[number] += 1

        kinds = [write, write, read, read, read, read, write_elsewhere]
        runs = [Running(lambda number=number, kind=kind: kind(number)) for number, kind in enumerate(kinds)]  # type: ignore[misc]
        try:
            wait_until(
                lambda: (min(done) > 100 and min(told.values()) > 20) or not all(run.thread.is_alive() for run in runs),
                "everybody has met the others often enough", timeout=60,
            )  # fmt: skip
        finally:
            over.set()
        for run in runs:
            run.result()
        assert min(done) > 100


def test_thousands_of_calls_leave_nothing_behind(app_dsn: str) -> None:
    with SessionStore(app_dsn, max_size=1, cache_entries=20) as store:
        for number in range(40):
            store.create(f"s-{number}", "door", {"text": "x" * 2000})

        def work(rounds: int) -> None:
            for step in range(rounds):
                name = f"s-{step % 40}"
                store.load(name)
                store.update(name, {"n": step})
                store.load_many([name, "nobody"])
                with pytest.raises(fsmstore.TransitionNotAllowed):
                    store.send(name, "NO")
                if step % 20 == 0:
                    with store.turn(name, "me") as turn:
                        turn.update({"t": step})

        work(60)
        gc.collect()
        tracemalloc.start()
        work(60)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        work(200)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 40_000, f"{grown} bytes more after 1,000 calls"
        assert store._cache.entries <= 20
        assert not store._cache._flights
