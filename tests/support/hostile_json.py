"""Bad and odd JSON for arguments that take JSON: contexts, patches, appends, notes, state maps."""

from __future__ import annotations

import json

from support.hostile import ACCEPTED
from support.hostile_values import NULL, NUMBERS, ODD_JSON_TEXTS, ODD_KEYS, Values, nested, too_deep

_NO_OBJECTS = {
    "JSON null": "null",
    "true": "true",
    "a number": "0",
    "a string": '"x"',
    "a string that looks like an object": '"{}"',
    "an empty array": "[]",
    "an array of objects": "[{}]",
    "an array nested 5,000 deep": nested(5000, "[]"),
}
_NOT_STATES = ["A", "a ", "nowhere", "", 1, True, [], ["a"], {}, {"a": "a"}]


def _verdict(holds: bool, refusal: str) -> str:
    return ACCEPTED if holds else refusal


def _objects(null: str) -> Values:
    """What is the same for whole contexts and for patches of them."""
    return [
        ("null", None, null),
        *((name, text, "SM021") for name, text in _NO_OBJECTS.items()),
        *((name, f'{{"x": {text}}}', _verdict(not deep, "SM021")) for name, text, deep in too_deep(99)),
        *((name, f'{{"x": {text}}}', _verdict(holds, "SM021")) for name, (text, holds) in NUMBERS.items()),
        *(
            (f"{name}, deep inside", f'{{"x": [[{{"y": {text}}}]]}}', _verdict(holds, "SM021"))
            for name, (text, holds) in NUMBERS.items()
        ),
        *(
            (f"a key: {name}", json.dumps({key: {key: [key]}}), ACCEPTED)
            for name, key in ODD_KEYS.items()
            if key not in ("current_state", "session_id")
        ),
        *((name, text, ACCEPTED) for name, text in ODD_JSON_TEXTS.items()),
        *(
            (f"{key} {value!r}", json.dumps({key: value}), "SM021")
            for key in ("current_state", "session_id")
            for value in _NOT_STATES
        ),
        ("a text that the schema refuses", '{"t": "A"}', "SM021"),
        ("a number where the schema wants text", '{"t": 1}', "SM021"),
        ("a text with a line end for a pattern", '{"t": "a\\n"}', "SM021"),
        ("too large in one text", json.dumps({"x": "x" * 200_000}), "SM021"),
        ("too large in two-byte characters", json.dumps({"x": "é" * 100_000}, ensure_ascii=False), "SM021"),
        ("too large in many numbers", f'{{"x": [{",".join(["1e999"] * 300)}]}}', "SM021"),
    ]


CONTEXTS: Values = [
    *_objects(NULL),
    ("as large as may be", json.dumps({"x": "x" * (200_000 - 9)}), ACCEPTED),
    ("as large as may be in two-byte characters", f'{{"x": "{"é" * 99_995}x"}}', ACCEPTED),
    ("one byte too large", json.dumps({"x": "x" * (200_000 - 8)}), "SM021"),
    ("JSON null for a key of the schema", '{"t": null}', "SM021"),
    ("JSON null for the state", '{"current_state": null}', "SM021"),
    ("JSON null for the id", '{"session_id": null}', "SM021"),
]
PATCHES: Values = [
    *_objects(ACCEPTED),
    ("a null", '{"x": null}', ACCEPTED),
    ("a null for the state", '{"current_state": null}', ACCEPTED),
    ("a null for the id", '{"session_id": null}', ACCEPTED),
    ("a null for a key that is there", '{"n": null}', ACCEPTED),
    ("nulls nested", '{"o": {"k": null, "l": {"m": null}}}', ACCEPTED),
    ("nulls in an array", '{"x": [null, {"y": null}]}', ACCEPTED),
    ("an object over an array", '{"log": {"0": 1}}', ACCEPTED),
    ("removes what is required to be text", '{"t": null}', ACCEPTED),
    ("100,000 nulls", "{" + ",".join(f'"k{n}": null' for n in range(100_000)) + "}", ACCEPTED),
]
APPENDS: Values = [
    ("null", None, ACCEPTED),
    *((name, text, "SM021") for name, text in _NO_OBJECTS.items()),
    *((f"to log: {name}", f'{{"log": {text}}}', "SM021") for name, text in _NO_OBJECTS.items() if text[0] != "["),
    *((f"to log: {name}", f'{{"log": [{text}]}}', _verdict(not deep, "SM021")) for name, text, deep in too_deep(98)),
    *((f"to log: {name}", f'{{"log": [{text}]}}', _verdict(holds, "SM021")) for name, (text, holds) in NUMBERS.items()),
    *(
        (f"to a new key: {name}", json.dumps({key: [key]}), ACCEPTED)
        for name, key in ODD_KEYS.items()
        if key not in ("current_state", "session_id")
    ),
    ("to a number", '{"n": [1]}', "SM021"),
    ("to an object", '{"o": [1]}', "SM021"),
    ("to a text", '{"t": ["x"]}', "SM021"),
    ("to the state", '{"current_state": []}', "SM021"),
    ("to the id", '{"session_id": []}', "SM021"),
    ("one good and one bad", '{"log": [1], "n": [1]}', "SM021"),
    ("nothing", '{"log": []}', ACCEPTED),
    ("to many new keys", "{" + ",".join(f'"k{n}": [{n}]' for n in range(500)) + "}", ACCEPTED),
    ("too much", json.dumps({"log": ["x" * 200_000]}), "SM021"),
]
NOTES: Values = [
    ("null", None, ACCEPTED),
    *((name, text, ACCEPTED) for name, text in _NO_OBJECTS.items() if "5,000" not in name),
    *((name, text, _verdict(not deep, "22023")) for name, text, deep in too_deep(99)),
    *((name, text, _verdict(holds, "22023")) for name, (text, holds) in NUMBERS.items()),
    *((f"a key: {name}", json.dumps({key: key}), ACCEPTED) for name, key in ODD_KEYS.items()),
    ("as large as may be", f'"{"é" * 32_767}"', ACCEPTED),
    ("one byte too large", f'"{"é" * 32_767}x"', "22023"),
    ("large by its numbers", f"[{','.join(['1e999'] * 70)}]", "22023"),
]
STATE_MAPS: Values = [
    ("null", None, ACCEPTED),
    *((name, text, "SM021") for name, text in _NO_OBJECTS.items()),
    *((f"from {name}", json.dumps({text: "a"}), "22023") for name, text in ODD_KEYS.items()),
    *((f"to {name}", json.dumps({"a": text}), "22023") for name, text in ODD_KEYS.items()),
    *(
        (f"to {value}", f'{{"a": {value}}}', "22023")
        for value in ("null", "1", "[]", "{}", '["a"]', nested(5000, "[]"))
    ),
    ("to itself and another", '{"a": "a", "b": "a"}', ACCEPTED),
]
UPGRADE_PATCHES: Values = [
    (name, text, came)
    for name, text, came in PATCHES
    # What a patch makes of a session is a row of the report; only its form is refused.
    if text is None or name in _NO_OBJECTS or "session_id" in text or "current_state" in text or "levels" in name
]
