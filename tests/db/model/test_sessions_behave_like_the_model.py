"""Random calls on random machines do what the plain-Python model of the contract says, call by call."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

TIMES = int(os.environ.get("FSMSTORE_MODEL_EXAMPLES", "1"))
WORLDS = 12 * TIMES
# What the model can answer comes up: most of it in any run, all of it in a long one.
OFTEN = {"create", "transition", "rollback", "deadline", "turn", "loop", "SM020", "SM021", "SM022", "SM030", "SM040"}
ALWAYS = OFTEN | {
    "update", "replay", "fork", "delete", "trimmed", "upgrade done", "step back", "SM010", "SM011", "SM050", "22023",
    "divert", "ended", "extended", "same turn", "atomic", "batch", "batch with refusals", "loops",
    "SM001", "SM012", "SM051", "deadline SM050", "deadline SM040", "deadline SM021",
    "upgrade unmapped_state", "upgrade context_rejected", "upgrade turn_held",
}  # fmt: skip


@pytest.mark.timeout(300 * TIMES)
def test_random_calls_do_what_the_model_says(play: Callable[..., Counter[str]]) -> None:
    seen = play(WORLDS, 40)
    print(sorted(seen.items()))
    assert {name for name in seen if seen[name]} >= (ALWAYS if WORLDS >= 100 else OFTEN), seen
