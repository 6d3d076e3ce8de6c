"""A store with the purchase machine, and conversations on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from fsmstore import SessionStore
from fsmstore.demo.catalogue import Catalogue
from support.machines import PURCHASE


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.read()


@pytest.fixture
def app_dsn(db: psycopg.Connection[Any], dsn: Callable[..., str]) -> str:
    """The application's login, on a database with the machine purchase_item."""
    db.execute("select fsm.define_machine(%s)", (json.dumps(PURCHASE),))
    return dsn("test_app")


@pytest.fixture
def store(app_dsn: str) -> Iterator[SessionStore]:
    with SessionStore(app_dsn) as store:
        yield store
