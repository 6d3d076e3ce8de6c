"""Two calls at once, in every order of their steps: each leads to what one after the other leads to."""

from __future__ import annotations

import pytest

from support.explored import WORLDS, pairs
from support.exploring import Ground
from support.schedules import SKIPPING

PAIRS = [(world, *pair) for world in WORLDS for pair in pairs(world)]


@pytest.mark.parametrize(("world", "one", "other"), PAIRS)
def test_every_schedule_is_as_one_after_the_other(shipped: Ground, world: str, one: str, other: str) -> None:
    found = shipped.explore(world, one, other)
    assert found.schedules >= 1
    if one == other and shipped.call(world, one).function not in SKIPPING:
        assert found.waits > 0  # the second of the same calls is seen to wait for the first
    assert not found.violations, f"{len(found.violations)} of {found.schedules}:\n{found.violations[0]}"
