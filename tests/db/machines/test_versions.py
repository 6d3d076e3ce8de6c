"""machine_definition and retire_machine: which version, and what is said when there is none."""

from __future__ import annotations

from typing import Any

import pytest

from support.definitions import small

SECOND = small(description="second")


@pytest.fixture
def two(machines: Any) -> Any:
    """Machine small has two versions."""
    machines.define(small())
    machines.define(SECOND)
    return machines


def test_the_newest_version_that_is_not_retired(two: Any) -> None:
    assert two.definition("small") == SECOND
    assert two.retire("small", 2) is True
    assert two.definition("small") == small()


def test_a_retired_version_by_its_number(two: Any) -> None:
    two.retire("small", 2)
    assert two.definition("small", 2) == SECOND


def test_retiring_says_whether_something_changed(two: Any) -> None:
    assert two.retire("small", 1, False) is False
    assert two.retire("small", 1) is True
    assert two.retire("small", 1, True) is False
    assert two.retire("small", 1, False) is True


def test_retired_by_default(two: Any, db: Any) -> None:
    assert two.rows("select fsm.retire_machine('small', 2)") == [(True,)]
    rows = db.execute("select machine_version, retired from fsm_internal.machine_versions order by 1").fetchall()
    assert rows == [(1, False), (2, True)]


def test_a_retired_version_takes_no_new_sessions_and_runs_the_old_ones(two: Any) -> None:
    two.rows("select from fsm.create_session('s-1', 'small')")
    two.retire("small", 2)
    [(version,)] = two.rows("select machine_version from fsm.create_session('s-2', 'small')")
    assert version == 1
    with two.refused() as error:
        two.rows("select from fsm.create_session('s-3', 'small', p_machine_version => 2)")
    assert error[0].sqlstate == "SM001"
    assert two.rows("select state from fsm.send_event('s-1', 'GO')") == [("b",)]


def test_a_machine_that_is_not_there(machines: Any) -> None:
    for version in (None, 1):
        with machines.refused() as error:
            machines.definition("small", version)
        assert error[0][:3] == (
            "SM001",
            "machine not found",
            {"machine": "small", "machine_version": version, "versions": []},
        )
        assert "fsm.define_machine" in str(error[0].hint)


@pytest.mark.parametrize("version", [3, 0, -1, 2**31 - 1])
def test_a_version_that_is_not_there(two: Any, version: int) -> None:
    with two.refused() as error:
        two.definition("small", version)
    assert error[0].sqlstate == "SM001"
    assert error[0].detail == {
        "machine": "small",
        "machine_version": version,
        "versions": [{"machine_version": 2, "retired": False}, {"machine_version": 1, "retired": False}],
    }
    assert error[0].hint


def test_every_version_is_retired(two: Any) -> None:
    two.retire("small", 1)
    two.retire("small", 2)
    with two.refused() as error:
        two.definition("small")
    assert error[0].sqlstate == "SM001"
    assert [one["retired"] for one in error[0].detail["versions"]] == [True, True]
    assert "fsm.retire_machine" in str(error[0].hint)


@pytest.mark.parametrize(("machine", "version"), [("other", 1), ("small", 3), ("SMALL", 1)])
def test_retiring_what_is_not_there(two: Any, machine: str, version: int) -> None:
    with two.refused() as error:
        two.retire(machine, version)
    assert error[0].sqlstate == "SM001"
    assert (error[0].detail["machine"], error[0].detail["machine_version"]) == (machine, version)
    assert error[0].hint


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [((None, 1, True), "p_machine"), (("small", None, True), "p_machine_version"), (("small", 1, None), "p_retired")],
)
def test_retiring_with_a_null(two: Any, arguments: Any, argument: str) -> None:
    with two.refused() as error:
        two.retire(*arguments)
    assert error[0].sqlstate == "22004"
    assert error[0].detail == {"argument": argument}


@pytest.mark.parametrize(
    ("name", "sqlstate"), [(None, "22004"), ("", "22023"), ("x" * 513, "22023"), ("x" * 512, "SM001")]
)
def test_names_that_cannot_be(machines: Any, name: Any, sqlstate: str) -> None:
    for call in (machines.definition, machines.retire):
        with machines.refused() as error:
            call(name, 1)
        assert error[0].sqlstate == sqlstate
        assert error[0].detail
        assert error[0].hint


@pytest.mark.parametrize("login", ["test_app", "test_reader", "test_monitor"])
def test_only_admins_define_and_retire(two: Any, connect_as: Any, login: str) -> None:
    conn = connect_as(login)
    for call in ("fsm.retire_machine('small', 1)", "fsm.define_machine('{}')"):
        with two.refused() as error:
            conn.execute(f"select {call}")
        assert error[0].sqlstate == "42501"
