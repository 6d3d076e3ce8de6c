"""Fixtures of the tests of what operates on many sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.api import Api
from support.fixtures import api, define, purchase

__all__ = ["admin", "api", "define", "purchase"]


@pytest.fixture
def admin(api: Api, connect_as: Callable[..., Any]) -> Api:
    """The functions as somebody in role fsm_admin calls them."""
    return Api(connect_as("test_admin"))
