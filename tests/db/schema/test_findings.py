"""What schema_findings says to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from conftest import Schemas


MESSAGES: list[tuple[Any, Any, str]] = [
    ({"type": "integer"}, 2.5, "expected integer, found number 2.5"),
    ({"type": ["string", "null"]}, {"secret": 1}, "expected string or null, found an object"),
    ({"type": "string"}, None, "expected string, found null"),
    ({"const": "a"}, [1, 2, 3], 'expected "a", found an array of 3'),
    ({"enum": ["a", None, 1]}, "b", 'expected "a" or null or 1, found "b"'),
    ({"enum": list(range(10))}, 11, "expected 0 or 1 or 2 or 3 or 4 or 5 or one of 4 more, found 11"),
    ({"enum": []}, 1, "expected nothing, found 1"),
    ({"minimum": 3}, 2, "expected at least 3, found 2"),
    ({"maximum": 3}, 4, "expected at most 3, found 4"),
    ({"exclusiveMinimum": 3}, 3, "expected more than 3, found 3"),
    ({"exclusiveMaximum": 3}, 3, "expected less than 3, found 3"),
    ({"minLength": 3}, "ab", 'expected at least 3 characters, found 2: "ab"'),
    ({"maxLength": 1}, "ab", 'expected at most 1 characters, found 2: "ab"'),
    ({"minItems": 3}, [1], "expected at least 3 items, found 1"),
    ({"maxItems": 1}, [1, 2], "expected at most 1 items, found 2"),
    ({"pattern": "^a"}, "b", 'expected a string that matches "^a", found "b"'),
    ({"required": ["a"]}, {}, "required, but missing"),
    ({"additionalProperties": False}, {"a": 1}, "not allowed: no property of this name is defined"),
    (False, "a", 'no value is allowed here, found "a"'),
    (
        {"anyOf": [{"type": "integer"}, {"const": "x"}, {"$ref": "#/$defs/D"}], "$defs": {"D": {"type": "null"}}},
        "a",
        'matches none of the 3 alternatives (integer; "x"; null), found "a"',
    ),
]


def test_messages_name_what_was_expected_and_what_was_found(schemas: Schemas) -> None:
    for schema, value, message in MESSAGES:
        assert [found for _, _, found in schemas.findings(schema, value)] == [message]


def test_messages_do_not_dump_values(schemas: Schemas) -> None:
    for value in ("x" * 10_000, 10**900, {"a" * 10_000: "b" * 10_000}, ["c" * 1_000] * 9):
        schema: Any = {
            "const": value,
            "enum": [value],
            "anyOf": [{"const": value}, {"enum": [value] * 20}],
            "maxLength": 1,
        }
        for refused in (value, [value, value], "x" * 9_000):
            messages = [message for _, _, message in schemas.findings({**schema, "type": "boolean"}, refused)]
            assert messages
            assert max(map(len, messages)) < 700


def test_findings_come_in_the_order_of_names_and_places_and_end_at_the_limit(schemas: Schemas) -> None:
    names = ["z", "B", "a", "é", "aa", "_"]
    schema = {
        "required": ["r2", "r1"],
        "additionalProperties": False,
        "properties": {name: {"items": {"type": "null"}} for name in names},
    }
    value = {**{name: [1, None, 2] for name in names}, "x2": 1, "x1": 1}
    places = [path for _, path, _ in schemas.findings(schema, value)]
    ordered = [f"$.{name}[{i}]" for name in ("B", "_", "a", "aa", "z", '"é"') for i in (0, 2)]
    assert places == ["$.r1", "$.r2", "$.x1", "$.x2", *ordered]
    for limit in range(1, len(places) + 2):
        assert [path for _, path, _ in schemas.findings(schema, value, limit)] == places[:limit]
    assert [path for _, path, _ in schemas.findings(schema, value, None)] == places


def test_a_huge_refused_value_is_explained_quickly(schemas: Schemas, db: psycopg.Connection[Any]) -> None:
    db.execute("set statement_timeout = '5s'")
    schema = {"items": {"anyOf": [{"type": "null"}, {"properties": {"a": {"type": "null"}}, "type": "object"}]}}
    assert len(schemas.findings(schema, [{"a": 1}] * 200_000)) == 20


def test_nested_alternatives_do_not_multiply_the_work(schemas: Schemas, db: psycopg.Connection[Any]) -> None:
    db.execute("set statement_timeout = '5s'")
    schema: Any = {"type": "string", "maxLength": 100}
    for _ in range(60):
        schema = {"anyOf": [{"type": "null"}, schema]}
    assert schemas.problems(schema) == []
    assert schemas.disagreements(schema, [(None, []), ("x", []), ("x" * 101, [("maxLength", "$")])]) == []


def test_without_schema_or_value(db: psycopg.Connection[Any]) -> None:
    assert db.execute("select * from fsm_internal.schema_findings(null, '1')").fetchall() == []
    assert db.execute("select * from fsm_internal.schema_problems(null)").fetchall() == []
    assert db.execute("select * from fsm_internal.compile_schema(null)").fetchall() == [(None, None)]
    # A12: nothing to check is not valid.
    [(code, path, _)] = db.execute("select * from fsm_internal.schema_findings('{}', null)").fetchall()
    assert (code, path) == ("type", "$")


def test_a_rest_can_be_given_instead_of_the_schema(schemas: Schemas, db: psycopg.Connection[Any]) -> None:
    schema = {"properties": {"a": {"maxLength": 100}}}
    _, rest = schemas.compiled(schema)
    assert schemas.findings(rest, {"a": "x" * 100}) == []
    assert schemas.findings(rest, {"a": "x" * 101}) == [("schema", "$", "the rest of the schema does not hold")]
