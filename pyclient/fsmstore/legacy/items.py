"""What is handed to the database of one old session: everything that was found, and nothing decided."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from fsmstore import rawjson

from . import plain, unpickle
from .errors import NotPlain

MACHINE = "purchase_item"
"""The machine of the old sessions, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Item:
    """One session as one source has it."""

    source: str
    """postgres or shelve."""
    session_id: str
    data: str | None
    """A JSON object as text; None: what was found cannot be one."""
    problem: str | None
    """Why not, as a code."""
    original: str
    """What was found, for reading it again: a text, or ``base64:`` and bytes."""

    def text(self, machine: str = MACHINE) -> str:
        """Return the item as import_sessions takes it, in JSON.

        Args:
            machine: the machine that the session becomes one of.
        """
        members = {
            "source": rawjson.string(self.source),
            "session_id": rawjson.string(self.session_id),
            "data": "null" if self.data is None else self.data,
            "problem": "null" if self.problem is None else rawjson.string(self.problem),
            "original": rawjson.string(self.original),
            "machine": rawjson.string(machine),
        }
        return f"{{{','.join(f'{rawjson.string(name)}:{value}' for name, value in members.items())}}}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the old table."""

    name: str
    kind: str
    """json, number, boolean or text: how its values are written in JSON."""


_KINDS = {
    **dict.fromkeys(("json", "jsonb"), "json"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(
        ("smallint", "integer", "int", "bigint", "int2", "int4", "int8", "numeric", "decimal", "real", "double",
         "float", "float4", "float8"),
        "number",
    ),
}  # fmt: skip


def kind_of(type_name: str) -> str:
    """Return the kind of a column from its type's name, such as ``jsonb`` or ``character varying``."""
    if type_name.endswith("]"):
        return "text"
    return _KINDS.get(type_name.lower().partition("(")[0].partition(" ")[0], "text")


KNOWN_COLUMNS = (
    Column("session_id", "text"),
    Column("title", "text"),
    Column("created_at", "text"),
    Column("updated_at", "text"),
    Column("message_count", "number"),
    Column("last_user_text", "text"),
    Column("last_user_ts", "text"),
    Column("short_summary", "text"),
    Column("chat_history", "json"),
    Column("session_metadata", "json"),
    Column("has_contract", "boolean"),
)
"""The old table's columns in their order, for a dump that does not tell them."""

_BOOLEANS = {"t": "true", "true": "true", "f": "false", "false": "false"}


def table_item(columns: Sequence[Column], values: Sequence[str | None]) -> Item:
    """Return a row of the table as an item.

    Args:
        columns: as many as there are values, or more.
        values: as PostgreSQL prints them. Bytes that are no characters are lone surrogates in them.
    """
    members, session_id, problem = [], "", None
    for column, value in zip(columns, values, strict=False):
        if column.name == "session_id" and value is not None:
            session_id = value
        written, sound = _written(column.kind, value)
        members.append(f"{rawjson.string(column.name)}:{written}")
        if value is not None and not plain.storable(value):
            problem = problem or ("session_id_not_utf8" if column.name == "session_id" else "text_not_storable")
        elif not sound:
            problem = problem or "not_json_representable"
    row = f"{{{','.join(members)}}}"
    original = row if plain.storable(row) else _base64(row.encode("utf-8", "surrogateescape"))
    return Item("postgres", _printable(session_id), None if problem else row, problem, original)


def _written(kind: str, value: str | None) -> tuple[str, bool]:
    """Write a column's value in JSON, and say whether it is what its column promises."""
    if value is None:
        return "null", True
    if kind == "json":
        return (value, True) if rawjson.is_json(value) else (rawjson.string(value), False)
    if kind == "boolean" and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()], True
    if kind == "number" and rawjson.is_number(value):
        return value, True
    return rawjson.string(value), True  # a text, or a number such as NaN


def shelve_item(key: bytes, pickled: bytes) -> Item:
    """Return an entry of a shelf as an item."""
    original = _base64(pickled)
    session_id = key.decode("utf-8", "backslashreplace")
    data, problem = None, None
    try:
        key.decode()
        if "\0" in session_id:
            raise NotPlain("text_not_storable")
        data = _dictionary(pickled)
    except UnicodeDecodeError:
        problem = "session_id_not_utf8"
    except NotPlain as found:
        problem = found.problem
    return Item("shelve", _printable(session_id), data, problem, original)


def _dictionary(pickled: bytes) -> str:
    value = unpickle.load(pickled)
    if type(value) is dict:
        return plain.json_text(value)
    if type(value) is list:
        try:
            plain.json_text(value)
        except NotPlain as found:
            if found.problem == "nesting_too_deep":  # which is what hides whatever else it may be
                raise
    raise NotPlain("shelve_value_not_dict")


def _printable(session_id: str) -> str:
    """Return an id that can be stored: what is no character is written as a backslash, x and two digits."""
    as_bytes = session_id.encode("utf-8", "surrogateescape")
    return as_bytes.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def _base64(content: bytes) -> str:
    return f"base64:{base64.b64encode(content).decode()}"
