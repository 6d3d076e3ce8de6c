"""Fixtures for tests that call the SQL functions; a conftest.py imports what its tests use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.machines import BLOCKING, DOOR, PURCHASE, machine


@pytest.fixture
def define(db: psycopg.Connection[Any]) -> Callable[..., int]:
    """``define(DOOR)`` or ``define({...states...}, name="m", initial=..., on=..., **meta)``; returns the version."""

    def make(definition: dict[str, Any], **parts: Any) -> int:
        whole = definition if {"id", "states"} <= set(definition) else machine(definition, **parts)
        return int(Api(db).one("define_machine", definition=whole).machine_version)

    return make


@pytest.fixture
def api(app: psycopg.Connection[Any], define: Callable[..., int]) -> Api:
    """The functions as an application calls them; the machines door and blocking are defined."""
    define(DOOR)
    define(BLOCKING)
    return Api(app)


@pytest.fixture
def purchase(api: Api, define: Callable[..., int]) -> Api:
    """The same, with the machine purchase_item too."""
    define(PURCHASE)
    return api
