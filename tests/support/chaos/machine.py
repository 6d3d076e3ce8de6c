"""The machine that is written to under load, and what it allows, said once more in Python for the checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

NAMES = ("soak", "chained")
"""Two machines with the same rules; the second keeps a hash chain over its history."""
STAGED = "staged"
"""A machine with the same rules that is never upgraded, so that a session stays as a scene leaves it."""
STATES = ("idle", "busy", "wait", "done")
EVENTS = ("GO", "BACK", "SPIN", "FINISH", "NULL")
DIVERTED = "idle"
TOP = 9
"""In state busy n must be below this."""
_SPIN = {
    "target": "busy",
    "reenter": True,
    "meta": {"loop": {"limit": 2, "window": "10 seconds", "action": "block"}},
}


def definition(name: str, description: str) -> dict[str, Any]:
    """Return a machine of this name; another description makes another version of it."""
    return {
        "id": name,
        "description": description,
        "initial": "idle",
        "states": {
            "idle": {"on": {"GO": "busy", "NULL": {"target": "wait", "guard": "$.missing > 1"}}},
            "busy": {
                "on": {"BACK": [{"target": "wait", "guard": "$.n > 5"}, {"target": "idle"}], "SPIN": _SPIN},
                "meta": {"invariant": f"$.n < {TOP}"},
            },
            "wait": {
                "on": {"BACK": "idle", "FINISH": {"target": "done", "guard": "$.n == 7"}},
                "after": {"150": "idle"},
            },
            "done": {"type": "final"},
        },
        "meta": {
            "loop": {"limit": 25, "window": "2 seconds", "action": {"divert": DIVERTED}},
            **({"audit": "chain"} if name == "chained" else {}),
        },
    }


def _always(_: dict[str, Any]) -> bool:
    return True


_CANDIDATES: dict[tuple[str, str], list[tuple[Callable[[dict[str, Any]], bool], str]]] = {
    ("idle", "GO"): [(_always, "busy")],
    ("busy", "BACK"): [(lambda context: context.get("n", 0) > 5, "wait"), (_always, "idle")],
    ("busy", "SPIN"): [(_always, "busy")],
    ("wait", "BACK"): [(_always, "idle")],
    ("wait", "FINISH"): [(lambda context: context.get("n") == 7, "done")],
}


def target(state: str, event: str, context: dict[str, Any]) -> str | None:
    """Return the state that an event leads to with this context; None: to none."""
    return next((to for holds, to in _CANDIDATES.get((state, event), []) if holds(context)), None)


def fits(state: str, context: dict[str, Any]) -> bool:
    """Tell whether the context may be saved in this state."""
    return state != "busy" or context.get("n", TOP) < TOP
