"""What was: versions, moments, differences, and coming back to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import fsmstore
from fsmstore import Difference
from support.clients import Flavour
from support.proxy import Proxy

Connection = psycopg.Connection[Any]


def test_as_of_a_moment(store: Any) -> None:
    one = store.create("s-1", "door", {"n": 1})
    two = store.send("s-1", "OPEN", {"n": 2})
    assert store.as_of("s-1", one.updated_at) == one
    assert store.as_of("s-1", two.updated_at - timedelta(microseconds=1)) == one
    assert store.as_of("s-1", two.updated_at) == two
    assert store.as_of("s-1", datetime.now(timezone(timedelta(hours=5))) + timedelta(days=1)) == two
    assert store.as_of("s-1", one.created_at - timedelta(microseconds=1)) is None
    assert store.as_of("s-2", two.updated_at) is None
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no time zone"):
        store.as_of("s-1", datetime(2026, 1, 1))
    with pytest.raises(TypeError, match="must be datetime"):
        store.as_of("s-1", "2026-01-01")
    with pytest.raises(psycopg.errors.NullValueNotAllowed):
        store.as_of("s-1", None)


def test_the_difference_between_two_versions(store: Any) -> None:
    store.create("s-1", "door", {"same": 1, "items": [{"price": 1.5}, 2], "gone": None})
    store.update("s-1", {"items": [{"price": 2}, 2, "x"], "gone": None, "new": None, "null": 1})
    store.save(store.load("s-1").evolve(context={**store.load("s-1").context, "null": None}))
    assert store.diff("s-1", 1, 3) == [
        Difference("$.gone", None, None, was_there=True, is_there=False),
        Difference("$.items[0].price", 1.5, 2, was_there=True, is_there=True),
        Difference("$.items[2]", None, "x", was_there=False, is_there=True),
        Difference("$.null", None, None, was_there=False, is_there=True),
    ]
    assert store.diff("s-1", 3, 2) == [Difference("$.null", None, 1, was_there=True, is_there=True)]
    assert store.diff("s-1", 2, 2) == []
    with pytest.raises(fsmstore.SessionNotFound):
        store.diff("s-2", 1, 2)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.diff("s-1", 1, 9)


def test_rollback_brings_a_version_back_as_a_new_one(store: Any) -> None:
    store.create("s-1", "door", {"n": 1})
    store.send("s-1", "OPEN", {"n": 2})
    request = uuid4()
    back = store.rollback("s-1", 1, expected_version=2, reason="mistake", actor="ann", request_id=request)
    assert (back.version, back.state, back.context) == (3, "closed", {"n": 1})
    assert (back.result.previous_state, back.result.replayed) == ("open", False)
    assert store.load("s-1") == back == store.load("s-1", max_age=1000)
    again = store.rollback("s-1", 2, expected_version=9, request_id=request)
    assert again == back
    assert again.result.replayed
    entry = store.history("s-1", 1)[0]
    assert (entry.kind, entry.note, entry.actor) == ("rollback", {"to_version": 1, "reason": "mistake"}, "ann")
    with pytest.raises(fsmstore.VersionConflict) as caught:
        store.rollback("s-1", 1, expected_version=2)
    assert (caught.value.expected, caught.value.actual) == (2, 3)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.rollback("s-1", 9, expected_version=None)
    assert store.rollback("s-1", 2, expected_version=None).state == "open"


def test_a_finished_session_is_opened_again(store: Any) -> None:
    store.create("s-1", "purchase_item")
    assert store.send("s-1", "CANCEL").is_final
    back = store.rollback("s-1", 1, expected_version=2)
    assert (back.state, back.is_final) == ("start", False)


def test_fork_makes_another_session_of_a_version(store: Any) -> None:
    store.create("s-1", "door", {"n": 1})
    store.send("s-1", "OPEN", {"n": 2})
    store.update("s-1", {"n": 3})
    request = uuid4()
    result = store.fork("s-1", 2, "s-2", request_id=request, actor="ann")
    assert (result.session_id, result.version, result.state, result.replayed) == ("s-2", 1, "open", False)
    made = store.load("s-2")
    assert (made.context, made.state, made.version) == ({"n": 2}, "open", 1)
    assert store.fork("s-1", 1, "s-2", request_id=request).replayed
    assert store.history("s-2")[0].note == {"session_id": "s-1", "version": 2}
    with pytest.raises(fsmstore.SessionExists):
        store.fork("s-1", 1, "s-2")
    with pytest.raises(fsmstore.SessionNotFound):
        store.fork("s-9", 1, "s-3")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.fork("s-1", 9, "s-3")
    assert store.load("s-1").version == 3


@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_they_are_applied_once(flavour: Flavour, proxy: Proxy, db: Connection, when: str) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door", {"n": 1})
    store.update("s-1", {"n": 2})
    proxy.cut("fsm.rollback_session", when)
    back = store.rollback("s-1", 1, expected_version=2)
    assert (back.version, back.context, back.result.replayed) == (3, {"n": 1}, when == "after")
    assert store.load("s-1") == back
    proxy.cut("fsm.fork_session", when)
    assert store.fork("s-1", 2, "s-2").replayed is (when == "after")
    assert store.load("s-2").context == {"n": 2}
    assert proxy.made == 2
    assert db.execute("select count(*), count(request_id) from fsm_internal.history").fetchone() == (4, 4)


def test_the_past_is_asked_for_again_when_a_connection_breaks(flavour: Flavour, proxy: Proxy) -> None:
    store = flavour.store(proxy.dsn)
    made = store.create("s-1", "door", {"n": 1})
    for function in ("session_as_of", "diff_session", "load_context", "list_sessions"):
        proxy.cut(f"fsm.{function}(", "after")
    assert store.as_of("s-1", made.updated_at) == made
    assert store.diff("s-1", 1, 1) == []
    assert [one.value for one in store.load_context("s-1", ["$.n"])] == [1]
    assert [one.session_id for one in store.list_sessions()] == ["s-1"]
    assert proxy.made == 4


def test_parts_of_a_context(store: Any) -> None:
    store.create("s-1", "door", {"items": [{"price": 1.0}, {"price": None}], "n": 10**20, "text": "ü"})
    store.update("s-1", {"m": 1})
    parts = store.load_context("s-1", ["$.items[*].price", "$.nothing", "$.text", "$.n", "$.items.size()"])
    assert [(one.path, one.value) for one in parts] == [
        ("$.items[*].price", 1.0),
        ("$.items[*].price", None),
        ("$.text", "ü"),
        ("$.n", 10**20),
        ("$.items.size()", 2),
    ]
    assert {one.version for one in parts} == {2}
    assert isinstance(parts[0].value, float)
    assert store.load_context("s-2", ["$"]) == []
    assert store.load_context("s-1", iter(())) == []
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.load_context("s-1", ["$["])


def test_a_list_of_sessions_is_paged_and_has_no_contexts(store: Any) -> None:
    for name in ("b", "a", "ü", "c"):
        store.create(name, "door", {"n": 1})
    store.create("d", "purchase_item")
    store.send("d", "CANCEL")
    store.send("b", "OPEN")
    everything = store.list_sessions(limit=None)
    assert [one.session_id for one in everything] == ["a", "b", "c", "d", "ü"]
    for one in everything:
        loaded = store.load(one.session_id)
        for name in one.__slots__:
            assert getattr(one, name) == getattr(loaded, name)
        assert not hasattr(one, "context")
    assert [one.session_id for one in store.list_sessions(limit=2)] == ["a", "b"]
    assert [one.session_id for one in store.list_sessions(after="b", limit=2)] == ["c", "d"]
    assert [one.session_id for one in store.list_sessions("door", "closed")] == ["a", "c", "ü"]
    assert [one.session_id for one in store.list_sessions(state="open")] == ["b"]
    assert store.list_sessions("nothing") == []
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.list_sessions(limit=0)


def test_delete_erases_and_is_not_held_any_more(
    flavour: Flavour, store: Any, dsn: Callable[..., str], app_dsn: str
) -> None:
    admin = flavour.store(dsn("test_admin"))
    admin.create("s-1", "door", {"n": 1})
    assert admin.load("s-1").version == 1
    assert admin.delete("s-1") is True
    assert admin.load("s-1", max_age=1000) is None
    assert admin.load("s-1") is None
    assert admin.delete("s-1") is False
    with pytest.raises(fsmstore.SessionNotFound):
        admin.history("s-1")
    store.create("s-1", "door")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        store.delete("s-1")
    assert store.load("s-1").version == 1
