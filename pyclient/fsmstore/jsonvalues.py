"""JSON that comes back as it was sent, type for type, or is refused before it is sent.

jsonb keeps a number's digits and its scale, but not an exponent and no sign on zero. So a float goes out in
positional notation with a fraction (``1e16`` as ``10000000000000000.0``, which comes back a float), and what JSON or
jsonb cannot hold is refused with the path of the place. Only the types that JSON has are taken: a tuple, an
enumeration or a defaultdict would come back as something else.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from .errors import FsmError, InvalidContext

MAX_DEPTH = 100
"""Containers inside each other, the outermost included."""
MAX_DIGITS = 1000
"""Digits of a number on either side of the point."""
# jsonb ends at 268,435,455 bytes and spends four on every element, so more can never be stored. Without this a
# small structure that shares its parts (a list of the same list twice, a few dozen levels deep) would never end.
MAX_ELEMENTS = 1 << 26

_INT_LIMIT = 10**MAX_DIGITS
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\Z")


class Codec:
    """Encodes and decodes contexts.

    Args:
        decimals: take ``decimal.Decimal`` and load every number with a fraction as one, exactly. Otherwise a Decimal
            is refused, and numbers with a fraction load as the nearest float.
    """

    __slots__ = ("decimals",)

    def __init__(self, *, decimals: bool = False) -> None:
        self.decimals = decimals

    def encode(self, value: Any, refusal: type[FsmError] = InvalidContext) -> str:
        """Return the JSON text of `value`, exact for jsonb.

        Raises:
            InvalidContext: (or `refusal`) for anything that would not come back as it is: NaN and infinity, \\u0000,
                lone surrogates, keys that are not str, sets, datetimes, tuples and every other type that JSON lacks,
                more than 100 levels, numbers of more than 1,000 digits on either side of the point. `path` in its
                detail names the place.
        """
        parts: list[str] = []
        try:
            self._write(value, parts, [])
        except _Refused as refused:
            finding = {"code": refused.code, "path": jsonpath(refused.path), "message": refused.problem}
            raise refusal(
                "the value cannot be stored as JSON",
                detail={"code": finding["code"], "path": finding["path"], "findings": [finding]},
                hint=refused.hint,
            ) from None
        return "".join(parts)

    def decode(self, text: str) -> Any:
        """Return the value of a JSON text from the database; every call builds a new one.

        Raises:
            InvalidContext: a number with a fraction lies outside the range of a float and `decimals` is off.
        """
        return json.loads(text, parse_float=Decimal if self.decimals else _float)

    def _write(self, value: Any, parts: list[str], path: list[str | int]) -> None:
        kind = type(value)
        if kind is str:
            parts.append(_string(value, path))
        elif value is None:
            parts.append("null")
        elif kind is bool:
            parts.append("true" if value else "false")
        elif kind is int:
            if not -_INT_LIMIT < value < _INT_LIMIT:
                raise _too_long(path)
            parts.append(str(value))
        elif kind is float:
            parts.append(_positional(value, path))
        elif kind is dict:
            self._write_object(value, parts, path)
        elif kind is list:
            self._write_array(value, parts, path)
        elif kind is Decimal and self.decimals:
            parts.append(_decimal(value, path))
        elif kind is Decimal:
            raise _Refused(path, "a Decimal", "Open the store with decimals=True, or convert it.")
        else:
            raise _Refused(path, f"a value of type {kind.__name__}", "Convert it to a type that JSON has.")

    def _write_object(self, value: dict[Any, Any], parts: list[str], path: list[str | int]) -> None:
        _enter(value, parts, path)
        separator = "{"
        for key, member in value.items():
            if type(key) is not str:
                raise _Refused(path, f"a key of type {type(key).__name__}", "The keys of a JSON object are strings.")
            parts.append(separator + _string(key, path) + ":")
            path.append(key)
            self._write(member, parts, path)
            path.pop()
            separator = ","
        parts.append("}" if value else "{}")

    def _write_array(self, value: list[Any], parts: list[str], path: list[str | int]) -> None:
        _enter(value, parts, path)
        separator = "["
        for index, member in enumerate(value):
            parts.append(separator)
            path.append(index)
            self._write(member, parts, path)
            path.pop()
            separator = ","
        parts.append("]" if value else "[]")


class _Refused(Exception):  # never leaves this module
    def __init__(self, path: list[str | int], problem: str, hint: str, code: str = "not_json") -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
        self.hint = hint
        self.code = code


def _too_long(path: list[str | int]) -> _Refused:
    return _Refused(
        path, f"a number of more than {MAX_DIGITS} digits before or after the point", "Round it.", "number_too_long"
    )


def _enter(value: Any, parts: list[str], path: list[str | int]) -> None:
    if len(path) >= MAX_DEPTH:
        raise _Refused(
            path,
            f"more than {MAX_DEPTH} objects and arrays in each other, or one that contains itself",
            "Flatten it.",
            "too_deep",
        )
    if len(parts) + len(value) > MAX_ELEMENTS:
        raise _Refused(path, f"more than {MAX_ELEMENTS} elements", "Store less of it.", "too_large")


def _string(value: str, path: list[str | int]) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Refused(path, "a string with a lone surrogate", "It is not text; send bytes as base64.") from None
    if "\0" in value:
        raise _Refused(path, "a string with the character \\u0000", "PostgreSQL's text cannot hold it.")
    return str(encode_basestring(value))


def _positional(value: float, path: list[str | int]) -> str:
    if not math.isfinite(value):
        raise _Refused(path, f"the number {value}", "JSON has neither NaN nor infinity; null may be meant.")
    text = repr(value or 0.0)  # jsonb has no -0.0
    if "e" in text:
        text = format(Decimal(text), "f")
    return text if "." in text else text + ".0"


def _decimal(value: Decimal, path: list[str | int]) -> str:
    if not value.is_finite():
        raise _Refused(path, f"the number {value}", "JSON has neither NaN nor infinity; null may be meant.")
    exponent = value.as_tuple().exponent
    # is_finite() leaves integers only. Measured before it is written out: 1E+999999 would be a megabyte.
    assert isinstance(exponent, int)
    if value.adjusted() >= MAX_DIGITS or -exponent > MAX_DIGITS or exponent >= MAX_DIGITS:
        raise _too_long(path)
    text = format(value if value else value.copy_abs(), "f")
    return text if "." in text else text + ".0"


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise InvalidContext(
            "a stored number lies outside the range of a float",
            detail={"digits": len(text)},
            hint="Open the store with decimals=True.",
        )
    return value


def jsonpath(path: list[str | int]) -> str:
    """Write a path of keys and indexes as a jsonpath, such as ``$.items[3].price``."""
    steps = ["$"]
    for step in path:
        if isinstance(step, int):
            steps.append(f"[{step}]")
        elif _PLAIN_KEY.match(step):
            steps.append(f".{step}")
        else:
            steps.append(f".{json.dumps(step)}")
    return "".join(steps)


def copy_json(value: Any) -> Any:
    """Return a deep copy of the objects and arrays in `value`; anything else stands for itself.

    What could never be stored (a value that contains itself, too many levels) is left for encode() to refuse.
    """
    return _copy(value, {}, 0)


def _copy(value: Any, made: dict[int, Any], depth: int) -> Any:
    kind = type(value)
    if (kind is not dict and kind is not list) or depth > MAX_DEPTH:
        return value
    if id(value) in made:
        return made[id(value)]
    if kind is list:
        copied: Any = [_copy(member, made, depth + 1) for member in value]
    else:
        copied = {key: _copy(member, made, depth + 1) for key, member in value.items()}
    made[id(value)] = copied
    return copied
