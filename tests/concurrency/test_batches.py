"""Batches and other callers at once: never a deadlock, and never half of a batch."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from threading import Barrier
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.machines import DOOR
from support.race import LOCK, Race
from support.stored import problems
from support.together import Running
from support.waiting import wait_until_blocked

Connection = psycopg.Connection[Any]
SESSIONS = [f"s-{number}" for number in range(12)]


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Twelve sessions of a machine with two versions, whose first state has a deadline at once."""
    closed = {**DOOR["states"]["closed"], "after": {"1": "open"}}
    for open_events in ({"CLOSE": "closed"}, {"CLOSE": "closed", "SLAM": "closed"}):
        define({**DOOR, "id": "timed", "states": {"closed": closed, "open": {"on": open_events}}})
    for session_id in SESSIONS:
        api.create(session_id, "timed", machine_version=1)
    return api


def _items(ids: list[str], **more: Any) -> list[dict[str, Any]]:
    return [{"session_id": one, "state": "closed", "context": {"by": ids[0]}, **more} for one in ids]


def _save(api: Api, ids: list[str], atomic: bool = True) -> list[Any]:
    return api.batch(_items(ids), atomic=atomic)


@pytest.mark.parametrize("atomic", [True, False])
def test_overlapping_batches_in_opposite_order(s: Api, race: Race, atomic: bool) -> None:
    """Each of them waits for one session in the middle, then all are let go at once. Many rounds."""
    for number in range(12):
        held = SESSIONS[number]
        orders = [SESSIONS, SESSIONS[::-1], random.Random(number).sample(SESSIONS, 12)]
        race.start(held, [partial(_save, ids=ids, atomic=atomic) for ids in orders])
        outcomes = race.finish()
        assert [outcome.sqlstate for outcome in outcomes] == [None] * 3
        assert sorted(row.version for outcome in outcomes for row in outcome.row if row.session_id == held) == [
            3 * number + 2, 3 * number + 3, 3 * number + 4,
        ]  # fmt: skip
        # One batch after the other: whoever was last was last in every session.
        assert len({str(s.load(one).context) for one in SESSIONS}) == 1


def test_batches_of_many_callers_at_once(s: Api, connect_as: Any, db: Connection) -> None:
    """With a start barrier, and then as fast as they can; each in an order of its own."""
    barrier = Barrier(6)

    def work(caller: Api, seed: int) -> int:
        choose, saved = random.Random(seed), 0
        barrier.wait(timeout=30)
        for _ in range(25):
            rows = _save(caller, choose.choices(SESSIONS, k=8), atomic=seed % 2 == 0)
            saved += sum(row.ok for row in rows)
        return saved

    runs = [Running(partial(work, Api(connect_as("test_app")), seed)) for seed in range(6)]
    saved = sum(run.result() for run in runs)
    assert saved == 6 * 25 * 8
    assert sum(s.load(one).version for one in SESSIONS) == saved + 12
    assert problems(db) == []


def test_a_batch_blocked_half_way_shows_nothing(s: Api, race: Race, connect_as: Any, db: Connection) -> None:
    """It waits for one of its sessions; no other caller sees what it will do, and waits only for what it has."""
    before = {one: s.load(one) for one in SESSIONS}
    race.start("s-5", [partial(_save, ids=SESSIONS)])
    assert {one: s.load(one) for one in SESSIONS} == before
    assert {row.session_id: row.version for row in s.rows("list_sessions")} == dict.fromkeys(SESSIONS, 1)
    [outcome] = race.finish()
    assert [row.version for row in outcome.row] == [2] * 12


@pytest.mark.parametrize("atomic", [True, False])
def test_a_batch_killed_half_way_did_nothing(s: Api, race: Race, connect_as: Any, db: Connection, atomic: bool) -> None:
    race.start("s-5", [partial(_save, ids=SESSIONS, atomic=atomic)])
    db.execute("select pg_terminate_backend(%s)", (race.callers[-1].conn.info.backend_pid,))
    [outcome] = race.finish_when_refused()
    assert outcome.sqlstate == "57P01"
    assert [s.load(one).version for one in SESSIONS] == [1] * 12
    s.conn.execute("set lock_timeout = '2s'")
    assert [row.version for row in _save(s, SESSIONS, atomic)] == [2] * 12


def test_a_batch_that_gives_up_waiting_did_nothing(s: Api, race: Race) -> None:
    race.hold("s-5")
    race.queue([partial(_save, ids=SESSIONS)], lambda one: one.conn.execute("set lock_timeout = '0.3s'"))
    [outcome] = race.finish_when_refused()
    assert outcome.sqlstate == "55P03"
    assert [s.load(one).version for one in SESSIONS] == [1] * 12


def test_a_batch_waits_before_its_first_item(s: Api, race: Race) -> None:
    """All locks come first: what it decides on is what was committed while it waited for the last of them."""
    s.conn.execute("begin")
    s.send("s-5", "OPEN")
    for expected in (1, 2):
        items = [*_items(["s-1"]), *_items(["s-5"], expected_version=expected), *_items(["s-2"])]
        race.queue([lambda one, items=items: one.batch(items, atomic=False)])  # type: ignore[misc]
    s.conn.execute("commit")
    first, second = race.finish()
    assert [row.sqlstate for row in first.row] == [None, "SM030", None]
    assert [(row.sqlstate, row.version) for row in second.row] == [(None, 3), (None, 3), (None, 3)]


def test_single_writes_and_batches(s: Api, race: Race) -> None:
    race.start(
        "s-5",
        [
            partial(_save, ids=SESSIONS[::-1]),
            lambda one: one.send("s-5", "OPEN"),
            partial(_save, ids=["s-5", "s-0"]),
            lambda one: one.update("s-5"),
        ],
    )
    outcomes = race.finish()
    assert [outcome.sqlstate for outcome in outcomes] == [None] * 4
    versions = [row.version for outcome in outcomes[::2] for row in outcome.row if row.session_id == "s-5"]
    assert sorted([*versions, outcomes[1].row.version, outcomes[3].row.version]) == [2, 3, 4, 5]


ADMIN: dict[str, Callable[[Api], Any]] = {
    "upgrade": lambda api: api.rows(
        "upgrade_sessions", machine="timed", from_version=1, to_version=2, dry_run=False, limit=5
    ),
    "upgrade back": lambda api: api.rows(
        "upgrade_sessions", machine="timed", from_version=2, to_version=1, dry_run=False, limit=7
    ),
    "dry run": lambda api: api.rows("upgrade_sessions", machine="timed", from_version=1, to_version=2),
    "deadlines": lambda api: api.fire(),
    "purge": lambda api: api.rows("purge_sessions", idle="0", limit=2, only_final=False),
    "delete": lambda api: api.rows("delete_session", session_id="s-3"),
    "turn": lambda api: _one_turn(api),
}


# What an answer looks like when there was something to do.
HAD_WORK: dict[str, Callable[[Any], bool]] = {
    "upgrade": lambda rows: any(row.code is None for row in rows),
    "deadlines": lambda rows: any(row.sqlstate is None for row in rows),
    "purge": lambda rows: rows[0].purge_sessions == 2,
}


def _one_turn(api: Api) -> None:
    begun = api.begin("s-7", "somebody", ttl="1 second")
    api.rows("end_turn", session_id="s-7", turn=begun.turn)


def test_no_deadlock_among_all_of_them(s: Api, connect_as: Any, db: Connection) -> None:
    """Every call is a transaction of its own. Sessions come and go; refusals are right, 40P01 never is.

    All go on until each of those that choose their sessions has had work to do at least once.
    """
    refusals: set[str] = set()
    reached: set[str] = set()
    barrier = Barrier(len(ADMIN) + 3)
    end = time.monotonic() + 60

    def again(caller: Api, name: str, call: Callable[[Api], Any], rounds: int) -> None:
        barrier.wait(timeout=30)
        while (rounds > 0 or not reached.issuperset(HAD_WORK)) and time.monotonic() < end:
            rounds -= 1
            try:
                if name in HAD_WORK and HAD_WORK[name](call(caller)):
                    reached.add(name)
                elif name not in HAD_WORK:
                    call(caller)
            except psycopg.Error as error:
                refusals.add(error.sqlstate or str(error))

    def batch(caller: Api, choose: random.Random) -> None:
        _save(caller, choose.sample(SESSIONS, 10), atomic=False)
        one = choose.choice(SESSIONS)
        if caller.load(one) is None:
            caller.create(one, "timed", machine_version=1)

    runs = [Running(partial(again, Api(connect_as("test_admin")), name, call, 40)) for name, call in ADMIN.items()]
    for seed in range(3):
        call = partial(batch, choose=random.Random(seed))
        runs.append(Running(partial(again, Api(connect_as("test_app")), f"batch {seed}", call, 60)))
    for run in runs:
        run.result()
    assert refusals <= {"SM010", "SM011", "SM050"}
    assert reached == set(HAD_WORK)
    assert problems(db) == []


def test_a_dry_run_waits_for_nobody_and_holds_nobody_up(s: Api, connect_as: Any, db: Connection) -> None:
    """It would lock what batches lock, in another order: sessions that had turns, last to first."""
    for session_id in SESSIONS:
        turn = s.begin(session_id).turn
        s.rows("end_turn", session_id=session_id, turn=turn)
    s.begin("s-9", "somebody")
    dry_run = ADMIN["dry run"]
    admin = Api(connect_as("test_admin"))
    admin.conn.execute("set lock_timeout = '2s'")
    s.conn.execute("begin")
    _save(s, ["s-2", "s-1", "s-0"])
    rows = dry_run(admin)
    assert [(row.from_state, row.sessions, row.code) for row in rows] == [
        ("closed", 11, None), ("closed", 1, "turn_held"),
    ]  # fmt: skip
    s.conn.execute("rollback")
    admin.conn.execute("begin")
    assert dry_run(admin) == rows
    s.conn.execute("set lock_timeout = '2s'")
    assert len(_save(s, ["s-2", "s-1", "s-0"])) == 3
    admin.conn.execute("rollback")
    admin.conn.execute("begin transaction read only")
    assert dry_run(admin) == rows
    admin.conn.execute("rollback")


def test_a_session_lock_is_the_one_that_batches_take(s: Api, db: Connection, connect_as: Any) -> None:
    """Also for an id that nobody has: a batch and a creation meet on it."""
    holder = connect_as(None)
    holder.execute("begin")
    holder.execute(LOCK, ("nobody",))
    run = Running(lambda: _save(s, ["nobody"], atomic=False))
    wait_until_blocked(db, s.conn.info.backend_pid)
    holder.execute("commit")
    assert [row.sqlstate for row in run.result()] == ["SM010"]
