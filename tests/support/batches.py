"""Items of fsm.save_sessions: good ones, and one that is refused for each reason there is."""

from __future__ import annotations

from typing import Any

Item = dict[str, Any]

STATES: dict[str, Any] = {
    "a": {"on": {"GO": "b", "SELF": "a", "GUARDED": {"target": "c", "guard": "$.n > 5"}, "END": "z"}},
    "b": {"on": {"BACK": "a"}},
    "c": {"on": {"BACK": "a"}},
    "z": {"type": "final"},
}
META: dict[str, Any] = {
    "loop": {"limit": 1, "window": "1 hour", "action": "block"},
    "context_schema": {"properties": {"n": {"type": "integer"}}},
    "max_context_bytes": 2000,
}


def item(session_id: Any = "s-1", state: Any = "a", context: Any = None, **more: Any) -> Item:
    """Return the save of a session; the context is ``{"n": 1}`` unless given."""
    return {"session_id": session_id, "state": state, "context": {"n": 1} if context is None else context, **more}


# Why it is refused, the item, and what else DETAIL says. The sessions are those of the fixture `s`.
BAD_ITEMS: list[tuple[str, Any, dict[str, Any]]] = [
    ("22004", {"state": "a", "context": {}}, {"argument": "p_session_id"}),
    ("22004", {"session_id": "s-1", "context": {}}, {"argument": "p_state"}),
    ("22004", {"session_id": "s-1", "state": "a"}, {"argument": "p_context"}),
    ("22004", {**item(), "context": None}, {"argument": "p_context"}),
    ("22004", {**item(), "state": None}, {"argument": "p_state"}),
    ("22004", {}, {"argument": "p_session_id"}),
    ("22023", item(""), {"argument": "p_session_id", "bytes": 0, "max_bytes": 512}),
    ("22023", item("x" * 513), {"argument": "p_session_id", "bytes": 513, "max_bytes": 512}),
    ("22023", item(state=""), {"argument": "p_state", "bytes": 0, "max_bytes": 128}),
    ("22023", item(state="x" * 129), {"argument": "p_state", "bytes": 129, "max_bytes": 128}),
    ("22023", item(event=""), {"argument": "p_event", "bytes": 0, "max_bytes": 128}),
    ("22023", item(event="x" * 129), {"argument": "p_event", "bytes": 129, "max_bytes": 128}),
    ("22023", item(actor="x" * 513), {"argument": "p_actor", "bytes": 513, "limit": 512}),
    ("22023", item(note="x" * 65535), {"argument": "p_note", "max_bytes": 65536}),
    ("22023", item(odd=1), {"argument": "p_items", "key": "odd", "wanted": None}),
    ("22023", item(p_event="GO"), {"argument": "p_items", "key": "p_event", "wanted": None}),
    ("22023", item(**{"x" * 200: 1}), {"argument": "p_items", "key": "x" * 128, "wanted": None}),
    ("22023", item(**{"": 1}), {"argument": "p_items", "key": "", "wanted": None}),
    ("SM010", item("nobody"), {"session_id": "nobody"}),
    ("SM012", item("s-z", "z"), {"session_id": "s-z", "state": "z", "version": 2}),
    ("SM020", item(state="z", event="GO"), {"session_id": "s-1", "to_state": "z", "event": "GO"}),
    ("SM020", item(state="nowhere"), {"session_id": "s-1", "to_state": "nowhere", "event": None}),
    ("SM021", item(context={"n": "x"}), {"session_id": "s-1", "code": "type", "path": "$.n"}),
    ("SM021", item(context=[]), {"session_id": "s-1", "code": "not_an_object"}),
    ("SM021", item(context={"long": "x" * 2000}), {"session_id": "s-1", "code": "too_large"}),
    ("SM021", item(context={"current_state": "b"}), {"session_id": "s-1", "code": "state_disagrees"}),
    ("SM021", "x", {"session_id": None, "code": "not_an_object", "path": "$"}),
    ("SM021", 1, {"session_id": None, "code": "not_an_object", "path": "$"}),
    ("SM021", True, {"session_id": None, "code": "not_an_object", "path": "$"}),
    ("SM021", None, {"session_id": None, "code": "not_an_object", "path": "$"}),
    ("SM021", [], {"session_id": None, "code": "not_an_object", "path": "$"}),
    ("SM021", [item()], {"session_id": None, "code": "not_an_object", "path": "$"}),
    ("SM022", item(state="c"), {"session_id": "s-1", "to_state": "c"}),
    ("SM030", item(expected_version=7), {"session_id": "s-1", "version": 1, "expected_version": 7}),
    ("SM040", item("loop-1", "a", event="SELF"), {"session_id": "loop-1", "loop_limit": 1}),
    ("SM050", item("s-held"), {"session_id": "s-held", "holder": "the holder"}),
    ("SM051", item(turn=5), {"session_id": "s-1", "turn": 5, "held_turn": None}),
    ("SM060", item("s-broken"), {"session_id": "s-broken", "code": "unknown_state"}),
]

# Values of the wrong type for each key; what the key wants instead.
_NOT_TEXT: list[Any] = [1, True, {}, ["x"]]
_NOT_WHOLE: list[Any] = ["1", 1.5, True, {}, [1], 9223372036854775808, -9223372036854775809, 10**400, 1e-9]
_NOT_UUID: list[Any] = [
    1, True, {}, [], "", "x", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000",
    "{00000000-0000-0000-0000-000000000000}", "g0000000-0000-0000-0000-000000000000",
    "00000000-0000-0000-0000-000000000000\n", "0000-00000000-0000-0000-000000000000",
]  # fmt: skip
WRONG_TYPES: dict[str, tuple[str, list[Any]]] = {
    "session_id": ("a string", _NOT_TEXT),
    "state": ("a string", _NOT_TEXT),
    "event": ("a string", _NOT_TEXT),
    "actor": ("a string", _NOT_TEXT),
    "expected_version": ("a whole number", _NOT_WHOLE),
    "turn": ("a whole number", _NOT_WHOLE),
    "request_id": ("a uuid", _NOT_UUID),
}
