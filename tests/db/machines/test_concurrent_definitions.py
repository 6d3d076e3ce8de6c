"""Two who define the same machine at the same time: one version each that is needed, and no duplicate-key error."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from psycopg import IsolationLevel

from support.definitions import small
from support.waiting import wait_until_blocked

OTHER = small(description="other")


class Definer:
    """A definer in a thread of its own, in a transaction of its own."""

    def __init__(self, conn: Any, machines: Any, pool: ThreadPoolExecutor) -> None:
        self.conn = conn
        self.machines = machines
        self._pool = pool

    def begins(self, definition: Any) -> Future[Any]:
        return self._pool.submit(self.machines.define, definition)


def stored(db: Any) -> list[Any]:
    rows: list[Any] = db.execute(
        "select machine_version, definition from fsm_internal.machine_versions where machine = 'small' order by 1"
    ).fetchall()
    return rows


@pytest.fixture
def pair(machines: Any, connect_as: Any) -> Iterator[Any]:
    """A first definer, and a way to get a second one at an isolation level."""
    with ThreadPoolExecutor(1) as pool:

        def second(level: IsolationLevel = IsolationLevel.READ_COMMITTED) -> Definer:
            conn = connect_as("test_admin", autocommit=False)
            conn.isolation_level = level
            return Definer(conn, type(machines)(conn), pool)

        yield second


@pytest.mark.parametrize(
    ("definition", "expected"), [(small(), ("small", 1, False, [])), (OTHER, ("small", 2, True, []))]
)
def test_the_second_waits_and_sees_what_the_first_made(
    db: Any, machines: Any, pair: Any, definition: Any, expected: Any
) -> None:
    second = pair()
    with machines.conn.transaction():
        assert machines.define(small()).machine_version == 1
        answer = second.begins(definition)
        wait_until_blocked(db, second.conn.info.backend_pid)
    assert answer.result(10) == expected
    second.conn.commit()
    assert stored(db) == [(1, small()), (2, OTHER)][: expected[1]]


def test_the_second_goes_on_when_the_first_gives_up(db: Any, machines: Any, pair: Any) -> None:
    second = pair()
    machines.conn.execute("begin")
    machines.define(small())
    answer = second.begins(OTHER)
    wait_until_blocked(db, second.conn.info.backend_pid)
    machines.conn.execute("rollback")
    assert answer.result(10)[:3] == ("small", 1, True)
    second.conn.commit()
    assert machines.definition("small", 1) == OTHER


def test_another_machine_does_not_wait(machines: Any, pair: Any) -> None:
    second = pair()
    with machines.conn.transaction():
        machines.define(small())
        assert second.begins(small(id="another")).result(10).machine_version == 1
    second.conn.commit()


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
@pytest.mark.parametrize("before", [True, False])
def test_a_snapshot_from_before_gives_40001_or_the_right_answer(
    db: Any, machines: Any, pair: Any, level: IsolationLevel, before: bool
) -> None:
    if before:
        machines.define(small())
    second = pair(level)
    with machines.conn.transaction():
        machines.define(OTHER)
        answer = second.begins({**OTHER, "version": 3})
        wait_until_blocked(db, second.conn.info.backend_pid)
    with machines.refused() as error:
        answer.result(10)
    assert error[0].sqlstate == "40001"
    second.conn.rollback()
    retried = second.begins({**OTHER, "version": 3}).result(10)
    second.conn.commit()
    assert retried[:3] == ("small", 2 + before, True)
    assert [version for version, _ in stored(db)] == list(range(1, 3 + before))


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_a_snapshot_from_before_may_still_find_its_own_definition(
    db: Any, machines: Any, pair: Any, level: IsolationLevel
) -> None:
    machines.define(small())
    second = pair(level)
    second.conn.execute("select 1")
    machines.define(OTHER)
    assert second.begins(small()).result(10)[:3] == ("small", 1, False)
    second.conn.commit()


def test_a_version_written_past_the_lock_gives_40001(db: Any, machines: Any, pair: Any, connect_as: Any) -> None:
    owner = connect_as(None)
    owner.execute("begin")
    owner.execute(
        """insert into fsm_internal.machine_versions (machine, machine_version, definition, context_version, created_at,
          created_by)
        values ('small', 1, '{"id": "small"}', 1, now(), 'restore')"""
    )
    second = pair()
    answer = second.begins(small())
    wait_until_blocked(db, second.conn.info.backend_pid)
    owner.execute("commit")
    with machines.refused() as error:
        answer.result(10)
    assert error[0].sqlstate == "40001"
    assert error[0].detail == {"machine": "small", "machine_version": 1}
    assert "again" in str(error[0].hint)


@pytest.mark.parametrize("level", list(IsolationLevel))
def test_two_who_retire_at_once(db: Any, machines: Any, pair: Any, level: IsolationLevel) -> None:
    machines.define(small())
    second = pair(level)
    second.conn.execute("select 1")
    with machines.conn.transaction():
        assert machines.retire("small", 1) is True
        answer = second._pool.submit(second.machines.retire, "small", 1)
        wait_until_blocked(db, second.conn.info.backend_pid)
    if level in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED):
        assert answer.result(10) is False
    else:
        with machines.refused() as error:
            answer.result(10)
        assert error[0].sqlstate == "40001"
