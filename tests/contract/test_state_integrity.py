"""Whether a context is sound is asked of the database."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from fsmstore.contract import SwisperContext, UnifiedSessionStore


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"session_id": "s-1", "odd": 1, "preferences": ["a"]}, True),
        ({"current_state": "nowhere"}, False),
        ({"current_state": "confirm_order"}, False),
        ({"current_state": None}, False),
        ({"current_state": ["search"]}, False),
        ({"current_state": ""}, False),
        ({"search_results": "none"}, False),
        ({"product_query": None}, False),
        ({"metadata": {"at": float("nan")}}, False),
        ({"contract_type": "book_trip"}, False),
        ({"contract_type": "", "contract_template": {"contract_type": "strict_purchase"}}, True),
        ({"contract_type": 7, "contract_template": "/app/book_trip.yaml"}, False),
    ],
)
def test_the_database_says_whether_a_context_is_sound(
    store: UnifiedSessionStore, changes: dict[str, Any], valid: bool, caplog: pytest.LogCaptureFixture
) -> None:
    context = {**SwisperContext(current_state="search", product_query="kettle").to_dict(), **changes}
    with caplog.at_level(logging.WARNING, "fsmstore.contract"):
        assert store.validate_state_integrity(context) is valid
    assert [record.fsm_event for record in caplog.records] == ["fsm.context_invalid"] * (not valid)  # type: ignore[attr-defined]
