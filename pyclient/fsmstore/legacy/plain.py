"""Plain values as JSON text, however they refer to each other, without recursion."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from .errors import NotPlain

MAX_DEPTH = 1000
"""Containers inside each other. The database draws its own line, and a lower one; beyond this nothing can be sent."""
# What is in several places is written in each of them. jsonb ends at 256 MB, so more could never be stored.
MAX_CHARACTERS = 1 << 26
# jsonb holds 131,072 digits before the point.
_INT_LIMIT = 10**131072


def json_text(value: Any) -> str:
    """Return the JSON text of a plain value.

    Raises:
        NotPlain: with the first problem that is found.
    """
    parts: list[str] = []
    size = 0
    walks: list[tuple[Iterator[tuple[str, Any]], str, int]] = [(iter([("", value)]), "", 0)]
    inside: set[int] = set()
    while walks:
        members, closing, identity = walks[-1]
        for before, member in members:
            parts.append(before)
            size += len(before)
            if type(member) is dict or type(member) is list:
                if id(member) in inside:
                    raise NotPlain("not_json_representable")  # it contains itself
                if len(walks) > MAX_DEPTH:
                    raise NotPlain("nesting_too_deep")
                inside.add(id(member))
                opening, shut = "{}" if type(member) is dict else "[]"
                parts.append(opening)
                walks.append((_members(member), shut, id(member)))
                break
            parts.append(_scalar(member))
            size += len(parts[-1]) + 1
            if size > MAX_CHARACTERS:
                raise NotPlain("not_json_representable")
        else:
            parts.append(closing)
            inside.discard(identity)
            walks.pop()
            size += 2
            if size > MAX_CHARACTERS:
                raise NotPlain("not_json_representable")
    return "".join(parts)


def _members(container: Any) -> Iterator[tuple[str, Any]]:
    if type(container) is list:
        for index, member in enumerate(container):
            yield "," if index else "", member
        return
    for index, (key, member) in enumerate(container.items()):
        if type(key) is not str:
            raise NotPlain("not_json_representable")
        yield f"{',' if index else ''}{_string(key)}:", member


def _scalar(value: Any) -> str:
    if type(value) is str:
        return _string(value)
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        if not -_INT_LIMIT < value < _INT_LIMIT:
            raise NotPlain("number_out_of_range")
        return format(Decimal(value), "f")  # str() ends at 4,300 digits
    if type(value) is float:
        if not math.isfinite(value):
            raise NotPlain("number_not_finite")
        # With a fraction and without an exponent, so that it stays a float; jsonb has no -0.0.
        text = format(Decimal(repr(value or 0.0)), "f")
        return text if "." in text else f"{text}.0"
    raise NotPlain("not_json_representable")


def _string(text: str) -> str:
    if not storable(text):
        raise NotPlain("text_not_storable")
    return json.dumps(text, ensure_ascii=False)


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text: not with a NUL, nor with a lone surrogate."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
