"""What Pydantic 2 makes of ordinary models is accepted, and means what the model means."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import jsonschema

if TYPE_CHECKING:
    from conftest import Schemas

# model_json_schema() of a model with nested and generic models, Optional, Literal, an enum, constrained strings,
# numbers and lists, dates, a UUID, defaults, descriptions and extra="forbid".
CONVERSATION: dict[str, Any] = {
    "$defs": {
        "Address": {
            "description": "Where it goes.",
            "properties": {
                "street": {"maxLength": 200, "minLength": 1, "title": "Street", "type": "string"},
                "zip": {"examples": ["10115"], "pattern": "^\\d{5}$", "title": "Zip", "type": "string"},
            },
            "required": ["street", "zip"],
            "title": "Address",
            "type": "object",
        },
        "Cat": {
            "properties": {
                "kind": {"const": "cat", "title": "Kind", "type": "string"},
                "lives": {"default": 9, "maximum": 9, "minimum": 0, "title": "Lives", "type": "integer"},
            },
            "required": ["kind"],
            "title": "Cat",
            "type": "object",
        },
        "Dog": {
            "properties": {
                "kind": {"enum": ["dog", "hound"], "title": "Kind", "type": "string"},
                "good": {"default": True, "title": "Good", "type": "boolean"},
            },
            "required": ["kind"],
            "title": "Dog",
            "type": "object",
        },
        "Message": {
            "properties": {
                "role": {"$ref": "#/$defs/Role"},
                "content": {"maxLength": 4000, "title": "Content", "type": "string"},
                "at": {"format": "date-time", "title": "At", "type": "string"},
            },
            "required": ["role", "content", "at"],
            "title": "Message",
            "type": "object",
        },
        "Page_int_": {
            "properties": {
                "items": {"default": [], "items": {"type": "integer"}, "title": "Items", "type": "array"},
                "next": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "Next"},
            },
            "title": "Page[int]",
            "type": "object",
        },
        "Role": {"enum": ["user", "assistant"], "title": "Role", "type": "string"},
    },
    "additionalProperties": False,
    "properties": {
        "customer": {"description": "Who asks", "maxLength": 60, "title": "Customer", "type": "string"},
        "age": {
            "anyOf": [{"exclusiveMaximum": 150, "minimum": 0, "type": "integer"}, {"type": "null"}],
            "default": None,
            "title": "Age",
        },
        "tags": {
            "default": [],
            "items": {"type": "string"},
            "maxItems": 3,
            "minItems": 0,
            "title": "Tags",
            "type": "array",
        },
        "address": {"$ref": "#/$defs/Address"},
        "billing": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}], "default": None},
        "history": {"items": {"$ref": "#/$defs/Message"}, "maxItems": 1000, "title": "History", "type": "array"},
        "mode": {"default": "draft", "enum": ["draft", "final", 3], "title": "Mode"},
        "price": {"exclusiveMinimum": 0, "title": "Price", "type": "number"},
        "paid": {"default": False, "title": "Paid", "type": "boolean"},
        "answer": {
            "anyOf": [{"type": "integer"}, {"type": "string"}, {"items": {"type": "integer"}, "type": "array"}],
            "default": 0,
            "title": "Answer",
        },
        "extra": {"default": None, "title": "Extra"},
        "request": {"format": "uuid", "title": "Request", "type": "string"},
        "due": {"anyOf": [{"format": "date", "type": "string"}, {"type": "null"}], "default": None, "title": "Due"},
        "pet": {
            "anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}, {"type": "null"}],
            "default": None,
            "title": "Pet",
        },
        "page": {"$ref": "#/$defs/Page_int_", "default": {"items": [], "next": None}},
        "notes": {"additionalProperties": True, "default": {}, "title": "Notes", "type": "object"},
        "anything": {"default": [], "items": {}, "title": "Anything", "type": "array"},
        "role": {"$ref": "#/$defs/Role", "default": "user"},
    },
    "required": ["customer", "address", "price", "request"],
    "title": "Conversation",
    "type": "object",
}

# The same of dict[str, int], a tuple, a set, a discriminated union and multiple_of.
NOT_SUPPORTED: dict[str, Any] = {
    "$defs": {
        "Cat": {
            "properties": {
                "kind": {"const": "cat", "title": "Kind", "type": "string"},
                "lives": {"default": 9, "maximum": 9, "minimum": 0, "title": "Lives", "type": "integer"},
            },
            "required": ["kind"],
            "title": "Cat",
            "type": "object",
        },
        "Dog": {
            "properties": {
                "kind": {"enum": ["dog", "hound"], "title": "Kind", "type": "string"},
                "good": {"default": True, "title": "Good", "type": "boolean"},
            },
            "required": ["kind"],
            "title": "Dog",
            "type": "object",
        },
    },
    "properties": {
        "counts": {"additionalProperties": {"type": "integer"}, "title": "Counts", "type": "object"},
        "pair": {
            "maxItems": 2,
            "minItems": 2,
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "title": "Pair",
            "type": "array",
        },
        "amount": {"anyOf": [{"type": "number"}, {"type": "string"}], "title": "Amount"},
        "s": {"items": {"type": "integer"}, "title": "S", "type": "array", "uniqueItems": True},
        "pet": {
            "discriminator": {
                "mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog", "hound": "#/$defs/Dog"},
                "propertyName": "kind",
            },
            "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
            "title": "Pet",
        },
        "n": {"multipleOf": 5, "title": "N", "type": "integer"},
    },
    "required": ["counts", "pair", "amount", "s", "pet", "n"],
    "title": "Bad",
    "type": "object",
}

VALID: dict[str, Any] = {
    "customer": "Ada",
    "age": None,
    "address": {"street": "a" * 200, "zip": "10115"},
    "billing": None,
    "history": [
        {"role": "user", "content": "x" * 4000, "at": "2026-01-01T00:00:00Z"},
        {"role": "assistant", "content": "", "at": "yes", "more": [1]},
    ],
    "mode": 3.0,
    "price": 0.01,
    "answer": [1, 2.0],
    "request": "8f14e45f-ceea-467f-a8d4-2f0c5c0f3b3e",
    "pet": {"kind": "hound"},
    "page": {"items": [1], "next": "b"},
    "notes": {"any": {"thing": None}},
    "anything": [None, "a", []],
    "role": "assistant",
}


def with_value(path: list[Any], value: Any) -> Any:
    changed = copy.deepcopy(VALID)
    target = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed


def without(name: str) -> Any:
    return {key: value for key, value in VALID.items() if key != name}


def test_a_model_is_accepted_whole_and_checked_whole(schemas: Schemas) -> None:
    assert schemas.problems(CONVERSATION) == []
    address = {"street": "b", "zip": "1234"}
    cases: list[tuple[Any, list[tuple[str, str]]]] = [
        (VALID, []),
        (without("age"), []),
        (with_value(["age"], 149), []),
        (with_value(["answer"], "free text"), []),
        (with_value(["pet"], {"kind": "cat", "lives": 9}), []),
        (without("customer"), [("required", "$.customer")]),
        (with_value(["customer"], "x" * 61), [("maxLength", "$.customer")]),
        (with_value(["unknown"], 1), [("additionalProperties", "$.unknown")]),
        (with_value(["age"], 150), [("exclusiveMaximum", "$.age")]),
        (with_value(["age"], "1"), [("anyOf", "$.age")]),
        (with_value(["tags"], ["a", "b", "c", "d"]), [("maxItems", "$.tags")]),
        (with_value(["tags"], ["a", 1]), [("type", "$.tags[1]")]),
        (with_value(["address"], {"zip": "12345"}), [("required", "$.address.street")]),
        (with_value(["address", "street"], ""), [("minLength", "$.address.street")]),
        (with_value(["address", "street"], "a" * 201), [("maxLength", "$.address.street")]),
        (with_value(["billing"], address), [("pattern", "$.billing.zip")]),
        (
            with_value(["billing"], {**address, "street": "a" * 201, "zip": "12345"}),
            [("maxLength", "$.billing.street")],
        ),
        (with_value(["history", 1, "content"], "x" * 4001), [("maxLength", "$.history[1].content")]),
        (with_value(["history", 0, "role"], "system"), [("enum", "$.history[0].role")]),
        (with_value(["history", 0, "at"], None), [("type", "$.history[0].at")]),
        (with_value(["mode"], "3"), [("enum", "$.mode")]),
        (with_value(["price"], 0), [("exclusiveMinimum", "$.price")]),
        (with_value(["paid"], 1), [("type", "$.paid")]),
        (with_value(["answer"], [1, 2.5]), [("type", "$.answer[1]")]),
        (with_value(["pet"], {"kind": "fish"}), [("anyOf", "$.pet")]),
        (with_value(["pet"], {"kind": "cat", "lives": 10}), [("maximum", "$.pet.lives")]),
        (with_value(["page", "items"], ["a"]), [("type", "$.page.items[0]")]),
        (with_value(["notes"], []), [("type", "$.notes")]),
    ]
    assert schemas.disagreements(CONVERSATION, cases) == []
    oracle = jsonschema.Draft202012Validator(CONVERSATION)
    assert [oracle.is_valid(value) for value, _ in cases] == [not expected for _, expected in cases]


def test_what_a_model_may_use_beyond_the_subset_is_named(schemas: Schemas) -> None:
    assert schemas.places(NOT_SUPPORTED) == [
        ("bad_value", "$.properties.counts.additionalProperties"),
        ("unknown_keyword", "$.properties.n.multipleOf"),
        ("unknown_keyword", "$.properties.pair.prefixItems"),
        ("unknown_keyword", "$.properties.pet.discriminator"),
        ("unknown_keyword", "$.properties.pet.oneOf"),
        ("unknown_keyword", "$.properties.s.uniqueItems"),
    ]


def test_the_schemas_of_pydantic_1_and_of_openapi_are_refused_with_a_hint(schemas: Schemas) -> None:
    schema = {"properties": {"a": {"allOf": [{"$ref": "#/definitions/A"}], "nullable": True}}, "definitions": {"A": {}}}
    assert schemas.places(schema) == [
        ("unknown_keyword", "$.definitions"),
        ("unknown_keyword", "$.properties.a.allOf"),
        ("unknown_keyword", "$.properties.a.nullable"),
    ]
