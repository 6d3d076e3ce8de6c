"""fsm.validate_context finds exactly what a save of that context in that state would be refused for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused

STATES = {
    "a": {"on": {"GO": "b", "STAY": "a"}},
    "b": {"on": {"BACK": "a"}, "meta": {"invariant": ["exists($.n)", "$.n > 1"]}},
}
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2}},
    "required": ["tags"],
    "additionalProperties": False,
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Machine m with a schema, an invariant in state b and a small limit."""
    define(STATES, context_schema=SCHEMA, max_context_bytes=3000)
    return api


def _codes(api: Api, state: str, context: Any, **more: Any) -> list[tuple[str, str]]:
    return [row[:2] for row in api.rows("validate_context", machine="m", state=state, context=context, **more)]


CASES: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("a", {"tags": []}, []),
    ("a", {"tags": ["x"], "n": 0}, []),
    ("b", {"tags": [], "n": 2}, []),
    ("a", {}, [("required", "$.tags")]),
    ("a", {"tags": ["x"], "odd": 1}, [("additionalProperties", "$.odd")]),
    ("a", {"tags": ["x", 1, "y"]}, [("maxItems", "$.tags"), ("type", "$.tags[1]")]),
    ("b", {"tags": []}, [("invariant", "$"), ("invariant", "$")]),
    ("b", {"tags": [], "n": 1}, [("invariant", "$")]),
    ("a", [], [("not_an_object", "$")]),
    ("a", "1", [("not_an_object", "$")]),
    ("a", "null", [("not_an_object", "$")]),
    ("a", {"tags": [], "current_state": "b"}, [("state_disagrees", "$.current_state")]),
    ("a", {"tags": [], "current_state": "a", "session_id": "any"}, []),
    ("a", {"tags": ["x" * 3000]}, [("too_large", "$")]),
    ("a", '{"tags": [], "n": 1e1000}', [("number_too_long", "$.n")]),
    ("a", f'{{"tags": {"[" * 100}{"]" * 100}}}', [("too_deep", "$.tags")]),
    ("nowhere", {"tags": []}, [("unknown_state", "$")]),
]  # fmt: skip


def test_one_row_a_finding(s: Api) -> None:
    for state, context, found in CASES:
        rows = s.rows("validate_context", machine="m", state=state, context=context)
        assert sorted((row.code, row.path) for row in rows) == sorted(found), context
        assert all(row.message for row in rows)


def test_a_save_says_the_same(s: Api) -> None:
    for number, (state, context, found) in enumerate(CASES):
        if state == "nowhere":  # no matter of the context
            continue
        session_id = "any" if "session_id" in context else f"s-{number}"
        s.create(session_id, "m", context={"tags": []})
        if not found:
            assert s.save(session_id, state, context).state == state
            continue
        with refused("SM021") as refusal:
            s.save(session_id, state, context)
        told = [(one["code"], one["path"]) for one in refusal.detail["findings"]]
        assert (refusal.detail["code"], refusal.detail["path"]) == told[0]
        assert sorted(told) == sorted(found), context


def test_the_newest_version_that_is_not_retired_unless_named(
    s: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    assert define({"a": {"on": {"STAY": "a"}}}) == 2
    assert _codes(s, "a", {}) == []
    assert _codes(s, "a", {}, machine_version=1) == [("required", "$.tags")]
    db.execute("select fsm.retire_machine('m', 2)")
    assert _codes(s, "a", {}) == [("required", "$.tags")]
    assert _codes(s, "a", {}, machine_version=2) == []
    for version in (0, 3):
        with refused("SM001"):
            _codes(s, "a", {}, machine_version=version)


def test_nothing_is_stored(s: Api, db: psycopg.Connection[Any]) -> None:
    _codes(s, "a", {"tags": []})
    counts = "select (select count(*) from fsm_internal.sessions), (select count(*) from fsm_internal.history)"
    assert db.execute(counts).fetchone() == (0, 0)
