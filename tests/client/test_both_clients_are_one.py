"""The two clients have the same names, arguments and docstrings."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import fsmstore
from fsmstore import AsyncSessionStore, SessionStore
from fsmstore.jsonvalues import Codec
from fsmstore.statements import LOAD_AT


def public(store: type) -> dict[str, Any]:
    return {name: getattr(store, name) for name in dir(store) if not name.startswith("_")}


def test_the_names_are_those_of_this_release() -> None:
    names = {
        "allowed_events", "check_machine", "close", "create", "define_machine", "detect_loop", "history", "load",
        "load_at", "load_many", "machine_definition", "retire_machine", "save", "schema_release", "send", "update",
        "validate",
    }  # fmt: skip
    assert set(public(SessionStore)) == names
    assert set(public(AsyncSessionStore)) == names


@pytest.mark.parametrize("name", sorted(public(SessionStore)))
def test_signatures_and_docstrings_are_equal(name: str) -> None:
    one, other = getattr(SessionStore, name), getattr(AsyncSessionStore, name)
    assert inspect.signature(one) == inspect.signature(other)
    assert one.__doc__ == other.__doc__
    assert one.__doc__[0].isupper()
    assert not one.__doc__.startswith("See ")
    assert inspect.iscoroutinefunction(other)
    assert not inspect.iscoroutinefunction(one)


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
