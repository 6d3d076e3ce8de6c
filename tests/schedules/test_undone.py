"""A call whose transaction is rolled back, in every order of its steps and another's: it was never there."""

from __future__ import annotations

import pytest

from support.explored import UNDONE
from support.exploring import Ground

CASES = [(world, one, other) for world, pairs in UNDONE.items() for one, other in pairs.items()]


@pytest.mark.parametrize(("world", "one", "other"), CASES)
def test_what_is_rolled_back_was_never_there(shipped: Ground, world: str, one: str, other: str) -> None:
    found = shipped.explore(world, one, other, ends=("rollback", "commit"))
    assert not found.violations, f"{len(found.violations)} of {found.schedules}:\n{found.violations[0]}"
    assert any("A rollback" in trace for trace in found.traces)


def test_both_rolled_back_leave_what_was_there(shipped: Ground) -> None:
    ground = shipped.starts["open"].world
    ground.restore()
    before = ground.told()
    found = shipped.explore("open", "batch", "batch_back", ends=("rollback", "rollback"))
    assert not found.violations
    assert ground.told() == before
