"""Bad and odd values that are whole documents: definitions, batches, imports, lists of ids and of paths."""

from __future__ import annotations

import json
from typing import Any

from support.batches import BAD_ITEMS, WRONG_TYPES, item
from support.definitions import small, small_with
from support.faulty import GO, STRUCTURE, Cases, in_meta
from support.hostile import ACCEPTED
from support.hostile_values import FEW_ODD_TEXTS, NULL, NUMBERS, ODD_KEYS, ODD_TEXTS, Values, nested
from support.misjudged import MEANING


def _judged(cases: Cases) -> Values:
    return [
        (name, json.dumps(definition), "SM002" if any(found[0] == "error" for found in findings) else ACCEPTED)
        for name, (definition, findings) in cases.items()
    ]


def _guarded(*guards: str) -> list[tuple[str, Any]]:
    return [(guard, small_with(GO, [{"target": "b", "guard": guard}, "a"])) for guard in guards]


_STEPS = "$" + "[0]" * 1100
_BAD_GUARDS = [
    "", " ", "$.", "$[", "$.a ==", "== 1", "a b", "$.a === 1", "$.a = 1 and $.b = 2", "true or", "lax", "strict",
    "$$", "$.a == 'x'", '$.a == "\\u0000"', '$.a == "\\ud800"', '$.a == "\\udc00\\ud800"', '$."a', "$.a /* open",
    "$.a == 1 --",
    "$.a; select 1", "$.a == 1e131073", "$.a == 1e1001", "$.a == 0." + "1" * 1001, "$.a == 1" + "0" * 1001,
    "$x", "$x == 1", '$."a" == $"b"', "$.a[$n] == 1", "$.**", "$.**.a == 1", "$.**{1} == 1", "$.**{2 to last} == 1",
    "$.a.datetime() < $.b", '$.a.datetime("HH24:MI") == 1', "$.a ? (@.datetime() > 1) == 1",
    "$.a[*] == $.b[*]", "strict $.a.* == $.b.*", "exists($ ? (@.a[*] == @.b[1 to last]))",
    "$[0,0,0,0,0,0,0,0] == 1", "$[0,0][0,0][0,0][0,0] == 1", "$.keyvalue().keyvalue().keyvalue() == 1",
    '$.a like_regex "("', '$.a like_regex "(a)\\\\1"', '$.a like_regex "a" flag "z"', '$.a like_regex "***=a"',
    '$.a like_regex "((a{1,99}){1,99})"', '$.a like_regex "(?:a{255}){255}"', '$.a like_regex "((((a+)+)+)+){99}"',
    '$.a like_regex "' + "(a|b" * 400 + ")*" * 400 + '"', '$.a LIKE_REGEX "(x)\\\\1" FLAG "i"',
    '/* like_regex */ $.a like_regex /* " */ "(x)\\\\1"', '$.a like_regex\n"(x)\\\\1"',
    _STEPS + " == 1", "-" * 4000 + "$.a == 1", "(" * 2000 + "$.a" + ")" * 2000 + " == 1", "!" * 500 + "($.a == 1)",
    "$.a" + " * $.a" * 60 + " == 1", "$.a == 1" + " || $.a == 1" * 300, "$.a == 1".ljust(4097), "x" * 100_000,
    "($.a - $.b).abs() > 1", "($.a + 1)[0] == 1", "\u00a0$.a == 1\u200b", "\ufeff$.a == 1", "NaN", "$.a == NaN",
    "$.a == Infinity", "$.a == 0x1p3", "$.a == 01", "$.a == 1__0", "%s", "${jndi:x}", "$.a == $",
]  # fmt: skip
_NOT_REFUSED = {"$.a == $", "(" * 2000 + "$.a" + ")" * 2000 + " == 1"}
_ODD_GUARDS = [
    "$", "$.a", "true", "null", "1 == 1", '$."" == ""', '$."%s" == "%s"', '$."__proto__".constructor == 1',
    "$.current_state == 1", '$."\\u0001\\ud83d\\ude00" == 1', "$.a == 1e999", "$.a == -0.0", "$.a % 0 == 1",
    "$.a / 0 == 1",
    "$.a[99999999999] == 1", "$.a[-1] == 1", "$.a[last - 99999] == 1", '$.a.double() == "x"', "$[*][*][*][*] == 1",
    '$.a like_regex "^(a+)+$"', '$.a like_regex "(x+x+)+y"', '$.a like_regex "(.*)(.*)(.*)=b"',
    '$.a like_regex "(a)\\\\1" flag "q"', "exists($.a ? (exists(@ ? (@.b == 1))))",
    "(($.a == 1) is unknown) is unknown",
    "strict $.missing == 1", "$.a == 1" + " && $.a == 1" * 190, "$.a.abs().ceiling().floor().size().type() == 1",
]  # fmt: skip

_BAD_SCHEMAS: dict[str, Any] = {
    "of type": {"type": "dict"},
    "of no type": {"type": []},
    "that is a list": [],
    "that is a text": "object",
    "with a null inside": {"properties": {"a": None}},
    "with a reference out": {"$ref": "https://example.com/x.json"},
    "with a reference to a file": {"$ref": "file:///etc/passwd"},
    "that is itself": {"$ref": "#"},
    "with a circle": {"$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}, "$ref": "#/$defs/A"},
    "with a bad escape": {"$ref": "#/$defs/%zz"},
    "with a NUL in a reference": {"$ref": "#/$defs/%00"},
    "with an odd key": {"__proto__": {}},
    "with a pattern that is none": {"pattern": "("},
    "with a back-reference": {"pattern": "(a)\\1"},
    "with a pattern that explodes": {"pattern": "(?:(?:a{255}){255}){255}"},
    "with a long pattern": {"pattern": "a" * 2001},
    "with a negative length": {"minLength": -1},
    "with a huge count": {"maxItems": 1.5},
    "with a text for a bound": {"minimum": "1"},
    "with no alternatives": {"anyOf": []},
    "with too many words": {"enum": list(range(20_000))},
    "with a huge constant": {"const": [1] * 30_000},
    "nested 65 deep": json.loads('{"items":' * 65 + "{}" + "}" * 65),
    "that expands exponentially": {
        "$ref": "#/$defs/D0",
        "$defs": {
            **{f"D{n}": {"properties": {key: {"$ref": f"#/$defs/D{n + 1}"} for key in "abc"}} for n in range(50)},
            "D50": {"type": "null"},
        },
    },
}
_ODD_SCHEMAS: dict[str, Any] = {
    "that is true": True,
    "that is false": False,
    "that is empty": {},
    "with annotations of any kind": {"title": None, "default": [], "format": 1, "$comment": {"oneOf": 1}},
    "with odd names": {"properties": {key: {"type": "string"} for key in ODD_KEYS}},
    "that requires odd names": {"required": list(ODD_KEYS)},
    "with a pattern that backtracks elsewhere": {"pattern": "^(a+)+$"},
    "with texts like numbers": {"enum": ["NaN", "1e999", "null", None, 0, -0.0]},
    "that can never hold": {"minimum": 2, "maximum": 1},
}


def _deep(place: str, levels: int) -> str:
    """Return a definition, as text, with a nested list in some place."""
    return json.dumps(small_with(place.split("."), "DEEP")).replace('"DEEP"', nested(levels, "[]"))


_DEEP_PLACES = [
    "description", "tags", "types", "output", "context", "on", "meta", "meta.description", "meta.loop", "meta.audit",
    "meta.context_schema", "meta.context_schema.default", "meta.context_schema.const", "states.a.on.GO",
    "states.a.meta.invariant", "states.a.after", "states.b.description", "color", "id", "initial", "states",
]  # fmt: skip
_KEPT = {"description", "tags", "types", "output", "context", "meta.description", "states.b.description"} | {
    "meta.context_schema.default"
}

DEFINITIONS: Values = [
    ("null", None, NULL),
    *_judged(STRUCTURE),
    *_judged(MEANING),
    *(
        (f"guard {number}: {guard}"[:60], json.dumps(whole), ACCEPTED if guard in _NOT_REFUSED else "SM002")
        for number, (guard, whole) in enumerate(_guarded(*_BAD_GUARDS), 1)
    ),
    *((f"odd guard: {guard}"[:60], json.dumps(whole), ACCEPTED) for guard, whole in _guarded(*_ODD_GUARDS)),
    *((f"schema {name}", json.dumps(in_meta("context_schema", one)), "SM002") for name, one in _BAD_SCHEMAS.items()),
    *((f"schema {name}", json.dumps(in_meta("context_schema", one)), ACCEPTED) for name, one in _ODD_SCHEMAS.items()),
    *(
        (f"{place} {levels} deep", _deep(place, levels), ACCEPTED if place in _KEPT else "SM002")
        for place in _DEEP_PLACES
        for levels in (90, 1000, 5000)
        if levels == 90 or place not in _KEPT
    ),
    *(
        (f"context_version {name}", json.dumps(small()).replace("{", f'{{"version": {text}, ', 1), ACCEPTED)
        for name, (text, holds) in NUMBERS.items()
        if holds
    ),
    *((f"an id: {name}", json.dumps(small(id=text)), ACCEPTED) for name, text in FEW_ODD_TEXTS.items()),
    *(
        (f"an event: {name}", json.dumps(small_with(("states", "a", "on", text), "b")), ACCEPTED)
        for name, text in FEW_ODD_TEXTS.items()
    ),
    (
        "states with odd names",
        json.dumps(small(states={"a": {"on": dict.fromkeys(ODD_TEXTS.values(), "b")}, "b": {"type": "final"}})),
        ACCEPTED,
    ),
    ("a megabyte of description", json.dumps(small(description="x" * 1_000_000)), ACCEPTED),
    ("500 events", json.dumps(small_with(("states", "a", "on"), {f"E{n}": "b" for n in range(500)})), ACCEPTED),
]

CHECKED: Values = [
    one
    for number, one in enumerate(DEFINITIONS)
    if one[0] not in STRUCTURE and one[0] not in MEANING and (one[1] is None or number % 3 == 0)
]
"""A part of them, for what says the same of them without storing anything."""

ID_LISTS: Values = [
    ("null", None, NULL),
    ("empty", "{}", ACCEPTED),
    ("a null inside", ["s-1", None, "s-2"], ACCEPTED),
    ("nothing but nulls", [None] * 1000, ACCEPTED),
    ("1,000", [f"x{n}" for n in range(1000)], ACCEPTED),
    ("1,001", [f"x{n}" for n in range(1001)], "22023"),
    ("1,001 times the same", ["s-1"] * 1001, "22023"),
    ("two dimensions", "{{s-1,s-2},{s-1,null}}", ACCEPTED),
    ("six dimensions", "{{{{{{s-1}}}}}}", ACCEPTED),
    ("other bounds", "[-5:-4]={s-1,s-2}", ACCEPTED),
    ("1,001 in two dimensions", "{" + ",".join(["{a}"] * 1001) + "}", "22023"),
    ("an empty text", [""], ACCEPTED),
    ("a megabyte", ["x" * 1_000_000], ACCEPTED),
    ("odd texts", list(ODD_TEXTS.values()), ACCEPTED),
]
PATHS: Values = [
    ("null", None, NULL),
    ("empty", "{}", ACCEPTED),
    ("a null inside", ["$", None], "22004"),
    ("1,000", ["$.n"] * 1000, ACCEPTED),
    ("1,001", ["$.n"] * 1001, "22023"),
    ("two dimensions", '{{"$.n","$.t"},{"$","$.log"}}', ACCEPTED),
    ("two dimensions with a null", '{{"$.n","$.t"},{"$",null}}', "22004"),
    ("other bounds", '[7:8]={"$.n","$"}', ACCEPTED),
    *(
        (f"path {number}: {path}"[:60], ["$.n", path], ACCEPTED if path in _NOT_REFUSED else "22023")
        for number, path in enumerate(_BAD_GUARDS, 1)
        if path not in ("($.a - $.b).abs() > 1", "($.a + 1)[0] == 1")
    ),
    *((f"odd path: {path}"[:60], [path], ACCEPTED) for path in _ODD_GUARDS),
]

_NO_ARRAYS = ["null", "true", "1", '"[]"', "{}", '{"0": {}}', nested(5000, "{}")]
_NO_ITEMS = ["null", "true", "1", '""', "[]", "[{}]", nested(5000, "[]"), "1e131071"]
_ELSEWHERE = {"SM022", "SM040", "SM060", "SM050", "SM012"}  # of another world, as are these two:
_OTHER_LIMITS: list[Any] = [{"n": "x"}, {"long": "x" * 2000}]

_WHOLE = {"zero with an exponent", "minus zero", "minus zero with a fraction", "1,001 zeros after the point"}

ITEMS: Values = [
    ("null", None, NULL),
    *((f"no array: {text[:9]}", text, "22023") for text in _NO_ARRAYS),
    *((f"no item: {text[:9]}", f"[{text}]", "SM021") for text in _NO_ITEMS),
    *(
        (f"item {number}", json.dumps([item("s-2", "a"), bad]), code)
        for number, (code, bad, _) in enumerate(BAD_ITEMS, 1)
        if code not in _ELSEWHERE and not (isinstance(bad, dict) and bad.get("context") in _OTHER_LIMITS)
    ),
    *(
        (f"{key} is {value!r}"[:60], json.dumps([{**item(), key: value}]), "22023")
        for key, (_, values) in WRONG_TYPES.items()
        for value in values
    ),
    *((f"a key: {name}", json.dumps([{**item(), key: 1}]), "22023")
      for name, key in ODD_KEYS.items() if key not in item()),
    *((f"an id: {name}", json.dumps([item(text)]), "SM010") for name, text in ODD_TEXTS.items()),
    *((f"a version of {name}", f'[{{"session_id": "s-1", "state": "a", "context": {{}}, "expected_version": {text}}}]',
       "SM030" if name in _WHOLE else "22023")
      for name, (text, _) in NUMBERS.items()),
    *((f"a context with {name}", f'[{{"session_id": "s-1", "state": "a", "context": {{"x": {text}}}}}]',
       ACCEPTED if holds else "SM021")
      for name, (text, holds) in NUMBERS.items()),
    ("1,001 items", json.dumps([item()] * 1001), "22023"),
    ("500 saves of one session", json.dumps([item()] * 500), ACCEPTED),
    ("the same key twice", '[{"session_id": "nobody", "session_id": "s-1", "state": "a", "context": {}}]', ACCEPTED),
    ("nulls for everything that may be null", json.dumps([{**item(), **dict.fromkeys(
        ("expected_version", "event", "request_id", "turn", "actor", "note"))}]), ACCEPTED),
]  # fmt: skip

_GOOD: dict[str, Any] = {"source": "postgres", "session_id": "x-1", "data": {}}
_NOT_TEXT: list[Any] = [None, 1, True, [], {}, ["x"]]

IMPORTS: Values = [
    ("null", None, NULL),
    *((f"no array: {text[:9]}", text, "22023") for text in _NO_ARRAYS),
    *((f"no item: {text[:9]}", f"[{text}]", "22023") for text in _NO_ITEMS),
    *((f"source {value!r}", json.dumps([{**_GOOD, "source": value}]), "22023")
      for value in [*_NOT_TEXT, "", "é" * 65]),
    *((f"session_id {value!r}", json.dumps([{**_GOOD, "session_id": value}]), "22023") for value in _NOT_TEXT),
    *(
        (f"{key} {value!r}", json.dumps([{**_GOOD, key: value}]), "22023")
        for key in ("problem", "original", "machine")
        for value in _NOT_TEXT
        if value is not None
    ),
    *((f"data {value!r}", json.dumps([{**_GOOD, "data": value}]), ACCEPTED) for value in _NOT_TEXT),
    *((f"data {name}", f'[{{"source": "p", "session_id": "x", "data": {{"x": {text}}}}}]', ACCEPTED)
      for name, (text, _) in NUMBERS.items()),
    *((f"data {levels} deep", f'[{{"source": "p", "session_id": "x", "data": {nested(levels, "[{")}}}]', ACCEPTED)
      for levels in (100, 1000, 5000)),
    *((f"an id: {name}", json.dumps([{**_GOOD, "session_id": text}]), ACCEPTED) for name, text in ODD_TEXTS.items()),
    *((f"a source: {name}", json.dumps([{**_GOOD, "source": text}]), ACCEPTED) for name, text in ODD_TEXTS.items()),
    *((f"a problem: {name}", json.dumps([{**_GOOD, "data": None, "problem": text}]), ACCEPTED)
      for name, text in ODD_TEXTS.items()),
    *((f"an original: {name}", json.dumps([{**_GOOD, "original": text}]), ACCEPTED)
      for name, text in ODD_TEXTS.items()),
    *((f"a machine: {name}", json.dumps([{**_GOOD, "machine": text}]), "SM001") for name, text in ODD_TEXTS.items()),
    *((f"a key: {name}", json.dumps([{**_GOOD, key: 1}]), "22023")
      for name, key in ODD_KEYS.items() if key not in _GOOD),
    ("no data", json.dumps([{"source": "p", "session_id": "x"}]), ACCEPTED),
    ("an empty id", json.dumps([{**_GOOD, "session_id": ""}]), ACCEPTED),
    ("an id too long", json.dumps([{**_GOOD, "session_id": "é" * 257}]), ACCEPTED),
    ("an id of a megabyte", json.dumps([{**_GOOD, "session_id": "é" * 500_000}]), ACCEPTED),
    ("a problem of a megabyte", json.dumps([{**_GOOD, "problem": "é" * 500_000}]), ACCEPTED),
    ("1,001 items", json.dumps([_GOOD] * 1001), "22023"),
    ("1,000 times the same", json.dumps([_GOOD] * 1000), ACCEPTED),
    ("a source just too long", json.dumps([{**_GOOD, "source": "x" * 129}]), "22023"),
    ("a source as long as may be", json.dumps([{**_GOOD, "source": "é" * 64}]), ACCEPTED),
]  # fmt: skip
