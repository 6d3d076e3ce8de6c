"""Fixtures of the tests of the import."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.fixtures import api, define, purchase
from support.originals import Importing
from support.race import race

__all__ = ["admin", "api", "define", "importing", "purchase", "race"]


@pytest.fixture
def admin(api: Api, connect_as: Callable[..., Any]) -> Api:
    """The functions as somebody in role fsm_admin calls them."""
    return Api(connect_as("test_admin"))


@pytest.fixture
def importing(purchase: Api, admin: Api, db: psycopg.Connection[Any]) -> Importing:
    """Imports into machine purchase_item."""
    return Importing(admin, db)
