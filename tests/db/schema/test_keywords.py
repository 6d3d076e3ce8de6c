"""Every keyword at its edges: the compiled form and the findings say the same, and where."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from conftest import Schemas

KINDS = {
    "null": [None],
    "boolean": [True, False],
    "object": [{}, {"a": 1}],
    "array": [[], [1]],
    "string": ["", "1"],
    "number": [0, 2.0, 2.5, -1, 10**40],
}
EVERYTHING = [value for values in KINDS.values() for value in values]


def at(code: str, path: str = "$") -> list[tuple[str, str]]:
    return [(code, path)]


def others(*kinds: str) -> list[tuple[Any, list[tuple[str, str]]]]:
    """Values of all other types, which a keyword about these types must let pass."""
    return [(value, []) for kind, values in KINDS.items() if kind not in kinds for value in values]


def test_type(schemas: Schemas) -> None:
    lists = [[name] for name in KINDS] + [["string", "null"], ["array", "object", "boolean"]]
    for types in [*KINDS, *lists]:
        cases = [(v, [] if kind in types else at("type")) for kind, values in KINDS.items() for v in values]
        assert schemas.disagreements({"type": types}, cases) == []


@pytest.mark.parametrize("types", ["integer", ["integer", "null"], ["integer", "number"]], ids=str)
def test_a_number_without_a_fraction_is_an_integer(schemas: Schemas, types: Any) -> None:
    wholes = [0, -0.0, 2.0, -3, 1e20, 10**40, -(10**40)]
    fractions = [0.5, -2.000001, 1e-30]
    cases = [(whole, []) for whole in wholes]
    cases += [(fraction, [] if "number" in types else at("type")) for fraction in fractions]
    cases += [("2", at("type")), (True, at("type")), ([2], at("type")), ({}, at("type"))]
    cases += [(None, [] if "null" in types else at("type"))]
    assert schemas.disagreements({"type": types}, cases) == []


def test_boolean_schemas(schemas: Schemas) -> None:
    assert schemas.disagreements(True, [(value, []) for value in EVERYTHING]) == []
    assert schemas.disagreements(False, [(value, at("false_schema")) for value in EVERYTHING]) == []
    assert schemas.disagreements({"properties": {"a": False}}, [({}, []), ({"a": 1}, at("false_schema", "$.a"))]) == []
    assert schemas.disagreements({"items": False}, [([], []), ([1], at("false_schema", "$[0]"))]) == []
    assert schemas.disagreements({"anyOf": [False, {"type": "null"}]}, [(None, []), (1, at("anyOf"))]) == []


def test_a_schema_that_admits_everything_compiles_to_nothing(schemas: Schemas) -> None:
    for schema in (
        {},
        True,
        {"title": "a", "default": 1, "$schema": "x"},
        {"additionalProperties": True, "minItems": 0},
    ):
        assert schemas.compiled(schema) == (None, None)


@pytest.mark.parametrize(
    ("keyword", "good", "bad"),
    [
        ("minimum", [3, 3.0, 3.0000001, 10**40], [2.9999999, -(10**40), 0]),
        ("maximum", [3, 3.0, 2.9999999, -(10**40)], [3.0000001, 10**40]),
        ("exclusiveMinimum", [3.0000001, 4], [3, 3.0, 2]),
        ("exclusiveMaximum", [2.9999999, 2], [3, 3.0, 4]),
    ],
)
def test_bounds_of_numbers(schemas: Schemas, keyword: str, good: list[Any], bad: list[Any]) -> None:
    cases = [(value, []) for value in good] + [(value, at(keyword)) for value in bad]
    assert schemas.disagreements({keyword: 3}, cases + others("number")) == []


def test_bounds_may_be_negative_and_fractional(schemas: Schemas) -> None:
    assert schemas.disagreements({"minimum": -1.5}, [(-1.5, []), (-1.50001, at("minimum"))]) == []
    assert schemas.disagreements({"exclusiveMaximum": -1e-30}, [(-1, []), (0, at("exclusiveMaximum"))]) == []


def test_bounds_of_lengths_count_characters(schemas: Schemas) -> None:
    # A new line, a character outside the basic plane, and a combining one each count as one.
    for character, bound in itertools.product(
        ("a", "\n", "💡", "\u0301", '"'), (0, 1, 2, 2.0, 63, 64, 65, 255, 256, 4000)
    ):
        n = int(bound)
        short, same, long = ((character * 4001)[:size] for size in (max(n - 1, 0), n, n + 1))
        cases = [(short, at("minLength") if n else []), (same, []), (long, [])]
        assert schemas.disagreements({"minLength": bound}, cases) == []
        assert schemas.disagreements({"maxLength": bound}, [(short, []), (same, []), (long, at("maxLength"))]) == []
        assert schemas.disagreements({"minLength": bound, "maxLength": bound}, others("string")) == []


def test_lengths_beyond_any_string(schemas: Schemas) -> None:
    assert schemas.disagreements({"maxLength": 10**30}, [("a" * 5000, [])]) == []
    assert schemas.disagreements({"minLength": 10**30}, [("a" * 5000, at("minLength"))]) == []


def test_bounds_of_arrays(schemas: Schemas) -> None:
    for bound in (0, 1, 2, 3.0):
        n = int(bound)
        cases = [([[]] * n, []), ([0] * (n + 1), []), *others("array")]
        assert schemas.disagreements({"minItems": bound}, cases) == []
        if n:
            assert schemas.disagreements({"minItems": bound}, [([None] * (n - 1), at("minItems"))]) == []
        cases = [([[]] * n, []), ([0] * (n + 1), at("maxItems")), *others("array")]
        assert schemas.disagreements({"maxItems": bound}, cases) == []


def test_pattern_is_unanchored_and_has_no_flags(schemas: Schemas) -> None:
    cases = [("xaby", []), ("ab", []), ("AB", at("pattern")), ("a\nb", at("pattern")), ("", at("pattern"))]
    assert schemas.disagreements({"pattern": "ab"}, [*cases, *others("string")]) == []
    assert schemas.disagreements({"pattern": "^a.$"}, [("ab", []), ("a\n", at("pattern")), ("a💡", [])]) == []
    assert schemas.disagreements({"pattern": '^["\\\\\\t]+$'}, [('"\\\t', []), ("a", at("pattern"))]) == []
    assert schemas.disagreements({"pattern": "(?i)^é$"}, [("é", []), ("e", at("pattern"))]) == []


ODD = [
    "",
    " ",
    '"',
    "\\",
    "'",
    "$",
    "$.a",
    "@",
    "a.b",
    "a b",
    "\n",
    "\t",
    "\x01",
    "\x7f",
    "é",
    "💡",
    "1",
    "null",
    "type",
]
ODD += [
    "exists",
    "lax",
    "strict",
    "to",
    "last",
    "is",
    "key",
    "keyvalue()",
    "[*]",
    "*",
    "**",
    "/*",
    "?(",
    "\u2028",
    "\ufffd",
]


def quoted(key: str) -> str:
    return key if key.isascii() and key.isidentifier() else json.dumps(key, ensure_ascii=False)


def test_keys_of_any_kind(schemas: Schemas) -> None:
    for key in ODD:
        path = f"$.{quoted(key)}"
        assert schemas.disagreements({"required": [key]}, [({key: None}, []), ({"x": 1}, at("required", path))]) == []
        schema = {"properties": {key: {"type": "null"}}}
        assert schemas.disagreements(schema, [({key: None}, []), ({"x": 1}, []), ({key: 1}, at("type", path))]) == []
        schema = {"additionalProperties": False, "properties": {"x": True}}
        assert schemas.disagreements(schema, [({"x": 1}, []), ({key: 1}, at("additionalProperties", path))]) == []
        schema = {"additionalProperties": False, "properties": {key: True}}
        assert schemas.disagreements(schema, [({key: 1}, []), ({"x": 1}, at("additionalProperties", "$.x"))]) == []
        schema = {"const": {key: [key]}}
        assert (
            schemas.disagreements(schema, [({key: [key]}, []), ({key: ["x"]}, at("const")), ([key], at("const"))]) == []
        )


def test_paths_of_findings_lead_to_the_value(schemas: Schemas, db: psycopg.Connection[Any]) -> None:
    value: Any = "here"
    schema: Any = {"const": "there"}
    for key in ODD:
        value, schema = {key: [0, value]}, {"properties": {key: {"items": {"anyOf": [{"type": "integer"}, schema]}}}}
    [(code, path, _)] = schemas.findings(schema, value)
    assert code == "anyOf"
    query = "select jsonb_path_query(%s::jsonb, ('strict ' || %s)::jsonpath)"
    [(found,)] = db.execute(query, (json.dumps(value), path)).fetchall()
    assert found == "here"


def test_required(schemas: Schemas) -> None:
    schema = {"required": ["b", "a"]}
    cases = [
        ({"a": None, "b": {}}, []),
        ({"a": 1, "b": 1, "c": 1}, []),
        ({"a": 1}, at("required", "$.b")),
        ({}, at("required", "$.a") + at("required", "$.b")),
        ({"A": 1, "b": 1}, at("required", "$.a")),
    ]
    assert schemas.disagreements(schema, cases + others("object")) == []
    assert schemas.disagreements({"required": []}, [({}, [])]) == []
    assert schemas.disagreements({"type": "object", **schema}, [([], at("type")), ("a", at("type"))]) == []


def test_properties_do_not_look_into_arrays(schemas: Schemas) -> None:
    schema = {"properties": {"a": {"type": "integer"}, "b": {"minItems": 1}}}
    cases = [
        ({"a": 1}, []),
        ({"a": "1", "b": []}, at("type", "$.a") + at("minItems", "$.b")),
        ([{"a": "1"}], []),
        ({"a": [1]}, at("type", "$.a")),
    ]
    assert schemas.disagreements(schema, cases + others("object")) == []


def test_additional_properties(schemas: Schemas) -> None:
    schema = {"additionalProperties": False, "properties": {"b": True}}
    cases = [
        ({}, []),
        ({"b": {"c": 1}}, []),
        ({"b": 1, "c": 1, "a": None}, at("additionalProperties", "$.a") + at("additionalProperties", "$.c")),
        ([{"c": 1}], []),
    ]
    assert schemas.disagreements(schema, cases) == []
    assert schemas.disagreements(schema, others("object")) == []
    assert (
        schemas.disagreements(
            {"additionalProperties": False}, [({}, []), ({"": []}, at("additionalProperties", '$.""'))]
        )
        == []
    )
    assert schemas.disagreements({"additionalProperties": True, "properties": {"a": True}}, [({"b": 1}, [])]) == []


def test_items_do_not_unwrap_nested_arrays(schemas: Schemas) -> None:
    schema = {"items": {"type": "integer"}}
    cases = [
        ([], []),
        ([1, 2.0], []),
        ([1, "a", 2.5], at("type", "$[1]") + at("type", "$[2]")),
        ([[1]], at("type", "$[0]")),
    ]
    assert schemas.disagreements(schema, cases + others("array")) == []
    nested = {"items": {"type": "array", "items": {"maxItems": 1}}}
    assert schemas.disagreements(nested, [([[[1]], []], []), ([[[1, 2]]], at("maxItems", "$[0][0]"))]) == []


def test_const_and_enum_compare_by_value(schemas: Schemas) -> None:
    equal: list[tuple[Any, list[Any], list[Any]]] = [
        (None, [None], [0, "", False, [], {}, "null"]),
        (True, [True], [1, "true", [True]]),
        (0, [0, 0.0, -0.0], [False, None, "0", 0.1]),
        (1.50, [1.5], [1, 2]),
        (10**30, [10**30, 1e30], [10**30 + 1]),
        ("", [""], [None, " ", []]),
        ("a", ["a"], ["A", "ab", "", ["a"]]),
        ([], [[]], [{}, [[]], None, "", 0]),
        ({}, [{}], [[], {"a": 1}, None]),
        ([1, [2]], [[1.0, [2]]], [[[2], 1], [1, 2], [1, [2], 3], [1], [1, [[2]]], 1]),
        ({"a": [], "b": {"c": None}}, [{"b": {"c": None}, "a": []}], [{"a": []}, {"a": [], "b": {}}]),
        ({"a": 1}, [{"a": 1.0}], [{"a": 1, "b": 1}, {"b": 1}, {"a": [1]}, [{"a": 1}], {"a": None}]),
    ]
    for constant, same, different in equal:
        cases = [(value, []) for value in same]
        assert schemas.disagreements({"const": constant}, cases + [(v, at("const")) for v in different]) == []
        assert schemas.disagreements({"enum": [constant]}, cases + [(v, at("enum")) for v in different]) == []
        mixed = {"enum": ["zz", constant, {"zz": []}]}
        assert schemas.disagreements(mixed, cases + [(v, at("enum")) for v in different]) == []
    assert schemas.disagreements({"enum": []}, [(value, at("enum")) for value in EVERYTHING]) == []


def test_enum_beside_type_and_const(schemas: Schemas) -> None:
    schema = {"type": "integer", "enum": [1, 2.0, "a", 2.5]}
    cases = [(1, []), (2, []), ("a", at("type")), (2.5, at("type")), (3, at("enum")), (None, at("type") + at("enum"))]
    assert schemas.disagreements(schema, cases) == []
    both = {"const": "a", "enum": ["b", "c"]}
    assert schemas.disagreements(both, [("a", at("enum")), ("b", at("const")), (1, at("const") + at("enum"))]) == []


def test_long_enums_are_searched_in_the_order_that_jsonpath_compares_by(schemas: Schemas) -> None:
    # Plane 15 sorts before U+FFFD in UTF-16 and after it in UTF-8.
    texts = [chr(0x21 + 7 * i) for i in range(200)] + ["\ufffd", "\U000f0000", "💡", "\ue000", "", "a\U000f0000"]
    texts += [text + "a" for text in texts]
    cases = (
        [(text, []) for text in texts]
        + [(text + "b", at("enum")) for text in texts]
        + [(1, at("enum")), (None, at("enum"))]
    )
    assert schemas.disagreements({"enum": texts}, cases) == []
    closed = {"additionalProperties": False, "properties": dict.fromkeys(texts, True)}
    assert schemas.disagreements(closed, [(dict.fromkeys(texts, 1), [])]) == []
    extra = [({**dict.fromkeys(texts, 1), text + "b": 1}) for text in texts[::20]]
    assert all(not verdict.compiled for verdict in schemas.judge(closed, extra))


def test_any_of(schemas: Schemas) -> None:
    schema = {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "string", "maxLength": 2}, {"const": None}]}
    cases = [
        (3, []),
        ("ab", []),
        (None, []),
        ([], at("anyOf")),
        (True, at("anyOf")),
        # Only one alternative is for such a value: what that one says is more than that none holds.
        (2, at("minimum")),
        ("abc", at("maxLength")),
        (2.5, at("anyOf")),
    ]
    assert schemas.disagreements(schema, cases) == []
    assert schemas.disagreements({"anyOf": [True, {"type": "null"}]}, [(value, []) for value in EVERYTHING]) == []
    objects = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert schemas.disagreements(objects, [({"a": 1}, []), ({"b": 1}, []), ({"c": 1}, at("anyOf")), (1, [])]) == []
    beside = {"anyOf": [{"minimum": 1}], "maximum": 2}
    assert schemas.disagreements(beside, [(1, []), (0, at("minimum")), (3, at("maximum"))]) == []


@pytest.mark.parametrize("other", [{"type": "null"}, {"const": "x" * 250}, {"type": "string", "pattern": "^no limit"}])
def test_long_lengths_inside_any_of(schemas: Schemas, other: Any) -> None:
    schema = {"properties": {"a": {"anyOf": [{"type": "string", "maxLength": 100}, other]}}}
    cases = [({"a": "x" * 100}, True), ({"a": "x" * 101}, False), ({"a": 1}, False), ({}, True)]
    cases += [({"a": None}, other == {"type": "null"}), ({"a": "x" * 250}, "const" in other)]
    cases += [({"a": "no limit" * 50}, "pattern" in other)]
    verdicts = schemas.judge(schema, [value for value, _ in cases])
    assert [(v.compiled, v.findings == []) for v in verdicts] == [(valid, valid) for _, valid in cases]


def test_long_lengths_are_found_behind_values_that_they_do_not_concern(schemas: Schemas) -> None:
    long = "x" * 101
    schema = {"items": {"properties": {"a": {"items": {"maxLength": 100}}}, "items": {"maxLength": 100}}}
    cases = [
        (
            [1, "y", [], {}, {"b": 1}, {"a": 1}, {"a": {}}, None, {"a": [1, None, [long]]}, [1, [long]], {"b": [long]}],
            [],
        ),
        ([1, "y", [], {}, {"b": 1}, {"a": 1}, {"a": [1, None, long]}], at("maxLength", "$[6].a[2]")),
        ([1, "y", [], {}, {"b": 1}, {"a": 1}, [None, {}, long]], at("maxLength", "$[6][2]")),
    ]
    assert schemas.disagreements(schema, cases) == []


def test_long_lengths_in_several_alternatives_are_interpreted(schemas: Schemas) -> None:
    alternatives = [
        {"properties": {"kind": {"const": "a"}, "text": {"maxLength": 100}}},
        {"properties": {"kind": {"const": "b"}, "text": {"maxLength": 200}}},
    ]
    schema = {"items": {"anyOf": alternatives}}
    _, [rest] = schemas.compiled(schema)
    assert rest["anyOf"] == alternatives
    values = [[{"kind": kind, "text": "x" * size}] for kind in "ab" for size in (100, 101, 200, 201)]
    assert [v.compiled for v in schemas.judge(schema, values)] == [True, False, False, False, True, True, True, False]
    assert [v.necessary for v in schemas.judge(schema, values)] == [True] * 8


def test_references(schemas: Schemas) -> None:
    definitions = {
        "Age": {"type": "integer", "minimum": 0},
        "a/b~c %é": {"properties": {"age": {"$ref": "#/$defs/Age"}}, "required": ["age"]},
        "": {"$ref": "#/$defs/Age", "maximum": 9},
        "Anything": True,
        "Nothing": False,
        "Long": {"maxLength": 100},
        "~1": {"type": "null"},
        "/": {"type": "string"},
    }
    for ref in ("#/$defs/a~1b~0c %25é", "#/$defs/a~1b~0c%20%25%C3%A9", "#/%24defs/%61~1b~0c%20%25%c3%a9"):
        schema = {"$ref": ref, "$defs": definitions}
        cases = [({"age": 1}, []), ({"age": -1}, at("minimum", "$.age")), ({}, at("required", "$.age"))]
        assert schemas.problems(schema) == []
        assert schemas.disagreements(schema, cases) == []
    schema = {"$ref": "#/$defs/~01", "$defs": definitions}
    assert schemas.disagreements(schema, [(None, []), ("", at("type"))]) == []
    # Beside other keywords both apply.
    schema = {"$ref": "#/$defs/", "exclusiveMaximum": 9, "$defs": definitions}
    cases = [(8, []), (9, at("exclusiveMaximum")), (10, at("exclusiveMaximum") + at("maximum")), (-1, at("minimum"))]
    assert schemas.disagreements(schema, cases) == []
    assert schemas.disagreements({"$ref": "#/$defs/Anything", "$defs": definitions}, [(1, [])]) == []
    assert schemas.disagreements({"$ref": "#/$defs/Nothing", "$defs": definitions}, [(1, at("false_schema"))]) == []
    schema = {"properties": {"a": {"$ref": "#/$defs/Long", "minLength": 2}}, "$defs": definitions}
    cases = [({"a": "x" * 100}, []), ({"a": "x" * 101}, at("maxLength", "$.a")), ({"a": "x"}, at("minLength", "$.a"))]
    assert schemas.disagreements(schema, cases) == []


def test_properties_may_be_named_like_keywords(schemas: Schemas) -> None:
    names = ["$ref", "$defs", "type", "title", "properties", "anyOf", "default", "enum"]
    schema = {"properties": {name: {"type": "integer"} for name in names}, "required": names}
    assert schemas.problems(schema) == []
    assert schemas.disagreements(schema, [(dict.fromkeys(names, 1), [])]) == []
    assert all(
        not v.compiled for v in schemas.judge(schema, [{**dict.fromkeys(names, 1), name: "a"} for name in names])
    )
