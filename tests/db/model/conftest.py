"""Worlds for the model: a database with a frozen clock, and machines at random."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from support.api import Api
from support.clock import TestClock
from support.model_steps import Steps
from support.model_world import World

Connection = psycopg.Connection[Any]
Play = Callable[..., Counter[str]]
SEEDS = st.integers(0, 2**32)


@pytest.fixture
def play(db: Connection, connect_as: Callable[..., Connection]) -> Play:
    """``play(worlds=10, steps=30)`` runs worlds at random and counts what came up; `same`: the same ones each time.

    A failing world is made smaller, which takes minutes, if FSMSTORE_MODEL_SHRINK is set.
    """
    clock = TestClock(db, frozen=True)
    app, admin = Api(connect_as("test_app")), Api(connect_as("test_admin"))
    numbers = count(1)
    shrink = [Phase.shrink] if os.environ.get("FSMSTORE_MODEL_SHRINK") else []

    def run(worlds: int, steps: int, *, same: bool = False) -> Counter[str]:
        total: Counter[str] = Counter()

        @settings(max_examples=worlds, derandomize=same, database=None, phases=[Phase.generate, *shrink])
        @given(machine=SEEDS, seeds=st.lists(SEEDS, min_size=0 if shrink else steps, max_size=steps))
        def one(machine: int, seeds: list[int]) -> None:
            world = World(app, admin, clock, next(numbers), machine)
            try:
                playing = Steps(world)
                for seed, nth in _numbered(seeds):
                    # Of the world too: hypothesis likes small numbers, and the same ones again.
                    playing.step(f"{machine} {seed} {nth}")
                world.compare_all()
            except AssertionError as error:
                raise AssertionError("\n".join([*world.calls, str(error)])) from error
            finally:
                world.clear()
                total.update(world.seen)
                total["calls"] += len(world.calls)

        one()
        return total

    return run


def _numbered(seeds: list[int]) -> Iterator[tuple[int, int]]:
    """Each seed with the number of times that it came before."""
    before: Counter[int] = Counter()
    for seed in seeds:
        yield seed, before[seed]
        before[seed] += 1
