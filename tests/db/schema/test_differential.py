"""Compiled form, interpreter and a JSON Schema validator say the same of random schemas and values."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from conftest import Schemas

# What the two regular expression engines write alike, or how Python writes it.
PATTERNS = {
    "^a": "^a",
    "b": "b",
    "^.$": r"^.\Z",
    "^[ab]*$": r"^[ab]*\Z",
    "^(?:ab|\\d{2,3})+$": r"^(?:ab|[0-9]{2,3})+\Z",
    "[^a]": r"[^a\n]",
    '"|\\\\': r'"|\\',
    "é|💡": "é|💡",
    "": "",
    "\\.": r"\.",
}
KEYS = ["a", "b", "", "a b", '"', "\\", "$", "@.a", "é", "key", "type", "null", "\n", "\x01", "'", "💡", "1"]
TEXTS = ["", "a", "b", "ab", "aab", "12", "a\nb", '"', "\\", "é", "💡💡", "a" * 63, "é" * 64, "a" * 65, "b" * 66, "x.y"]

keys = st.sampled_from(KEYS)
texts = st.sampled_from(TEXTS)
numbers = st.one_of(
    st.integers(-3, 4), st.sampled_from([-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, -1.0, 10**30, -(10**30), 1e-30])
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)
lengths = st.one_of(st.integers(0, 3), st.sampled_from([2.0, 63, 64, 65, 66, 10**20]))
sizes = st.one_of(st.integers(0, 4), st.sampled_from([1.0, 10**20]))
types = st.sampled_from(["null", "boolean", "object", "array", "number", "integer", "string"])
REFERENCES = ["#/$defs/D0", "#/$defs/a~1b%20~0", "#/%24defs/%C3%A9"]
DEFINED = ["D0", "a/b ~", "é"]


def keyword(inner: st.SearchStrategy[Any], references: list[str]) -> dict[str, st.SearchStrategy[Any]]:
    """The strategy of each keyword's value."""
    return {
        "type": types | st.lists(types, min_size=1, max_size=3, unique=True),
        "required": st.lists(keys, max_size=3, unique=True),
        "properties": st.dictionaries(keys, inner, max_size=4),
        "additionalProperties": st.booleans(),
        "items": inner,
        "minItems": sizes,
        "maxItems": sizes,
        "enum": st.lists(values, max_size=9),
        "const": values,
        "minimum": numbers,
        "maximum": numbers,
        "exclusiveMinimum": numbers,
        "exclusiveMaximum": numbers,
        "minLength": lengths,
        "maxLength": lengths,
        "pattern": st.sampled_from(list(PATTERNS)),
        "anyOf": st.lists(inner, min_size=1, max_size=3),
        "title": values,
        "default": values,
        **({"$ref": st.sampled_from(references)} if references else {}),
    }


def subschemas(references: list[str]) -> st.SearchStrategy[Any]:
    def extend(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        strategies = keyword(inner, references)
        return st.lists(st.sampled_from(list(strategies)), max_size=4, unique=True).flatmap(
            lambda names: st.fixed_dictionaries({name: strategies[name] for name in names})
        )

    return st.recursive(st.booleans() | extend(st.booleans()), extend, max_leaves=8)


@st.composite
def whole_schemas(draw: st.DrawFn) -> Any:
    """A schema whose definitions refer only to earlier ones."""
    schema = draw(subschemas(REFERENCES))
    if isinstance(schema, bool):
        return schema
    definitions = {name: draw(subschemas(REFERENCES[:index])) for index, name in enumerate(DEFINED)}
    return {**schema, "$defs": definitions}


def aimed(schema: Any, definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that come close to satisfying the schema, so that both verdicts are frequent."""
    if not isinstance(schema, dict):
        return values
    choices = [values]
    if "properties" in schema or "required" in schema:
        properties = {key: aimed(sub, definitions) for key, sub in schema.get("properties", {}).items()}
        required = {key: properties.pop(key, values) for key in schema.get("required", [])}
        choices += [st.fixed_dictionaries(required, optional=properties)] * 3
    if "items" in schema:
        choices += [st.lists(aimed(schema["items"], definitions), max_size=4)] * 2
    if schema.get("enum"):
        choices += [st.sampled_from(schema["enum"])] * 2
    if "const" in schema:
        choices += [st.just(schema["const"])] * 2
    for sub in schema.get("anyOf", []):
        choices.append(aimed(sub, definitions))
    if "$ref" in schema:
        name = DEFINED[REFERENCES.index(schema["$ref"])]
        choices += [aimed(definitions[name], definitions)] * 2
    if {"minLength", "maxLength", "pattern"} & set(schema):
        choices.append(texts)
    if {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} & set(schema):
        choices.append(numbers)
    return st.one_of(choices)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    schema = draw(whole_schemas())
    definitions = schema["$defs"] if isinstance(schema, dict) else {}
    return schema, draw(st.lists(aimed(schema, definitions), min_size=1, max_size=8))


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Any:
    if isinstance(instance, str) and not re.search(PATTERNS[pattern], instance):
        yield jsonschema.ValidationError("pattern")


Oracle = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})


def test_compiled_form_interpreter_and_a_json_schema_validator_agree(schemas: Schemas) -> None:
    seen: Counter[Any] = Counter()

    @settings(max_examples=150)
    @given(case=cases())
    def agree(case: tuple[Any, list[Any]]) -> None:
        schema, instances = case
        assert schemas.problems(schema) == []
        oracle = Oracle(schema)
        for instance, verdict in zip(instances, schemas.judge(schema, instances), strict=True):
            valid = oracle.is_valid(instance)
            assert (verdict.compiled, verdict.findings == []) == (valid, valid), (instance, verdict)
            assert verdict.necessary or not valid
            seen.update([valid, f"beyond schema_check: {verdict.necessary > verdict.compiled}"])

    agree()
    # The generator is not vacuous.
    assert min(seen[True], seen[False]) > 20, seen


def _loose(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = [*keyword(st.none(), REFERENCES), "$defs", "$schema"]
    junk = st.one_of(values, inner, types, st.lists(types, max_size=3), st.sampled_from(REFERENCES))
    return st.dictionaries(st.sampled_from(names), junk, max_size=4)


storable = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(max_examples=200)
@given(schema=st.recursive(values, _loose, max_leaves=10) | st.dictionaries(storable, values))
def test_any_document_gets_problems_or_compiles(schemas: Schemas, schema: Any) -> None:
    if not schemas.problems(schema):
        schemas.judge(schema, [None, {}, [], "a", 1])


CHECKED = ["type", "required", "properties", "items", "minItems", "maxItems", "enum", "minimum", "exclusiveMaximum"]
CHECKED += ["minLength", "maxLength", "anyOf", "$defs"]


@settings(max_examples=200)
@given(
    schema=st.dictionaries(
        st.sampled_from(CHECKED),
        st.one_of(
            scalars,
            types,
            st.lists(types | st.none(), max_size=3),
            st.lists(st.booleans() | st.just({}), max_size=2),
            st.dictionaries(keys, st.booleans() | st.integers(), max_size=2),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_malformed_keyword_is_a_problem_exactly_when_the_metaschema_says_so(schemas: Schemas, schema: Any) -> None:
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        sound = True
    except jsonschema.SchemaError:
        sound = False
    codes = {code for code, _, _ in schemas.problems(schema)} - {"unknown_keyword"}
    assert codes == (set() if sound else {"bad_value"})
