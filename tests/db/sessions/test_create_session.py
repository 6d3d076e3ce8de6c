"""fsm.create_session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from support.api import Api, refused


def test_version_1_in_the_initial_state(api: Api) -> None:
    made = api.create("s-1", "door", context={"a": [1.0, None]})
    assert made[:11] == ("s-1", "door", 1, 1, "closed", None, True, False, False, False, 1)
    assert made.entered_at == made.created_at == made.saved_at
    row = api.load("s-1")
    assert row[:8] == ("s-1", "door", 1, "closed", 1, {"a": [1.0, None]}, 1, False)
    assert row[8:] == (made.created_at, made.created_at, made.created_at, False)


def test_history_begins_with_kind_create(api: Api) -> None:
    made = api.create("s-1", actor="agent 7", note={"why": [1]})
    [entry] = api.history("s-1")
    assert entry == (1, "create", None, "closed", None, "agent 7", "test_app", {"why": [1]}, False, made.saved_at)


def test_the_context_may_be_left_out(api: Api) -> None:
    api.create("s-1")
    assert api.text("s-1") == "{}"


def test_the_newest_version_that_is_not_retired_is_taken(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    for number in (1, 2, 3):
        assert define({"a": {"on": {"GO": "a"}}}, context_version=10 * number) == number
    db.execute("select fsm.retire_machine('m', 3)")
    assert api.create("s-1", "m").machine_version == 2
    assert api.create("s-2", "m", machine_version=1)[2:11] == (1, 1, "a", None, True, False, False, False, 10)
    with refused("SM001") as refusal:
        api.create("s-3", "m", machine_version=3)
    assert refusal.detail["machine_version"] == 3
    assert refusal.detail["versions"] == [
        {"machine_version": 3, "retired": True},
        {"machine_version": 2, "retired": False},
        {"machine_version": 1, "retired": False},
    ]
    db.execute("select fsm.retire_machine('m', 3, false)")
    assert api.create("s-3", "m").machine_version == 3


@pytest.mark.parametrize("version", [-1, 0, 2, 2147483647])
def test_a_machine_version_that_does_not_exist(api: Api, version: int) -> None:
    with refused("SM001"):
        api.create("s-1", "door", machine_version=version)
    assert api.load("s-1") is None


def test_running_sessions_go_on_when_their_version_is_retired(api: Api, db: psycopg.Connection[Any]) -> None:
    api.create("s-1")
    db.execute("select fsm.retire_machine('door', 1)")
    assert api.send("s-1", "OPEN").state == "open"
    with refused("SM001"):
        api.create("s-2")


def test_an_id_that_exists_is_refused_and_left_alone(api: Api) -> None:
    api.create("s-1", context={"mine": 1})
    with refused("SM011") as refusal:
        api.create("s-1", "blocking", context={"mine": 2})
    assert refusal.detail == {"session_id": "s-1", "machine": "door", "state": "closed", "version": 1}
    assert api.load("s-1").context == {"mine": 1}
    assert len(api.history("s-1")) == 1


def test_ids_are_compared_byte_for_byte(api: Api) -> None:
    ids = ["a", "A", "a ", " a", "á", "a\u0301", "ａ", "a\n", "'; drop table x; --", "💡", "%", "a\u200b"]
    for one in ids:
        api.create(one, context={"id": one})
    for one in ids:
        assert api.load(one).context == {"id": one}


def test_schema_and_invariant_of_the_initial_state_are_checked(api: Api, define: Callable[..., int]) -> None:
    define(
        {"a": {"on": {"GO": "a"}, "meta": {"invariant": "$.n > 1"}}},
        context_schema={"properties": {"n": {"type": "integer"}}},
    )
    for context, code in [({}, "invariant"), ({"n": 1}, "invariant"), ({"n": "2"}, "type")]:
        with refused("SM021") as refusal:
            api.create("s-1", "m", context=context, request_id=uuid4())
        assert refusal.detail["code"] == code
        assert (refusal.detail["session_id"], refusal.detail["state"]) == ("s-1", "a")
    assert api.load("s-1") is None
    assert api.create("s-1", "m", context={"n": 2.0}).version == 1


def test_a_refused_creation_leaves_nothing(api: Api, db: psycopg.Connection[Any]) -> None:
    with refused("SM021"):
        api.create("s-1", context=[])
    counts = "select (select count(*) from fsm_internal.sessions), (select count(*) from fsm_internal.history)"
    assert db.execute(counts).fetchone() == (0, 0)
