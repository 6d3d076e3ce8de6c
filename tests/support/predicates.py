"""What a predicate is said of, and a context to try it on."""

from __future__ import annotations

from typing import Any

PROBLEMS = "select severity, code, message from fsm_internal.predicate_problems(%s)"
CONTEXT = {
    "n": 5,
    "big": 10**30,
    "s": "text",
    "t": True,
    "f": False,
    "null": None,
    "list": [1, 2, 3],
    "empty": [],
    "items": [{"price": 10, "tags": ["x"]}, {"price": 20}],
    "object": {"k": 1},
}


def problems(conn: Any, predicate: str) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = conn.execute(PROBLEMS, (predicate,)).fetchall()
    return found
