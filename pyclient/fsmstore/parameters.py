"""What a parameter of a call may be: only what the wire cannot carry is refused here, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from .errors import InvalidMachine
from .jsonvalues import Codec


@dataclass(frozen=True, slots=True)
class Kind:
    """How one type of parameter is written and checked."""

    sql: str
    convert: Callable[[str, Any, Codec], Any]


def _misused(name: str, problem: str) -> psycopg.Error:
    return psycopg.errors.InvalidParameterValue(f"argument {name} {problem}")


def _text(name: str, value: Any, codec: Codec) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"argument {name} must be str, not {type(value).__name__}")
    if "\0" in value:
        raise _misused(name, "contains the character \\u0000")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _misused(name, "contains a lone surrogate") from None
    return value


def several(name: str, value: Any) -> list[Any]:
    """Return what is to be several texts as a list."""
    if isinstance(value, (str, bytes)):  # each of its characters would be taken for one
        raise TypeError(f"argument {name} must be several str, not {type(value).__name__}")
    return list(value)


def _texts(name: str, value: Any, codec: Codec) -> list[str | None]:
    return [_text(name, element, codec) for element in several(name, value)]


def _integer(bits: int) -> Callable[[str, Any, Codec], int | None]:
    limit = 1 << (bits - 1)

    def convert(name: str, value: Any, codec: Codec) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"argument {name} must be int, not {type(value).__name__}")
        if not -limit <= value < limit:
            raise _misused(name, f"needs more than {bits} bits")
        return value

    return convert


def _boolean(name: str, value: Any, codec: Codec) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"argument {name} must be bool, not {type(value).__name__}")


def seconds(name: str, value: Any) -> float:
    """Return a number of seconds that the database is not told of.

    Raises:
        TypeError: it is no number.
        psycopg.errors.InvalidParameterValue: it is not to be compared with any.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"argument {name} must be seconds, not {type(value).__name__}")
    if math.isnan(value):
        raise _misused(name, "is nan")
    return value


def _uuid(name: str, value: Any, codec: Codec) -> UUID | None:
    if value is None or isinstance(value, UUID):
        return value
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            raise _misused(name, "is not a UUID") from None
    raise TypeError(f"argument {name} must be a UUID, not {type(value).__name__}")


def _json(name: str, value: Any, codec: Codec) -> str | None:
    return None if value is None else codec.encode(value)


def _definition(name: str, value: Any, codec: Codec) -> str | None:
    return None if value is None else codec.encode(value, InvalidMachine)


def _interval(name: str, value: Any, codec: Codec) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"argument {name} must be seconds or a timedelta, not {type(value).__name__}")
    if not math.isfinite(value):
        raise _misused(name, f"is {value}")
    try:
        return timedelta(seconds=value)
    except OverflowError:
        raise _misused(name, "is too long") from None


def _moment(name: str, value: Any, codec: Codec) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise TypeError(f"argument {name} must be datetime, not {type(value).__name__}")
    if value.tzinfo is None:
        raise _misused(name, "has no time zone")
    return value


def _as_it_is(name: str, value: Any, codec: Codec) -> Any:
    return value


TEXT = Kind("text", _text)
TEXTS = Kind("text[]", _texts)
INTEGER = Kind("integer", _integer(32))
BIGINT = Kind("bigint", _integer(64))
UUID_ = Kind("uuid", _uuid)
JSONB = Kind("jsonb", _json)
DEFINITION = Kind("jsonb", _definition)
TIMESTAMP = Kind("timestamptz", _as_it_is)
BOOLEAN = Kind("boolean", _boolean)
INTERVAL = Kind("interval", _interval)
MOMENT = Kind("timestamptz", _moment)
WRITTEN_JSON = Kind("jsonb", _as_it_is)
"""JSON text already."""
