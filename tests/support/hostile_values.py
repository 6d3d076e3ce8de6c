"""Bad and odd values by type of argument, each with a name and with what comes of it.

What comes of a value is a SQLSTATE, ACCEPTED, or one of two that only the argument knows: UNKNOWN is what the function
says of something that does not exist, NULL is what it says of null.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from support.hostile import ACCEPTED

UNKNOWN = "unknown"
NULL = "null"

Values = list[tuple[str, Any, str]]
"""Name, value, what comes of it."""

ODD_TEXTS = {
    "quote": "'",
    "double quote": '"',
    "backslash": "\\",
    "escape string": "E'\\x27'",
    "SQL injection": "s-1'; drop table fsm_internal.sessions; --",
    "SQL injection with an identifier": 's-1"; drop schema fsm cascade; --',
    "dollar quotes": "$$ or true $$",
    "comment": "/*",
    "format placeholders": "%s %I %L %1$s %",
    "printf": "%n%n%x",
    "placeholder of a driver": "%(x)s $1 :x ?",
    "jsonpath": "$.x",
    "jsonpath root": "$",
    "jsonpath that walks": "$.**",
    "like pattern": "s_1%",
    "regular expression": "^(a+)+$",
    "template": "${jndi:ldap://x}{{7*7}}",
    "markup": "<script>alert(1)</script>",
    "path": "../../etc/passwd",
    "an empty object": "{}",
    "JSON null": "null",
    "an array literal": "{a,NULL}",
    "NaN": "NaN",
    "infinity": "-Infinity",
    "zero": "0",
    "a huge number": "1e400",
    "true": "true",
    "a key of ours": "current_state",
    "another key of ours": "session_id",
    "a prototype": "__proto__",
    "a table of ours": "fsm_internal.sessions",
    "a function": "pg_sleep(9)",
    "a space": " ",
    "a known name with a space": "s-1 ",
    "a known name in capitals": "S-1",
    "a line end": "s-1\n",
    "a carriage return": "\r",
    "a tab": "\t",
    "control characters": "\x01\x02\x1b[31m\x7f",
    "C1 control": "\x85\x9b",
    "right to left": "\u202etxt.exe",
    "combining": "e\u0301\u0327\u20dd",
    "decomposed name": "s\u20111",
    "full width": "\uff53\uff0d\uff11",
    "zero width": "s\u200b-1",
    "byte order mark": "\ufeffs-1",
    "line separator": "\u2028",
    "emoji family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "not a character": "\uffff\ufffe",
    "the last code point": "\U0010ffff",
    "Turkish dotless i": "\u0131\u0130",
}


FEW_ODD_TEXTS = {
    name: ODD_TEXTS[name]
    for name in (
        "SQL injection", "backslash", "format placeholders", "jsonpath", "a space", "control characters", "combining",
        "the last code point",
    )
}  # fmt: skip


def names(limit: int, odd: dict[str, str] = ODD_TEXTS) -> Values:
    """Texts of 1 to `limit` bytes."""
    return [
        ("null", None, NULL),
        ("empty", "", "22023"),
        ("one byte too long", "x" * (limit + 1), "22023"),
        ("one byte too long in two-byte characters", "é" * (limit // 2) + "x", "22023"),
        ("a three-byte character across the limit", "x" * (limit - 2) + "€", "22023"),
        ("a four-byte character across the limit", "x" * (limit - 3) + "💡", "22023"),
        ("100,000 bytes", "x" * 100_000, "22023"),
        ("as long as may be", "x" * limit, UNKNOWN),
        ("one byte less", "x" * (limit - 1), UNKNOWN),
        ("as long as may be in two-byte characters", "é" * (limit // 2), UNKNOWN),
        ("as long as may be in four-byte characters", "💡" * (limit // 4), UNKNOWN),
        *((name, text, UNKNOWN) for name, text in odd.items()),
    ]


def claims(limit: int, odd: dict[str, str] = FEW_ODD_TEXTS) -> Values:
    """Texts of at most `limit` bytes that are only kept."""
    return [
        (name, value, ACCEPTED if came == UNKNOWN or name == "empty" else came)
        for name, value, came in names(limit, odd)
    ]


FREE_TEXT: Values = [
    *(
        (name, value, UNKNOWN if value else NULL if value is None else "empty")
        for name, value, _ in names(512, FEW_ODD_TEXTS)
    ),
    ("a megabyte", "é" * 500_000, UNKNOWN),
]
"""Texts of any length."""

BIGINTS: Values = [
    ("null", None, NULL),
    ("zero", 0, UNKNOWN),
    ("minus one", -1, UNKNOWN),
    ("beyond 32 bits", 2**31, UNKNOWN),
    ("the largest", 2**63 - 1, UNKNOWN),
    ("the smallest", -(2**63), UNKNOWN),
]
INTEGERS: Values = [(name, value and max(-(2**31), min(value, 2**31 - 1)), came) for name, value, came in BIGINTS]
LIMITS: Values = [
    ("null", None, NULL),
    ("zero", 0, "22023"),
    ("minus one", -1, "22023"),
    ("the smallest", -(2**31), "22023"),
    ("one", 1, ACCEPTED),
    ("the largest", 2**31 - 1, ACCEPTED),
]
BOOLEANS: Values = [("null", None, NULL), ("true", True, ACCEPTED), ("false", False, ACCEPTED)]
UUIDS: Values = [
    ("null", None, NULL),
    ("nil", "0" * 32, UNKNOWN),
    ("all ones", "f" * 32, UNKNOWN),
    ("in braces", "{00000000-0000-0000-0000-00000000000A}", UNKNOWN),
]
_NEVER = ["-1 microsecond", "1 day -25 hours", "-1 month", "200 years", "178000000 years", "-178000000 years"]
LEASES: Values = [
    ("null", None, NULL),
    ("nothing", "0", "22023"),
    ("nothing out of two parts", "1 day -24 hours", "22023"),
    ("too long by a microsecond", "1 hour 1 microsecond", "22023"),
    ("a month", "1 month", "22023"),
    *((text, text, "22023") for text in _NEVER),
    ("the shortest", "1 microsecond", ACCEPTED),
    ("the longest", "1 hour", ACCEPTED),
    ("the longest out of two parts", "1 day -23 hours", ACCEPTED),
]
AGES: Values = [
    ("null", None, NULL),
    *((text, text, "22023") for text in _NEVER),
    ("nothing", "0", ACCEPTED),
    ("a century of 360 days", "99 years", ACCEPTED),
    ("months against days", "1 month -29 days", ACCEPTED),
]
TIMES: Values = [
    ("null", None, NULL),
    ("minus infinity", "-infinity", ACCEPTED),
    ("infinity", "infinity", ACCEPTED),
    ("the first", "4713-11-24 00:00:00 BC UTC", ACCEPTED),
    ("the last", "294276-12-31 23:59:59.999999 UTC", ACCEPTED),
    ("a leap second", "2016-12-31 23:59:60 UTC", ACCEPTED),
    ("the epoch", "epoch", ACCEPTED),
]
FORMATS: Values = [
    ("null", None, NULL),
    *(
        (f"format {text!r}"[:40], text, "22023")
        for text in ("", "MERMAID", "mermaid ", "svg", "dot\n", "%s", "x" * 9999)
    ),
    ("dot", "dot", ACCEPTED),
]
CURSORS: Values = [
    ("null", None, NULL),
    *(
        (f"cursor {text!r}"[:40], text, "22023")
        for text in (
            "", ":", "::", ":::", "1", "1:", "1:2", "1:2:", "1::s", ":2:s", "-1:2:s", "+1:2:s", "1:+2:s", "1:2.5:s",
            " 1:2:s", "1 :2:s", "1:2e3:s", "0x1:2:s", "1_0:2:s", "NaN:2:s", "1:NaN:s", "Infinity:1:s", "1:infinity:s",
            "9223372036854775808:1:s", "9999999999999999999:1:s", "1:20000000000000001:s", "1:-20000000000000001:s",
            "1:999999999999999999:s", "\u0661:1:s", "\uff11:1:s", "1:2\n:s", "\n1:2:s", "1;2;s", "%s:%s:%s", "x" * 9999,
        )
    ),
    ("the highest position", "8999999999999999999:20000000000000000:s", ACCEPTED),
    ("the lowest position", "0:-20000000000000000:s", ACCEPTED),
    ("leading zeros", "000000000000000001:00000000000000002:s", ACCEPTED),
    ("a session with colons and lines", "1:2:a:b\n:c", ACCEPTED),
    ("a session of a megabyte", "1:2:" + "x" * 1_000_000, ACCEPTED),
]  # fmt: skip


def nested(levels: int, brackets: str) -> str:
    """Return so many arrays or objects in each other, as JSON text."""
    if brackets == "[]":
        return "[" * levels + "]" * levels
    if brackets == "{}":
        return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)
    return '[{"a":' * (levels // 2) + ("[]" if levels % 2 else "1") + "}]" * (levels // 2)


def too_deep(most: int) -> Iterator[tuple[str, str, bool]]:
    """Yield name, JSON text and whether it is too deep, about a limit of so many levels."""
    for brackets, word in (("[]", "arrays"), ("{}", "objects"), ("[{", "both in turn")):
        for levels in (most, most + 1, 1000, 5000):
            yield f"{levels} levels of {word}", nested(levels, brackets), levels > most


NUMBERS = {
    "1,000 digits": ("9" * 1000, True),
    "1,001 digits": ("9" * 1001, False),
    "minus 1,001 digits": ("-" + "9" * 1001, False),
    "1,000 digits after the point": ("0." + "3" * 1000, True),
    "1,001 digits after the point": ("0." + "3" * 1001, False),
    "1,001 zeros after the point": ("1." + "0" * 1001, False),
    "1e999": ("1e999", True),
    "1e1000": ("1e1000", False),
    "-1E+1000": ("-1E+1000", False),
    "1e-1000": ("1e-1000", True),
    "1e-1001": ("1e-1001", False),
    "131,072 digits": ("1" * 131_072, False),
    "1e131071": ("1e131071", False),
    "1e-16383": ("1e-16383", False),
    "zero with an exponent": ("0e999999", True),
    "minus zero": ("-0", True),
    "minus zero with a fraction": ("-0.0e-0", True),
    "2 to the power of 64": ("18446744073709551616", True),
    "a denormal": ("4.9e-324", True),
    "beyond a double": ("1.8e308", True),
}
"""JSON texts of numbers, and whether a context may hold them."""

ODD_KEYS = {
    **ODD_TEXTS,
    "an empty key": "",
    "a long key": "k" * 5000,
    "a key of 100 four-byte characters": "💡" * 100,
    "a key that is a number": "0",
    "to string": "toString",
}

ODD_JSON_TEXTS = {
    "the same key twice": '{"a": 1, "a": [2]}',
    "white space everywhere": '\n\t { "a"\r:\n[ ] }  ',
    "an escaped quote": '{"a": "\\"\\\\\\/\\b\\f\\n\\r\\t"}',
    "an escaped emoji": '{"\\ud83d\\ude00": "\\ud83d\\ude00"}',
    "escaped control characters": '{"\\u0001": "\\u001f\\u007f"}',
    "a key of ours deeper": '{"a": {"current_state": "x", "session_id": 5}}',
    "a key nearly ours": '{"Current_state": "x", "session_id ": 5, "current_state\\u200b": 1}',
    "texts like numbers": '{"a": "NaN", "b": "-Infinity", "c": "1e999", "d": "null"}',
    "2,000 keys": "{" + ",".join(f'"k{n}": {n}' for n in range(2000)) + "}",
    "an array of 20,000 zeros": '{"a": [' + ",".join("0" * 20_000) + "]}",
    "99 empty arrays beside each other": '{"a": [' + ",".join(["[]"] * 99) + "]}",
}
"""JSON objects that are right."""
