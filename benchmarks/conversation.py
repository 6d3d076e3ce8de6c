"""The purchase conversation that the benchmarks save: seven transitions, contexts of about 1.6 kB."""

from __future__ import annotations

import json
from typing import Any

STATES = (
    "search",
    "refine_constraints",
    "search",
    "collect_preferences",
    "match_preferences",
    "confirm_purchase",
    "completed",
)
"""What a session is saved in after ``start``, one save each."""

_REPLY = (
    "Here are washing machines with 8 kg and a quiet spin cycle; tell me what matters to you, and I narrow them down."
)


def contexts() -> list[str]:
    """The context of each save as JSON text: the chat grows, the search is refined, a product is chosen."""
    context: dict[str, Any] = {
        "product_query": "a quiet washing machine for a small flat",
        "constraints": [{"type": "price", "operator": "<=", "value": 700}],
        "preferences": {"noise": "low", "brand": "any", "colour": "white"},
        "tools_used": ["product_search"],
        "step_log": ["start -> search"],
        "contract_type": "purchase_item",
        "contract_status": "active",
        "is_cancelled": False,
        "selected_product": None,
        "search_results": [],
        "conversation_history": [
            {"role": "user" if turn % 2 == 0 else "assistant", "content": _REPLY} for turn in range(6)
        ],
    }
    texts = []
    for step, state in enumerate(STATES):
        if state == "refine_constraints":
            context["search_results"] = list(range(1000, 1060))
        elif state == "collect_preferences":
            context["search_results"] = list(range(1000, 1020))
        elif state == "confirm_purchase":
            context["selected_product"] = {"id": 1007, "name": "Washing machine W7", "price": 649.0}
        if step % 2:
            context["conversation_history"] = [*context["conversation_history"], {"role": "user", "content": "quieter"}]
        texts.append(json.dumps(context))
    return texts
