"""The clock of the tests: it does what it is told, nobody but the owner can change it, and the doctor sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.clock import BASE, MICROSECOND, TestClock
from support.machines import DOOR

Connection = psycopg.Connection[Any]
REPLACED = "create or replace function fsm_internal.clock() returns timestamptz language sql volatile return now()"


def test_it_is_set_advanced_and_stepped_back(db: Connection) -> None:
    clock = TestClock(db)
    assert [clock.now() for _ in range(3)] == [BASE + n * MICROSECOND for n in range(3)]
    clock.advance(timedelta(hours=1))
    assert clock.now() == clock.at == BASE + timedelta(hours=1)
    clock.advance(timedelta(hours=-2))
    assert clock.now() == BASE - timedelta(hours=1)
    clock.set(BASE)
    assert clock.now() < clock.now()


def test_frozen_it_stands_still(db: Connection) -> None:
    clock = TestClock(db, frozen=True)
    assert [clock.now(), clock.now()] == [BASE, BASE]
    clock.advance(MICROSECOND)
    assert clock.now() == BASE + MICROSECOND


def test_it_goes_on_in_what_is_refused_and_inside_a_transaction(db: Connection) -> None:
    clock = TestClock(db)
    with db.transaction(force_rollback=True):
        first, second = clock.now(), clock.now()
    assert first < second < clock.now()


def test_every_time_in_history_is_its(db: Connection, app: Connection) -> None:
    Api(db).rows("define_machine", definition=DOOR)
    clock, api = TestClock(db), Api(app)
    api.create("s-1")
    clock.advance(timedelta(days=-1))
    moved = api.send("s-1", "OPEN")
    # Behind what is stored it does not count: times rise.
    assert BASE < moved.saved_at < BASE + timedelta(seconds=1)
    assert [row.at for row in api.history("s-1")] == sorted((row.at for row in api.history("s-1")), reverse=True)


@pytest.mark.parametrize("login", ["test_app", "test_admin", "test_reader", "test_monitor"])
def test_only_its_owner_can_replace_it(connect_as: Callable[..., Connection], login: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect_as(login).execute(REPLACED)


def test_nobody_else_can_set_the_clock_of_a_test(db: Connection, connect_as: Callable[..., Connection]) -> None:
    TestClock(db)
    for login in ("test_app", "test_admin"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connect_as(login).execute("update test_clock.reading set at = now()")


def test_the_doctor_finds_it(db: Connection) -> None:
    def found() -> list[str]:
        return [row.message for row in Api(db).rows("doctor") if row.check_name == "function"]

    assert found() == []
    TestClock(db)
    assert found() == ["function fsm_internal.clock() is not as it was installed"]
