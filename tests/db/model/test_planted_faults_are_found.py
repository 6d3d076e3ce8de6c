"""The model finds faults that are planted into the SQL: a sample of them, or all if FSMSTORE_MODEL_FAULTS is "all"."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.model_faults import FAULTS

EVERY = 1 if os.environ.get("FSMSTORE_MODEL_FAULTS") == "all" else 5


@pytest.mark.parametrize("fault", list(FAULTS)[::EVERY])
def test_a_planted_fault_is_found(db: psycopg.Connection[Any], play: Callable[..., Counter[str]], fault: str) -> None:
    FAULTS[fault].plant(db)
    with pytest.raises((AssertionError, psycopg.Error)) as caught:
        play(100, 40, same=True)
    # Not by a test that could not begin.
    assert "create" in str(caught.value), caught.value
