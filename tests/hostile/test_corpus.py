"""Bad input by name: each is refused whole, as the contract says, or is odd but right and leaves all sound."""

from __future__ import annotations

from collections import Counter

import pytest

from support.hostile import ACCEPTED, Judge
from support.hostile_calls import FUNCTIONS, cases, right_call


def test_every_argument_of_every_function_is_there(judge: Judge) -> None:
    rows = judge.db.execute(
        "select proname, coalesce(proargnames[:pronargs], '{}') from pg_proc"
        " where pronamespace = 'fsm'::regnamespace order by 1"
    ).fetchall()
    assert {name: [argument.removeprefix("p_") for argument in arguments] for name, arguments in rows} == {
        name: list(arguments) for name, arguments in FUNCTIONS.items()
    }


def test_there_are_many_and_each_has_a_name() -> None:
    every = [case for function in FUNCTIONS for case in cases(function)]
    assert [name for name, times in Counter(case.name for case in every).items() if times > 1] == []
    refused = [case for case in every if case.expected != ACCEPTED]
    assert len(refused) >= 500
    assert len(every) - len(refused) >= 500


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_case_of(judge: Judge, function: str) -> None:
    assert judge.problems([right_call(function), *cases(function)]) == []
    assert judge.api.conn.info.backend_pid == judge.pid
    held = judge.db.execute("select count(*) from pg_locks where pid = %s and locktype = 'advisory'", (judge.pid,))
    assert held.fetchone() == (0,)
