"""Fixtures of the tests of reports and checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.fixtures import api, define, purchase

__all__ = ["api", "define", "findings", "purchase"]

Findings = Callable[..., list[tuple[str, str, str]]]


@pytest.fixture
def findings(db: psycopg.Connection[Any]) -> Findings:
    """``findings("trigger")`` is what fsm.doctor says for a check, as (severity, message, hint).

    It asks on the superuser's own connection, so that what a test does in a transaction is seen.
    """

    def ask(check: str) -> list[tuple[str, str, str]]:
        query = "select severity, message, hint from fsm.doctor() where check_name = %s"
        return db.execute(query, (check,)).fetchall()

    return ask
