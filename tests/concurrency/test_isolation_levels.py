"""Every writing function at every isolation level: the right answer or 40001, never a stale decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api
from support.race import Race

LEVELS = ["read committed", "repeatable read", "serializable"]
REQUEST = UUID(int=1)

# What another caller commits first, what is then called, and what is right: the version made, "replay" or a SQLSTATE.
CASES: dict[str, tuple[Callable[[Api], Any], Callable[[Api], Any], Any]] = {
    "save after a save": (lambda a: a.save("s-1", "open"), lambda b: b.save("s-1", "open", {}, 1), "SM030"),
    "save of what is no longer legal": (lambda a: a.send("s-1", "OPEN"), lambda b: b.save("s-1", "closed"), 3),
    "update by save after a move": (lambda a: a.send("s-1", "OPEN"), lambda b: b.save("s-1", "open", {"n": 2}), 3),
    "event that is no longer known": (lambda a: a.send("s-1", "OPEN"), lambda b: b.send("s-1", "KNOCK"), "SM020"),
    "event after an event": (lambda a: a.send("s-1", "KNOCK"), lambda b: b.send("s-1", "OPEN"), 3),
    "event of an old version": (
        lambda a: a.update("s-1"),
        lambda b: b.send("s-1", "OPEN", expected_version=1),
        "SM030",
    ),
    "update after an update": (
        lambda a: a.update("s-1", append={"log": [1]}),
        lambda b: b.update("s-1", append={"log": [2]}),
        3,
    ),
    "update of an old version": (lambda a: a.update("s-1"), lambda b: b.update("s-1", expected_version=1), "SM030"),
    "retry of a save": (
        lambda a: a.save("s-1", "open", {}, 1, request_id=REQUEST),
        lambda b: b.save("s-1", "open", {}, 1, request_id=REQUEST),
        "replay",
    ),
    "retry of an event": (
        lambda a: a.send("s-1", "OPEN", request_id=REQUEST),
        lambda b: b.send("s-1", "OPEN", request_id=REQUEST),
        "replay",
    ),
    "retry of an update": (
        lambda a: a.update("s-1", request_id=REQUEST),
        lambda b: b.update("s-1", request_id=REQUEST),
        "replay",
    ),
    # What only the other's commit makes legal: a refusal would rest on what was there before.
    "event that only now is known": (lambda a: a.send("s-1", "OPEN"), lambda b: b.send("s-1", "CLOSE"), 3),
    "save of the version to come": (lambda a: a.send("s-1", "OPEN"), lambda b: b.save("s-1", "closed", {}, 2), 3),
    "update of the version to come": (lambda a: a.update("s-1"), lambda b: b.update("s-1", expected_version=2), 3),
    "creation after a creation": (lambda a: a.create("new"), lambda b: b.create("new"), "SM011"),
    "retry of a creation": (
        lambda a: a.create("new", request_id=REQUEST),
        lambda b: b.create("new", request_id=REQUEST),
        "replay",
    ),
    "write after a creation": (lambda a: a.create("new"), lambda b: b.update("new"), 2),
}


def _judge(level: str, right: Any, row: Any, sqlstate: str | None, stale_read: str | None = None) -> None:
    """At the two higher levels 40001 instead; where there was no row to be stale, what the snapshot shows."""
    got = sqlstate or ("replay" if row.replayed else row.version)
    if level == "read committed":
        assert got == right
    else:
        assert got == "40001" or (stale_read is not None and got == stale_read)


@pytest.mark.parametrize("case", CASES)
def test_a_snapshot_from_before_the_other_commit(api: Api, connect_as: Callable[..., Any], case: str) -> None:
    """The snapshot of a transaction is taken by its first statement; the other commits after that."""
    first, second, right = CASES[case]
    for level in LEVELS:
        _reset(connect_as(None))
        api.create("s-1", context={"n": 1})
        late = Api(connect_as("test_app"))
        late.conn.execute(f"begin isolation level {level}")
        late.load("s-1")
        first(api)
        row, sqlstate = None, None
        try:
            row = second(late)
            late.conn.execute("commit")
        except psycopg.Error as error:
            sqlstate = error.sqlstate
            late.conn.execute("rollback")
        _judge(level, right, row, sqlstate, "SM010" if case == "write after a creation" else None)
        _whole(api)


@pytest.mark.parametrize("case", CASES)
def test_a_wait_for_the_other_commit(api: Api, race: Race, db: psycopg.Connection[Any], case: str) -> None:
    """The call itself takes the snapshot, before it waits for the lock."""
    first, second, right = CASES[case]
    for level in LEVELS:
        _reset(db)
        api.create("s-1", context={"n": 1})
        api.conn.execute("begin")
        first(api)
        race.queue([second], lambda one, level=level: _default_level(one, level))  # type: ignore[misc]
        api.conn.execute("commit")
        [outcome] = race.finish()
        stale = "SM010" if case == "write after a creation" else None
        _judge(level, right, outcome.row, outcome.sqlstate, stale)
        _whole(api)


def _default_level(api: Api, level: str) -> None:
    api.conn.execute(f"set default_transaction_isolation = '{level}'")


def _reset(db: psycopg.Connection[Any]) -> None:
    db.execute("truncate fsm_internal.sessions, fsm_internal.history")


def _whole(api: Api) -> None:
    """Every session agrees with its history, which has no gaps."""
    for session_id in ("s-1", "new"):
        row = api.load(session_id)
        if row is None:
            continue
        entries = api.history(session_id)
        assert [entry.version for entry in entries] == list(range(row.version, 0, -1))
        assert entries[0].to_state == row.state
        assert [entry.from_state for entry in entries[:-1]] == [entry.to_state for entry in entries[1:]]


@pytest.mark.parametrize("level", LEVELS)
def test_without_another_caller_every_level_works(api: Api, level: str) -> None:
    _default_level(api, level)
    api.create("s-1")
    api.move("s-1", "OPEN", "CLOSE")
    api.save("s-1", "open", {"n": 1}, 3)
    with api.conn.transaction():
        api.update("s-1")
        api.send("s-1", "CLOSE")
        api.save("s-1", "closed", {"n": 2}, 6, request_id=REQUEST)
        assert api.save("s-1", "closed", {}, 6, request_id=REQUEST).replayed is True
    assert api.load("s-1").version == 7
