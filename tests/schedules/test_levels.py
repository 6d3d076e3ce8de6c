"""The same above READ COMMITTED: as one after the other, or one of them has to be tried again and left nothing."""

from __future__ import annotations

import pytest

from support.explored import UNDONE
from support.exploring import Ground

CASES = [(world, one, other) for world, pairs in UNDONE.items() for one, other in pairs.items()]
# One of them reads or writes only what the other does not change.
APART = {
    ("open", "rollback", "fork"),
    ("open", "purge", "changes"),
    ("open", "trim", "verify"),
    ("imported", "purge_import", "delete"),
}


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
@pytest.mark.parametrize(("world", "one", "other"), CASES)
def test_never_a_stale_decision(shipped: Ground, level: str, world: str, one: str, other: str) -> None:
    found = shipped.explore(world, one, other, level=level)
    assert not found.violations, f"{len(found.violations)} of {found.schedules}:\n{found.violations[0]}"
    assert found.again > 0 or (world, one, other) in APART
