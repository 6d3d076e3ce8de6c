"""Every kind of problem of a context_schema, with the path at which it is reported."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from conftest import Schemas


HINTS = [
    ("oneOf", "use anyOf"),
    ("allOf", "side by side"),
    ("discriminator", "leave it out"),
    ("prefixItems", "items (one schema for all)"),
    ("uniqueItems", "items (one schema for all)"),
    ("patternProperties", "additionalProperties (true or false)"),
    ("minProperties", "additionalProperties (true or false)"),
    ("not", "invariant"),
    ("if", "invariant"),
    ("multipleOf", "invariant"),
    ("definitions", "use $defs"),
    ("$anchor", "#/$defs/Name"),
    ("$dynamicRef", "#/$defs/Name"),
    ("nullable", '"null"'),
    ("writeOnly", "leave it out"),
    ("Type", "the keywords are type, required"),
    ("", "the keywords are type, required"),
]


def test_an_unknown_keyword_is_refused_by_name_with_a_hint(schemas: Schemas) -> None:
    for keyword, hint in HINTS:
        [(code, path, message)] = schemas.problems({"properties": {"a": {keyword: {}}}})
        name = keyword if keyword.isidentifier() else f'"{keyword}"'
        assert (code, path) == ("unknown_keyword", f"$.properties.a.{name}")
        assert message.startswith(f'"{keyword}" is not supported: ')
        assert hint in message


def test_annotations_are_ignored_whatever_they_hold(schemas: Schemas) -> None:
    names = ["title", "description", "default", "examples", "deprecated", "format", "$schema", "$id", "$comment"]
    for junk in (None, 1, "date-time", [], {"oneOf": 1}):
        assert schemas.problems({"items": dict.fromkeys(names, junk), **dict.fromkeys(names, junk)}) == []


COUNTS = [-1, 0.5, "1", None, [1], True, {}]
BAD = {
    "type": ["", "String", "int", 1, None, True, {}, [], ["string", "float"], [1], [["string"]], ["null", "null"]],
    "required": ["a", None, 1, {}, [1], ["a", None], ["a", ["b"]], ["a", "a"]],
    "properties": [None, [], "a", 1, True],
    "$defs": [None, [], "a", 1, True],
    "additionalProperties": [None, {}, {"type": "string"}, "false", 0, []],
    "minItems": COUNTS,
    "maxItems": COUNTS,
    "minLength": COUNTS,
    "maxLength": COUNTS,
    "enum": [None, "a", 1, {}, True],
    "minimum": ["1", None, [], {}, True],
    "maximum": ["1", None, [], {}, True],
    "exclusiveMinimum": ["1", None, [], {}, True],
    "exclusiveMaximum": ["1", None, [], {}, True],
    "anyOf": [None, [], {}, "a", True],
    "pattern": [None, 1, [], {}, True],
    "$ref": [None, 1, [], {}, True],
}


def test_a_malformed_value_is_a_problem_of_its_keyword(schemas: Schemas) -> None:
    for keyword, value in ((keyword, value) for keyword, values in BAD.items() for value in values):
        name = keyword if keyword.isidentifier() else f'"{keyword}"'
        [(code, path, message)] = schemas.problems({keyword: value})
        assert (code, path) == ("bad_value", f"$.{name}"), value
        assert message.startswith(f"{keyword} must ")
        if keyword != "$defs":
            inner = {"anyOf": [True, {"items": {"properties": {"a b": {keyword: value}}}}]}
            assert schemas.places(inner) == [("bad_value", f'$.anyOf[1].items.properties."a b".{name}')]


def test_what_is_no_schema_at_all(schemas: Schemas) -> None:
    for junk in (None, 1, "true", [], [{}]):
        assert schemas.places(junk) == [("bad_value", "$")]
        assert schemas.places({"items": junk}) == [("bad_value", "$.items")]
        assert schemas.places({"properties": {"": junk}}) == [("bad_value", '$.properties.""')]
        assert schemas.places({"anyOf": [{}, junk]}) == [("bad_value", "$.anyOf[1]")]
        assert schemas.places({"$defs": {"D": junk}}) == [("bad_value", '$."$defs".D')]


def test_all_problems_are_reported_at_once_in_the_order_of_their_paths(schemas: Schemas) -> None:
    schema = {
        "type": "strin",
        "properties": {"b": {"minLength": -1, "oneOf": []}, "a": {"pattern": "("}},
        "$defs": {"D": {"const": 1, "allOf": []}},
        "anyOf": [{"$ref": "#/$defs/E"}],
    }
    assert schemas.places(schema) == [
        ("unknown_keyword", '$."$defs".D.allOf'),
        ("bad_ref", '$.anyOf[0]."$ref"'),
        ("bad_pattern", "$.properties.a.pattern"),
        ("bad_value", "$.properties.b.minLength"),
        ("unknown_keyword", "$.properties.b.oneOf"),
        ("bad_value", "$.type"),
    ]


def test_a_reference_that_leads_nowhere(schemas: Schemas) -> None:
    for ref in (
        "", "D", "#D", "#/D", "#/$defs", "#/$defs/E", "#/$defs/d", "#/$defs/D/", "#/$defs/D/items",
        "#/definitions/D", "#/$defs/~2", "#/$defs/D~", "#/$defs/%", "#/$defs/%4", "#/$defs/%zz", "#/$defs/%ff",
        "#/$defs/%00", "#/$defs/%C3", "other.json#/$defs/D", "https://example.com/schema", "#/properties/a",
        " #/$defs/D", "#/$defs/D ",
    ):  # fmt: skip
        schema = {"$defs": {"D": {}, "~": {}}, "properties": {"a": {"$ref": ref}}}
        assert schemas.places(schema) == [("bad_ref", '$.properties.a."$ref"')]
        assert schemas.places({"$ref": ref}) == [("bad_ref", '$."$ref"')]


def test_definitions_stand_at_the_top(schemas: Schemas) -> None:
    schema = {"items": {"$defs": {"D": {}}, "$ref": "#/$defs/D"}}
    assert schemas.places(schema) == [("misplaced_defs", '$.items."$defs"'), ("bad_ref", '$.items."$ref"')]


def test_recursion_is_named_by_the_references_that_close_the_circle(schemas: Schemas) -> None:
    own = {"$ref": "#/$defs/Node", "$defs": {"Node": {"properties": {"next": {"$ref": "#/$defs/Node"}}}}}
    assert schemas.places(own) == [("recursive_ref", '$."$defs".Node.properties.next."$ref"')]
    assert schemas.places({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}) == [
        ("recursive_ref", '$."$defs".A."$ref"')
    ]
    assert schemas.places({"items": {"$ref": "#"}}) == [("recursive_ref", '$.items."$ref"')]
    three = {
        "$defs": {
            "A": {"items": {"$ref": "#/$defs/B"}},
            "B": {"anyOf": [{"$ref": "#/$defs/C"}, {"$ref": "#/$defs/D"}]},
            "C": {"$ref": "#/$defs/A"},
            "D": {"type": "null"},
        }
    }
    assert schemas.places(three) == [
        ("recursive_ref", '$."$defs".A.items."$ref"'),
        ("recursive_ref", '$."$defs".B.anyOf[0]."$ref"'),
        ("recursive_ref", '$."$defs".C."$ref"'),
    ]
    assert "leads back to itself" in schemas.problems(three)[0][2]


def nested(levels: int, wrap: Any) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(levels):
        schema = wrap(schema)
    return schema


WRAPS = {
    "properties": lambda inner: {"properties": {"a": inner}},
    "items": lambda inner: {"items": inner},
    "anyOf": lambda inner: {"anyOf": [inner, {"type": "null"}]},
}


def test_a_schema_nests_up_to_64_levels(schemas: Schemas) -> None:
    for name, wrap in WRAPS.items():
        deep = nested(64, wrap)
        assert schemas.problems(deep) == []
        assert schemas.places(nested(65, wrap)) == [("schema_too_deep", "$")]
        good: Any = 1
        bad: Any = "a"
        for _ in range(64):
            good, bad = {"properties": ({"a": good}, {"a": bad}), "items": ([good], [bad]), "anyOf": (good, bad)}[name]
        [yes, no] = schemas.judge(deep, [good, bad])
        assert (yes.compiled, yes.findings, no.compiled, len(no.findings)) == (True, [], False, 1)


def chain(length: int, wrap: Any = lambda ref: {"properties": {"a": ref}}) -> Any:
    definitions = {f"D{i}": wrap({"$ref": f"#/$defs/D{i + 1}"}) for i in range(length)}
    return {"$ref": "#/$defs/D0", "$defs": {**definitions, f"D{length}": {"type": "null"}}}


def test_references_to_references_nest_up_to_the_same_depth(schemas: Schemas) -> None:
    assert schemas.problems(chain(63)) == []
    assert schemas.places(chain(64)) == [("schema_too_deep", '$."$defs"')]
    assert schemas.places(chain(40, lambda ref: {"properties": {"a": {"items": ref}}})) == [("schema_too_deep", "$")]


def timed(schemas: Schemas, schema: Any) -> set[tuple[str, str]]:
    started = time.monotonic()
    places = set(schemas.places(schema))
    assert time.monotonic() - started < 10
    return places


def test_references_do_not_multiply_the_work(schemas: Schemas) -> None:
    bomb = chain(60, lambda ref: {"properties": {"a": ref, "b": ref, "c": ref}})
    assert {code for code, _ in timed(schemas, bomb)} == {"schema_too_large"}
    circle = chain(500)
    circle["$defs"]["D500"] = {"$ref": "#/$defs/D0"}
    assert {code for code, _ in timed(schemas, circle)} == {"recursive_ref"}
    words = {"E": {"enum": [f"word {i}" for i in range(2000)]}}
    many = {"$defs": words, "properties": {f"p{i}": {"$ref": "#/$defs/E"} for i in range(2000)}}
    assert timed(schemas, many) == {("schema_too_large", "$")}


TOO_LARGE = [
    ({"enum": list(range(20_000))}, "$.enum"),
    ({"enum": [f"word {i}" for i in range(5_000)]}, "$"),
    ({"items": {"const": [1] * 30_000}}, "$.items.const"),
    ({"const": {f"key {i}": i for i in range(3_000)}}, "$"),
    ({"properties": {f"p{i}": {"type": "string"} for i in range(4_000)}}, "$"),
    ({"properties": {f"p{i}": {"type": "string"} for i in range(50_000)}}, "$"),
    ({"$defs": {f"D{i}": {"type": "string"} for i in range(50_000)}}, "$"),
    ({"anyOf": [{"properties": {"a": {"const": i}}} for i in range(3_000)]}, "$"),
]


def test_what_is_too_large_is_refused_quickly(schemas: Schemas) -> None:
    for schema, path in TOO_LARGE:
        assert timed(schemas, schema) == {("schema_too_large", path)}


def test_what_is_just_not_too_large_compiles_and_works(schemas: Schemas, db: psycopg.Connection[Any]) -> None:
    db.execute("set max_stack_depth = '500kB'")  # thousands of alternatives must not be thousands of levels
    words = [f"word {i}" for i in range(2_000)]
    assert schemas.problems({"enum": words}) == []
    assert [v.compiled for v in schemas.judge({"enum": words}, ["word 1999", "word 0", "word", 1])] == [
        True,
        True,
        False,
        False,
    ]
    numbers = {"enum": [[i] for i in range(1_500)]}
    assert schemas.problems(numbers) == []
    assert [v.compiled for v in schemas.judge(numbers, [[1_499], [1_500], 1])] == [True, False, False]
    same = {"enum": [7] * 8_000}
    assert schemas.problems(same) == []
    assert [v.compiled for v in schemas.judge(same, [7, 8])] == [True, False]
    wide = {"properties": {f"p{i}": {"type": "integer"} for i in range(700)}}
    assert schemas.problems(wide) == []
    assert [v.compiled for v in schemas.judge(wide, [{"p699": 1}, {"p699": "1"}])] == [True, False]


MONSTERS = [
    '{"const":' + "[" * 5000 + "]" * 5000 + "}",
    '{"enum":[' + '{"a":' * 3000 + "1" + "}" * 3000 + "]}",
    '{"default":' + "[" * 5000 + "]" * 5000 + "}",
    "[" * 5000 + "]" * 5000,
    '{"properties":{"a":' * 1500 + "{}" + "}}" * 1500,
    '{"minimum":' + "9" * 5000 + ',"maximum":-0.' + "0" * 5000 + "1}",
    '{"maxLength":1e5000,"minItems":1' + "0" * 5000 + "}",
    '{"const":1e-5000,"enum":[1e5000]}',
    '{"' + "k" * 100_000 + '":1}',
    '{"required":["' + "k" * 50_000 + '"]}',
    '{"$ref":"#/$defs/' + "%41" * 50_000 + '"}',
    '{"pattern":"' + "(" * 5000 + '"}',
]


def test_no_document_makes_it_raise(db: psycopg.Connection[Any]) -> None:
    for text in MONSTERS:
        problems = db.execute("select code from fsm_internal.schema_problems(%s::jsonb)", (text,)).fetchall()
        if not problems:
            db.execute(
                """select
                  jsonb_path_match(v, c.schema_check, '{}', true), fsm_internal.schema_rest_holds(c.schema_rest, v)
                from fsm_internal.compile_schema(%s::jsonb) c, jsonb_array_elements('[null, 1, "a", [], {}]') v""",
                (text,),
            )


def test_a_constant_nests_up_to_63_levels(schemas: Schemas) -> None:
    deepest: Any = 1
    for _ in range(63):
        deepest = [deepest]
    for keyword, value in (("const", deepest), ("enum", deepest)):
        assert schemas.problems({keyword: value}) == []
        assert schemas.places({keyword: [value]}) == [("bad_value", f"$.{keyword}")]
    assert [v.compiled for v in schemas.judge({"const": deepest}, [deepest, [deepest], deepest[0]])] == [
        True,
        False,
        False,
    ]


def test_compiled_schemas_survive_a_dump(db: psycopg.Connection[Any]) -> None:
    schema = {
        "type": ["object", "null"],
        "required": ['"', "b"],
        "additionalProperties": False,
        "properties": {
            '"': {"type": "integer", "minimum": -5, "exclusiveMaximum": 1e-10},
            "b": {"enum": ["a", 1, None, [], {}, {"x": [1, {"y": -1}]}]},
            "\\": {"items": {"type": "string", "pattern": '^"\\\\\\n', "minLength": 3, "maxLength": 60}, "maxItems": 3},
            "c": {"anyOf": [{"type": "number"}, False, {"type": "array", "minItems": 1}]},
        },
    }
    [(same,)] = db.execute(
        "select schema_check::text::jsonpath::text = schema_check::text from fsm_internal.compile_schema(%s::jsonb)",
        (json.dumps(schema),),
    ).fetchall()
    assert same
