"""Arguments that are null, empty or too long, and what is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from support.api import Api, case, refused

# A call of each function with a session that exists, and which of its arguments must not be null.
CALLS: dict[str, dict[str, Any]] = {
    "create_session": {"session_id": "new", "machine": "door", "context": {}},
    "load_session": {"session_id": "s-1"},
    "load_sessions": {"session_ids": ["s-1"]},
    "save_session": {"session_id": "s-1", "state": "open", "context": {}, "expected_version": 1},
    "send_event": {"session_id": "s-1", "event": "OPEN"},
    "update_context": {"session_id": "s-1"},
    "history": {"session_id": "s-1"},
    "load_session_at": {"session_id": "s-1", "version": 1},
    "allowed_events": {"session_id": "s-1"},
    "validate_context": {"machine": "door", "state": "open", "context": {}},
    "detect_loop": {"session_id": "s-1"},
}
MAY_BE_NULL = {("save_session", "expected_version")}
TEXTS = [
    (function, name, 128 if name == "state" or name == "event" else 512)
    for function, arguments in CALLS.items()
    for name in arguments
    if name in ("session_id", "machine", "state", "event")
] + [("save_session", "event", 128)]


@pytest.fixture
def s(api: Api) -> Api:
    """Session s-1 exists."""
    api.create("s-1")
    return api


def test_null_is_refused_where_something_is_needed(s: Api) -> None:
    for function, name in [(function, name) for function, arguments in CALLS.items() for name in arguments]:
        with case((function, name)):
            if (function, name) in MAY_BE_NULL:
                s.rows(function, **{**CALLS[function], name: None})
                continue
            with refused("22004") as refusal:
                s.rows(function, **{**CALLS[function], name: None})
            assert refusal.detail == {"argument": f"p_{name}"}


def test_texts_are_neither_empty_nor_too_long(s: Api) -> None:
    """The limit is in bytes."""
    for function, name, most, text in [
        (*one, text) for one in TEXTS for text in ("", "x" * (one[2] + 1), "é" * (one[2] // 2) + "x", "x" * 100_000)
    ]:
        with case((function, name, text[:9])), refused("22023") as refusal:
            s.rows(function, **{**CALLS[function], name: text})
        assert refusal.message == "argument empty or too long"
        assert refusal.detail == {"argument": f"p_{name}", "bytes": len(text.encode()), "max_bytes": most}


# What comes of a text at the limit is not a matter of the argument: something of that name is unknown.
UNKNOWN = {
    **{(function, "session_id"): "SM010" for function in ("history", "allowed_events", "detect_loop", "save_session")},
    **{(function, "session_id"): "SM010" for function in ("send_event", "update_context")},
    **{(function, "machine"): "SM001" for function in ("create_session", "validate_context")},
    ("save_session", "state"): "SM020",
    ("save_session", "event"): "SM020",
    ("send_event", "event"): "SM020",
}


def test_texts_at_the_limit_are_taken(s: Api) -> None:
    for function, name, most, letter in [(*one, letter) for one in TEXTS for letter in "xé"]:
        text = letter * (most // len(letter.encode()))
        with case((function, name, letter)), s.conn.transaction(force_rollback=True):
            if (function, name) not in UNKNOWN:
                s.rows(function, **{**CALLS[function], name: text})
                continue
            with refused(UNKNOWN[function, name]) as refusal, s.conn.transaction():
                s.rows(function, **{**CALLS[function], name: text})
            assert refusal.detail[{"state": "to_state"}.get(name, name)] == text


def test_a_session_with_the_longest_id_works(s: Api) -> None:
    session_id = "💡" * 128
    s.create(session_id, actor="é" * 256)
    s.move(session_id, "OPEN", "CLOSE", "KNOCK")
    assert s.at(session_id, 4) == s.load(session_id)[:-1]
    assert [row.session_id for row in s.rows("load_sessions", session_ids=[session_id])] == [session_id]


def test_the_longest_names_of_states_and_events_work(s: Api, define: Any) -> None:
    a, b, event = "é" * 64, "b" * 128, "💡" * 32
    define({a: {"on": {event: b}}, b: {"on": {event: a}}})
    s.create("s-2", "m")
    assert s.send("s-2", event).state == b
    assert s.save("s-2", a, event=event).state == a


# Arguments with which each writing function can be called again and again.
AGAIN: dict[str, Callable[[Api], dict[str, Any]]] = {
    "create_session": lambda _: {"session_id": str(uuid4()), "machine": "door"},
    "save_session": lambda api: {"session_id": "s-1", "state": "closed", "context": {}, "expected_version": None},
    "send_event": lambda _: {"session_id": "s-1", "event": "KNOCK"},
    "update_context": lambda _: {"session_id": "s-1"},
}


@pytest.mark.parametrize("function", AGAIN)
def test_an_actor_has_at_most_512_bytes(s: Api, function: str) -> None:
    for actor in ("", "a" * 512, "é" * 256):
        done = s.one(function, **AGAIN[function](s), actor=actor)
        assert s.history(done.session_id)[0].actor == actor
    with refused("22023") as refusal:
        s.rows(function, **AGAIN[function](s), actor="é" * 256 + "x")
    assert refusal.detail == {"argument": "p_actor", "bytes": 513, "limit": 512}


@pytest.mark.parametrize("function", AGAIN)
def test_a_note_has_at_most_65536_bytes_of_text(s: Api, function: str) -> None:
    for note in ("é" * 32767, {"a": "x" * 65527}):
        done = s.one(function, **AGAIN[function](s), note=note if isinstance(note, dict) else f'"{note}"')
        assert s.history(done.session_id)[0].note == note
    for text in ('"' + "x" * 65535 + '"', "[" * 100 + "]" * 100, "1e1000", "[1e-1001]"):
        with refused("22023") as refusal:
            s.rows(function, **AGAIN[function](s), note=text)
        assert refusal.detail == {"argument": "p_note", "max_bytes": 65536, "max_depth": 100, "max_digits": 1000}


def test_a_limit_below_1(s: Api) -> None:
    for limit in (0, -1, -2147483648):
        with refused("22023") as refusal:
            s.history("s-1", limit=limit)
        assert (refusal.message, refusal.detail) == ("limit below 1", {"argument": "p_limit", "value": limit})


def test_an_unknown_session(s: Api) -> None:
    for function, arguments in CALLS.items():
        if arguments.get("session_id") != "s-1":
            continue
        unknown = {**arguments, "session_id": "nobody"}
        if function.startswith("load_"):
            assert s.rows(function, **unknown) == []
            continue
        with refused("SM010") as refusal:
            s.rows(function, **unknown)
        assert refusal.detail == {"session_id": "nobody"}


def test_a_null_request_actor_note_and_turn_are_as_if_not_given(s: Api) -> None:
    nothing = {"request_id": None, "actor": None, "note": None}
    s.create("s-2", **nothing, machine_version=None)
    s.save("s-2", "open", event=None, turn=None, **nothing)
    s.send("s-2", "CLOSE", turn=None, **nothing)
    s.update("s-2", turn=None, **nothing)
    assert {(entry.actor, entry.note) for entry in s.history("s-2")} == {(None, None)}


def test_a_note_may_be_any_json(s: Api) -> None:
    for note in ("null", "1.0", '"x"', "[]", '{"a": null}'):
        s.update("s-1", note=note)
        row = s.conn.execute("select note::text from fsm.history('s-1', 1)").fetchone()
        assert row == (note,)
