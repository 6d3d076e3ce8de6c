"""Every method of the asynchronous client, cancelled at its first, second, … last suspension: nothing is left."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import psycopg
import pytest

from fsmstore import AsyncSessionStore
from support.machines import DOOR

Connection = psycopg.Connection[Any]

# A call of each method that can be made again and again. Of those that write: does it now count for more than before?
BATCH = UUID(int=5)
ROW = '{"source": "p", "session_id": "old", "data": {"x": 1}}'
READS: dict[str, Callable[[AsyncSessionStore], Awaitable[Any]]] = {
    "allowed_events": lambda store: store.allowed_events("s-1"),
    "as_of": lambda store: store.as_of("s-1", _now()),
    "audit_head": lambda store: store.audit_head("s-1"),
    "changes": lambda store: store.changes(),
    "check_machine": lambda store: store.check_machine(DOOR),
    "detect_loop": lambda store: store.detect_loop("s-1"),
    "diagram": lambda store: store.diagram("door"),
    "diff": lambda store: store.diff("s-1", 1, 1),
    "doctor": lambda store: store.doctor(),
    "history": lambda store: store.history("s-1"),
    "import_original": lambda store: store.import_original(BATCH, "old"),
    "list_sessions": lambda store: store.list_sessions(),
    "load": lambda store: store.load("s-1"),
    "load_at": lambda store: store.load_at("s-1", 1),
    "load_context": lambda store: store.load_context("s-1", ["$"]),
    "load_many": lambda store: store.load_many(["s-1", "s-2"]),
    "looping_sessions": lambda store: store.looping_sessions(),
    "machine_definition": lambda store: store.machine_definition("door"),
    "metrics": lambda store: store.metrics(),
    "schema_release": lambda store: store.schema_release(),
    "stuck_sessions": lambda store: store.stuck_sessions(0),
    "validate": lambda store: store.validate("door", "open", {}),
    "verify": lambda store: store.verify(),
}
WRITES: dict[str, Callable[[AsyncSessionStore, UUID], Awaitable[Any]]] = {
    "create": lambda store, request: store.create(f"new-{request}", "door", request_id=request),
    "define_machine": lambda store, request: store.define_machine({**DOOR, "id": f"m-{request}"}),
    "delete": lambda store, request: store.delete("gone"),
    "fire_deadlines": lambda store, request: store.fire_deadlines(),
    "fork": lambda store, request: store.fork("s-1", 1, f"fork-{request}", request_id=request),
    "import_sessions": lambda store, request: store.import_sessions([ROW], request, dry_run=False),
    "new_feed_epoch": lambda store, request: store.new_feed_epoch(),
    "purge": lambda store, request: store.purge(86400),
    "purge_import": lambda store, request: store.purge_import(BATCH),
    "retire_machine": lambda store, request: store.retire_machine("door", 1, False),
    "rollback": lambda store, request: store.rollback("s-1", 1, expected_version=None, request_id=request),
    "save": lambda store, request: _save(store, request),
    "save_many": lambda store, request: store.save_many(
        [{"session_id": name, "state": "closed", "context": {}, "request_id": request} for name in ("s-1", "s-2")]
    ),
    "send": lambda store, request: store.send("s-1", "KNOCK", request_id=request),
    "trim_history": lambda store, request: store.trim_history(10_000),
    "undo_import": lambda store, request: store.undo_import(BATCH),
    "update": lambda store, request: store.update("s-1", {"n": 1}, request_id=request),
    "upgrade": lambda store, request: store.upgrade("door", 1, 2, dry_run=False),
}
# Answered by the same request id if it was done: so cancelled and asked again, it is applied once.
REPEATED = {"create", "fork", "rollback", "save", "save_many", "send", "update"}


def _now() -> datetime:
    return datetime.now(timezone.utc)


async def _save(store: AsyncSessionStore, request: UUID) -> Any:
    session = await store.load("s-1", max_age=1000)
    assert session is not None
    return await store.save(session, expected_version=None, request_id=request)


def test_none_is_missing() -> None:
    methods = {name for name, _ in inspect.getmembers(AsyncSessionStore, inspect.iscoroutinefunction) if name[0] != "_"}
    assert methods == {*READS, *WRITES, "close"}


class Stepping:
    """Drives a coroutine from one suspension to the next, and cancels it at a given one.

    Args:
        late: not while it waits, but when what it waits for is there: as by a cancellation in that very moment.
    """

    def __init__(self, call: Coroutine[Any, Any, Any], cancel_at: int, *, late: bool) -> None:
        self._call = call
        self._left = cancel_at
        self._late = late
        self.reached = False
        """Whether there was such a suspension."""

    def __await__(self) -> Any:
        waiter = self._call.__await__()
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                yielded = waiter.throw(error) if error is not None else waiter.send(answer)
            except StopIteration as done:
                return done.value
            error = None
            here, self._left = self._left == 0, self._left - 1
            self.reached = self.reached or here
            if here and not self._late:
                if yielded is not None:
                    yielded._asyncio_future_blocking = False
                    yielded.cancel()
                error = asyncio.CancelledError()
                continue
            try:
                answer = yield yielded
            except BaseException as thrown:  # noqa: BLE001  # handed on to the coroutine, as a task does
                error = thrown
            if here:
                error = asyncio.CancelledError()


async def driven(stepping: Stepping) -> Any:
    return await stepping


async def nothing_is_left(store: AsyncSessionStore, db: Connection) -> None:
    pool = store._connections._own
    if pool is not None:
        for _ in range(2000):
            stats = pool.get_stats()
            if stats["pool_available"] == stats["pool_size"]:
                break
            await asyncio.sleep(0.001)
        assert stats["requests_waiting"] == 0
        assert stats["pool_available"] == stats["pool_size"] <= 2
    assert not any(store._cache._flights.values())
    mine = "from pg_stat_activity where datname = current_database() and usename = 'test_admin'"
    for _ in range(2000):
        if db.execute(f"select count(*) {mine} and state <> 'idle'").fetchone() == (0,):
            break
        await asyncio.sleep(0.001)
    assert db.execute(f"select state, query {mine} and state <> 'idle'").fetchall() == []
    held = "select count(*) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
    assert db.execute(
        f"{held} and database = (select oid from pg_database where datname = current_database())"
    ).fetchone() == (0,)


async def cancelled_everywhere(
    store: AsyncSessionStore,
    db: Connection,
    call: Callable[[UUID], Coroutine[Any, Any, Any]],
    repeated: bool,
    first: int,
    late: bool,
) -> int:
    """Cancel the call at its first, second, … suspension until it is through; return how many it has."""
    step = 0
    while True:
        request = UUID(int=first + step)
        stepping = Stepping(call(request), step, late=late)

        before = db.execute("select count(*) from fsm_internal.history").fetchone()
        with suppress(asyncio.CancelledError):
            await asyncio.create_task(driven(stepping))
        if not stepping.reached:
            return step
        await nothing_is_left(store, db)
        if repeated:
            await call(request)
            again = db.execute("select count(*) from fsm_internal.history where request_id = %s", (request,)).fetchone()
            assert before is not None
            assert again in ((1,), (2,))
            after = db.execute("select count(*) from fsm_internal.history").fetchone()
            assert after == (before[0] + again[0],)
        step += 1
        assert step < 200, "it never ends"


def _in_a_loop(dsn: str, db: Connection, scenario: Callable[[AsyncSessionStore], Awaitable[int]]) -> int:
    async def run() -> int:
        async with AsyncSessionStore(dsn, max_size=2) as store:
            for name in ("s-1", "s-2"):
                await store.create(name, "door", {"n": 0})
            await store.define_machine({**DOOR, "description": "the second"})
            return await scenario(store)

    return asyncio.run(run())


@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "as it comes"])
@pytest.mark.parametrize("kind", ["reads", "writes"])
def test_cancelled_at_every_suspension(dsn: Callable[..., str], db: Connection, kind: str, late: bool) -> None:
    steps: dict[str, int] = {}

    async def scenario(store: AsyncSessionStore) -> int:
        first = 1000
        calls = READS if kind == "reads" else WRITES
        for name, method in calls.items():

            async def call(request: UUID, method: Any = method) -> Any:
                return await (method(store) if kind == "reads" else method(store, request))

            steps[name] = await cancelled_everywhere(store, db, call, name in REPEATED, first, late)
            first += 1000
            loaded = await store.load("s-1")
            assert loaded == await store.load("s-1", max_age=1000)
        return 0

    _in_a_loop(dsn("test_admin"), db, scenario)
    assert min(steps.values()) >= 1, steps
    assert db.execute("select * from fsm.verify_sessions()").fetchall() == []
    per_request = (
        "select count(*) from fsm_internal.history where request_id is not null group by session_id, request_id"
    )
    assert {row[0] for row in db.execute(per_request)} == {1}


@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "as it comes"])
@pytest.mark.parametrize("name", ["load", "send", "save_many"])
def test_cancelled_at_every_suspension_of_the_first_call(
    dsn: Callable[..., str], db: Connection, name: str, late: bool
) -> None:
    """When the pool is being opened, and the release of the schema asked for."""
    with psycopg.connect(dsn("test_admin"), autocommit=True) as admin:
        for session_id in ("s-1", "s-2"):
            admin.execute("select fsm.create_session(%s, 'door')", (session_id,))

    async def attempt(step: int) -> bool:
        async with AsyncSessionStore(dsn("test_admin"), max_size=2) as store:
            call: Any = READS[name](store) if name in READS else WRITES[name](store, UUID(int=step + 1))
            stepping = Stepping(call, step, late=late)
            # Before Python 3.12 asyncio.wait_for, in which the pool waits, swallows one that comes with its result.
            with suppress(asyncio.CancelledError):
                await asyncio.create_task(driven(stepping))
            await nothing_is_left(store, db)
            assert (await store.load("s-1")) is not None
            return stepping.reached

    step = 0
    while asyncio.run(attempt(step)):
        step += 1
    assert step >= 3
