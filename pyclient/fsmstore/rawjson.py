"""JSON that is checked and cut without being read into values.

The old table holds numbers of thousands of digits and a thousand levels, which Python's own reader refuses. They go
to the database as they are; but a text is only put into another one when it is one whole JSON value, or it could
bring members of its own along.
"""

from __future__ import annotations

import json
import re

_STRING = r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"'
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_TOKEN = re.compile(rf"[ \t\n\r]*(?:(?P<string>{_STRING})|(?P<atom>{_NUMBER}|true|false|null)|(?P<mark>[][{{}},:]))")
_REST = re.compile(r"[ \t\n\r]*\Z")
_NUMBER_ALONE = re.compile(rf"{_NUMBER}\Z")


def string(text: str) -> str:
    """Write a text as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def is_number(text: str) -> bool:
    """Tell whether a text is a number as JSON writes it."""
    return _NUMBER_ALONE.match(text) is not None


def is_json(text: str) -> bool:
    """Tell whether a text is one JSON value, however deep and however long its numbers are."""
    try:
        # Several times faster than the scan below. Numbers are not looked at: Python limits their length.
        json.loads(text, parse_int=len, parse_float=len, parse_constant=_refuse)
    except RecursionError:
        return _scan(text) is not None
    except ValueError:
        return False
    return True


def members(text: str) -> dict[str, str] | None:
    """Return the members of a JSON object as raw texts; None: it is no JSON object."""
    return _scan(text) if text.lstrip(" \t\n\r").startswith("{") else None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _scan(text: str) -> dict[str, str] | None:
    """Walk over one JSON value; return the members of an object, nothing of another value, None if it is no JSON."""
    found: dict[str, str] = {}
    open_: list[str] = []  # the closing marks that are due
    key, begun, at = "", 0, 0
    expected = "value"
    while expected != "end":
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        at = token.end()
        mark = token["mark"]
        if expected in ("key", "key or }"):
            if token["string"] is not None:
                expected = "colon"
                key = token["string"] if len(open_) == 1 else key
                continue
            if mark != "}" or expected == "key":
                return None
        elif expected == "colon":
            if mark != ":":
                return None
            expected = "value"
            begun = at if len(open_) == 1 else begun
            continue
        elif expected in ("value", "value or ]"):
            if mark == "{" or mark == "[":
                open_.append("}" if mark == "{" else "]")
                expected = "key or }" if mark == "{" else "value or ]"
                continue
            if mark is not None and (mark != "]" or expected == "value"):
                return None
        elif mark == ",":
            expected = "key" if open_[-1] == "}" else "value"
            continue
        elif mark != open_[-1]:
            return None
        # A value has ended: this token, or the object or array that it closes.
        if mark is not None:
            open_.pop()
        expected = "comma or close" if open_ else "end"
        if open_ == ["}"]:
            found[json.loads(key)] = text[begun:at].strip(" \t\n\r")
    return found if _REST.match(text, at) else None
