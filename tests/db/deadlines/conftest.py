"""Fixtures of the tests of deadlines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from support.stored import problems


@pytest.fixture
def damaged() -> None:
    """For tests that leave something broken behind."""


@pytest.fixture(autouse=True)
def sound(request: pytest.FixtureRequest, db: psycopg.Connection[Any]) -> Iterator[None]:
    """After each test the stored is sound: above all, nobody's deadline was lost."""
    yield
    if "damaged" not in request.fixturenames:
        assert problems(db) == []
