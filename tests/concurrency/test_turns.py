"""Turns and several callers: one begins, and nobody decides on what a turn was before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api
from support.machines import DOOR
from support.race import Race
from support.stored import age, expire_turn, problems
from support.together import Running
from support.waiting import wait_until

LEVELS = ["read committed", "repeatable read", "serializable"]
REQUEST = UUID(int=1)
Connection = psycopg.Connection[Any]


def _passed(db: Connection, moment: datetime) -> None:
    """Wait for a moment by the database's clock."""
    wait_until(
        lambda: db.execute("select clock_timestamp() > %s", (moment,)).fetchone() == (True,), f"it is past {moment}"
    )


def _item(**more: Any) -> dict[str, Any]:
    return {"session_id": "s-1", "state": "closed", "context": {}, **more}


def _told(rows: list[Any]) -> Any:
    """A single row of a batch, of fire_deadlines or of an upgrade: what refused it, or the version."""
    [row] = rows
    return getattr(row, "code", None) or getattr(row, "sqlstate", None) or row.version


def _begin(api: Api, _: int) -> Any:
    return api.begin("s-1", "other", ttl="5 minutes")


def _end(api: Api, turn: int) -> Any:
    return api.one("end_turn", session_id="s-1", turn=turn)[0]


def _extend(api: Api, turn: int) -> Any:
    return api.one("extend_turn", session_id="s-1", turn=turn, ttl="1 hour")


UPGRADE = {"machine": "timed", "from_version": 1, "to_version": 2, "dry_run": False}
Call = Callable[[Api, int], Any]

# Whether a turn is held at first, what another then commits, what is called late with the token, and what is right.
CASES: dict[str, tuple[bool, Call, Call, Any]] = {
    "save": (False, _begin, lambda a, t: a.save("s-1", "closed").version, "SM050"),
    "send": (False, _begin, lambda a, t: a.send("s-1", "KNOCK").version, "SM050"),
    "update": (False, _begin, lambda a, t: a.update("s-1").version, "SM050"),
    "rollback": (False, _begin, lambda a, t: a.rollback("s-1", 1).version, "SM050"),
    "batch": (False, _begin, lambda a, t: a.batch([_item()])[0].version, "SM050"),
    "batch by items": (False, _begin, lambda a, t: _told(a.batch([_item()], atomic=False)), "SM050"),
    "begin": (False, _begin, lambda a, t: a.begin().turn, "SM050"),
    "deadline": (False, _begin, lambda a, t: _told(a.fire()), "SM050"),
    "upgrade": (False, _begin, lambda a, t: _told(a.rows("upgrade_sessions", **UPGRADE)), "turn_held"),
    "save after the end": (True, _end, lambda a, t: a.save("s-1", "closed").version, 2),
    "save with an ended token": (True, _end, lambda a, t: a.save("s-1", "closed", turn=t).version, "SM051"),
    "event with an ended token": (True, _end, lambda a, t: a.send("s-1", "KNOCK", turn=t).version, "SM051"),
    "item with an ended token": (True, _end, lambda a, t: _told(a.batch([_item(turn=t)], atomic=False)), "SM051"),
    "begin after the end": (True, _end, lambda a, t: a.begin().turn - t, 1),
    "extend after the end": (True, _end, _extend, "SM051"),
    "end after the end": (True, _end, _end, False),
    "end after the extension": (True, _extend, _end, True),
    "update after the extension": (True, _extend, lambda a, t: a.update("s-1").version, "SM050"),
    "deadline after the end": (True, _end, lambda a, t: _told(a.fire()), 2),
}
NEVER_WAIT = {"deadline", "deadline after the end", "upgrade"}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Two versions of a machine whose first state has a deadline."""
    timed = {**DOOR, "id": "timed"}
    closed = {**DOOR["states"]["closed"], "after": {"60000": "open"}}
    for open_events in ({"CLOSE": "closed"}, {"CLOSE": "closed", "SLAM": "closed"}):
        define({**timed, "states": {"closed": closed, "open": {"on": open_events}}})
    return api


def _fresh(api: Api, db: Connection, held: bool) -> int:
    """Session s-1 anew, its deadline overdue; the token of the turn that is held, or 0."""
    if api.load("s-1") is not None:
        Api(db).rows("delete_session", session_id="s-1")
    api.create("s-1", "timed", machine_version=1)
    age(db, "2 minutes", "s-1")
    return int(api.begin("s-1", "first", ttl="5 minutes").turn) if held else 0


def _result(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except psycopg.Error as error:
        return error.sqlstate


@pytest.mark.parametrize("case", CASES)
def test_a_snapshot_from_before_the_other_commit(s: Api, db: Connection, connect_as: Any, case: str) -> None:
    held, other, late, right = CASES[case]
    for level in LEVELS:
        turn = _fresh(s, db, held)
        caller = Api(connect_as("test_admin"))
        caller.conn.execute(f"begin isolation level {level}")
        caller.load("s-1")
        other(s, turn)
        got = _result(partial(late, caller, turn))
        caller.conn.execute("rollback" if got == "40001" else "commit")
        assert got == (right if level == "read committed" else "40001"), level
        assert problems(db) == []


@pytest.mark.parametrize("case", [name for name in CASES if name not in NEVER_WAIT])
def test_a_wait_for_the_other_commit(s: Api, race: Race, db: Connection, case: str) -> None:
    held, other, late, right = CASES[case]
    for level in LEVELS:
        turn = _fresh(s, db, held)
        s.conn.execute("begin")
        other(s, turn)
        isolation = f"set default_transaction_isolation = '{level}'"
        race.queue(
            [lambda one, turn=turn: late(one, turn)],  # type: ignore[misc]
            lambda one, isolation=isolation: one.conn.execute(isolation),  # type: ignore[misc]
        )
        s.conn.execute("commit")
        [outcome] = race.finish()
        assert (outcome.sqlstate or outcome.row) == (right if level == "read committed" else "40001"), level


@pytest.mark.parametrize("level", LEVELS)
def test_an_extension_counts_though_the_snapshot_shows_an_expired_turn(
    s: Api, db: Connection, connect_as: Any, level: str
) -> None:
    """As if it had been extended just in time: the snapshot's own time has passed when the other comes to decide."""
    turn = _fresh(s, db, held=True)
    expire_turn(db, "s-1")
    caller = Api(connect_as("test_app"))
    caller.conn.execute(f"begin isolation level {level}")
    caller.load("s-1")
    db.execute("update fsm_internal.turns set expires_at = clock_timestamp() + interval '1 hour'")
    assert _result(lambda: caller.update("s-1")) == ("SM050" if level == "read committed" else "40001")
    caller.conn.execute("rollback")
    assert s.update("s-1", turn=turn).version == 2


@pytest.mark.parametrize("level", LEVELS)
def test_without_another_caller_every_level_works(s: Api, db: Connection, level: str) -> None:
    _fresh(s, db, held=False)
    s.conn.execute(f"set default_transaction_isolation = '{level}'")
    turn = s.begin().turn
    _extend(s, turn)
    assert s.update("s-1", turn=turn).version == 2
    assert _end(s, turn) is True
    with s.conn.transaction():
        turn = s.begin("s-1", "me", request_id=REQUEST).turn
        _extend(s, turn)
        assert s.update("s-1", turn=turn).version == 3
        assert s.begin("s-1", "me", request_id=REQUEST).version == 3
        assert _end(s, turn) is True
        assert s.update("s-1").version == 4


def test_of_several_at_once_one_begins(api: Api, race: Race, db: Connection) -> None:
    api.create("s-1")
    race.start("s-1", [lambda one, name=name: one.begin("s-1", f"holder {name}") for name in range(6)])  # type: ignore[misc]
    outcomes = race.finish()
    [begun] = [outcome.row for outcome in outcomes if outcome.row is not None]
    assert sorted(outcome.sqlstate or "" for outcome in outcomes) == [""] + ["SM050"] * 5
    assert db.execute("select turn from fsm.active_turns").fetchall() == [(begun.turn,)]


def test_of_retries_of_one_request_all_get_the_same_turn(api: Api, race: Race) -> None:
    api.create("s-1")
    race.start("s-1", [lambda one: one.begin("s-1", "me", request_id=REQUEST)] * 5)
    rows = [outcome.row for outcome in race.finish()]
    assert len({(row.turn, row.expires_at) for row in rows}) == 1


def test_tokens_rise_though_many_begin_and_end(api: Api, connect_as: Any) -> None:
    """Each of four callers takes ten turns, one after the other, and writes its token into the session."""
    api.create("s-1", context={"log": []})
    callers = [Api(connect_as("test_app")) for _ in range(4)]

    def work(caller: Api) -> None:
        for _ in range(10):
            begun: list[Any] = []

            def begin(begun: list[Any] = begun) -> bool:
                try:
                    begun.append(caller.begin())
                except psycopg.Error as error:
                    if error.sqlstate != "SM050":
                        raise
                return bool(begun)

            wait_until(begin, "a turn is free", timeout=60)
            caller.update("s-1", append={"log": [begun[0].turn]}, turn=begun[0].turn)
            assert _end(caller, begun[0].turn) is True

    for run in [Running(partial(work, caller)) for caller in callers]:
        run.result()
    log = api.load("s-1").context["log"]
    assert log == list(range(log[0], log[0] + 40))


def test_a_turn_that_expires_while_its_save_waits(api: Api, race: Race, db: Connection) -> None:
    """What counts is whether it is held when the lock is granted."""
    api.create("s-1")
    begun = api.begin("s-1", "late", ttl="0.3 seconds")
    calls: list[Callable[[Api], Any]] = [
        lambda one: one.save("s-1", "open", turn=begun.turn),
        lambda one: one.send("s-1", "KNOCK", turn=begun.turn),
        lambda one: one.batch([_item(turn=begun.turn)]),
        lambda one: one.rollback("s-1", 1, turn=begun.turn),
        lambda one: one.rows("extend_turn", session_id="s-1", turn=begun.turn, ttl="1 minute"),
        lambda one: one.update("s-1"),
    ]
    race.start("s-1", calls)
    _passed(db, begun.expires_at)
    outcomes = race.finish()
    assert [outcome.sqlstate for outcome in outcomes] == ["SM051"] * 5 + [None]
    assert outcomes[-1].row.version == 2


def test_a_late_holder_is_told_from_the_present_one(api: Api, race: Race) -> None:
    """The turn was ended and another begun while the first holder's save waited."""
    api.create("s-1")
    first = api.begin("s-1", "first").turn
    api.conn.execute("begin")
    assert _end(api, first) is True
    second = api.begin("s-1", "second").turn
    race.queue([lambda one: one.update("s-1", turn=first), lambda one: one.update("s-1")])
    api.conn.execute("commit")
    outcomes = race.finish()
    assert [outcome.sqlstate for outcome in outcomes] == ["SM051", "SM050"]
    assert outcomes[0].error is not None
    assert f'"held_turn": {second}' in (outcomes[0].error.diag.message_detail or "")
    assert api.update("s-1", turn=second).version == 2
