"""Fixtures of the tests of turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.stored import problems


@pytest.fixture
def s(api: Api) -> Api:
    """Sessions s-1 and s-2 exist, in state closed of the machine door."""
    for session_id in ("s-1", "s-2"):
        api.create(session_id)
    return api


@pytest.fixture
def other(s: Api, connect_as: Callable[..., Any]) -> Api:
    """Another caller beside s."""
    return Api(connect_as("test_app"))


@pytest.fixture(autouse=True)
def sound(db: psycopg.Connection[Any]) -> Iterator[None]:
    """What is stored is sound after each test."""
    yield
    assert problems(db) == []
