"""Machine definitions that tests use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PURCHASE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "db/machines/purchase_item.json").read_text())

# Small machines for one question each.
DOOR: dict[str, Any] = {
    "id": "door",
    "initial": "closed",
    "states": {"closed": {"on": {"OPEN": "open", "KNOCK": "closed"}}, "open": {"on": {"CLOSE": "closed"}}},
    "meta": {"loop": None},
}
BLOCKING: dict[str, Any] = {
    **DOOR,
    "id": "blocking",
    "meta": {"loop": {"limit": 1, "window": "1 hour", "action": "block"}},
}


def machine(
    states: dict[str, Any], name: str = "m", initial: str | None = None, on: dict[str, Any] | None = None, **meta: Any
) -> dict[str, Any]:
    """Return a definition; the initial state is the first unless said otherwise, keywords become its ``meta``."""
    whole = {"id": name, "initial": initial or next(iter(states)), "states": states}
    return whole | ({"on": on} if on else {}) | ({"meta": meta} if meta else {})
