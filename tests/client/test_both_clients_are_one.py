"""The two clients have the same names, arguments and docstrings."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import fsmstore
from fsmstore import AsyncSessionStore, AsyncTurn, SessionStore, Turn
from fsmstore.jsonvalues import Codec
from fsmstore.statements import LOAD_AT


def public(store: type) -> dict[str, Any]:
    return {name: getattr(store, name) for name in dir(store) if not name.startswith("_")}


def test_the_names_are_those_of_this_release() -> None:
    names = {
        "allowed_events", "as_of", "audit_head", "changes", "check_machine", "close", "create", "define_machine",
        "delete", "detect_loop", "diagram", "diff", "doctor", "fire_deadlines", "fork", "history", "import_original",
        "import_sessions", "list_sessions", "load", "load_at", "load_context", "load_many", "looping_sessions",
        "machine_definition", "metrics", "new_feed_epoch", "purge", "purge_import", "retire_machine", "rollback",
        "save", "save_many", "schema_release", "send", "stuck_sessions", "trim_history", "turn", "undo_import",
        "update", "upgrade", "validate", "verify",
    }  # fmt: skip
    assert set(public(SessionStore)) == names
    assert set(public(AsyncSessionStore)) == names


PAIRS = [
    *((SessionStore, AsyncSessionStore, name) for name in sorted(public(SessionStore))),
    *((Turn, AsyncTurn, name) for name in sorted(public(Turn)) if callable(getattr(Turn, name))),
]


@pytest.mark.parametrize(("sync", "asynchronous", "name"), PAIRS, ids=[f"{one[0].__name__}.{one[2]}" for one in PAIRS])
def test_signatures_and_docstrings_are_equal(sync: type, asynchronous: type, name: str) -> None:
    one, other = getattr(sync, name), getattr(asynchronous, name)
    assert inspect.signature(one).parameters == inspect.signature(other).parameters
    assert one.__doc__ == other.__doc__
    assert one.__doc__[0].isupper()
    assert not one.__doc__.startswith("See ")
    assert not inspect.iscoroutinefunction(one)
    # What turn returns is awaited when it is entered.
    assert inspect.iscoroutinefunction(other) is (name != "turn")
    returned = inspect.signature(other).return_annotation
    assert inspect.signature(one).return_annotation == returned.replace("AsyncTurn", "Turn")


def test_a_turn_is_one_of_both() -> None:
    assert (
        set(public(Turn))
        == set(public(AsyncTurn))
        == {"extend", "load", "rollback", "save", "send", "session", "update"}
    )
    assert Turn.__doc__ == AsyncTurn.__doc__


def test_the_stores_are_opened_with_the_same_arguments() -> None:
    def described(store: Any) -> list[tuple[str, Any, Any]]:
        parameters = inspect.signature(store).parameters.values()
        return [(one.name, one.kind, one.default) for one in parameters]

    assert described(SessionStore) == described(AsyncSessionStore)
    assert SessionStore.__doc__ == AsyncSessionStore.__doc__


def test_all_that_is_exported_is_there_and_described() -> None:
    for name in fsmstore.__all__:
        value = getattr(fsmstore, name)
        assert isinstance(value, (str, tuple)) or value.__doc__
    assert fsmstore.__version__ == "0.1.0"


def test_a_call_with_a_parameter_too_many_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="load_session_at has no parameter turn"):
        LOAD_AT.bind(Codec(), session_id="s-1", version=1, turn=2)
