"""What is handed to the database of a row and of a shelf's entry."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import pytest

from fsmstore.legacy.items import KNOWN_COLUMNS, Column, Item, kind_of, shelve_item, table_item

NAMES = [column.name for column in KNOWN_COLUMNS]


def row(**values: str | None) -> Item:
    return table_item(KNOWN_COLUMNS, [values.get(name) for name in NAMES])


def unpacked(original: str) -> bytes:
    assert original.startswith("base64:")
    return base64.b64decode(original.removeprefix("base64:"))


def test_a_row_is_an_object_of_its_columns() -> None:
    item = row(
        session_id="O'Hara \"x\"", created_at="infinity", updated_at="0044-03-15 12:00:00 BC", message_count="2",
        chat_history='[ {"n": 1e5000} ]', session_metadata="{}", has_contract="t", title="",
    )  # fmt: skip
    assert (item.source, item.session_id, item.problem) == ("postgres", 'O\'Hara "x"', None)
    assert item.data == item.original
    assert item.data == (
        '{"session_id":"O\'Hara \\"x\\"","title":"","created_at":"infinity","updated_at":"0044-03-15 12:00:00 BC",'
        '"message_count":2,"last_user_text":null,"last_user_ts":null,"short_summary":null,'
        '"chat_history":[ {"n": 1e5000} ],"session_metadata":{},"has_contract":true}'
    )


def test_an_item_is_written_around_its_data() -> None:
    deep = "[" * 3000 + "]" * 3000
    text = row(session_id="s", session_metadata=deep).text("m")
    assert deep in text
    whole = json.loads(row(session_id="s").text("m"))
    assert list(whole) == ["source", "session_id", "data", "problem", "original", "machine"]
    assert (whole["machine"], whole["problem"], whole["data"]["session_id"]) == ("m", None, "s")
    assert json.loads(whole["original"]) == whole["data"]
    assert json.loads(row(session_id="s").text())["machine"] == "purchase_item"


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("json", None, None), ("json", "null", None), ("json", ' {"a":1}', {"a": 1}),
        ("number", "-3", -3), ("number", "1.50", 1.5), ("number", "NaN", "NaN"), ("number", "1_0", "1_0"),
        ("boolean", "f", False), ("boolean", "true", True), ("boolean", "maybe", "maybe"),
        ("text", "3", "3"), ("text", "ü\t\x01\u2028", "ü\t\x01\u2028"), ("text", "null", "null"),
    ],
)  # fmt: skip
def test_values_are_written_by_the_kind_of_their_column(kind: str, value: str | None, written: Any) -> None:
    item = table_item([Column("session_id", "text"), Column("x", kind)], ["s", value])
    assert item.problem is None
    assert json.loads(str(item.data)) == {"session_id": "s", "x": written}


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("jsonb", "json"), ("json", "json"), ("json[]", "text"), ("integer", "number"), ("bigint", "number"),
        ("numeric(10,2)", "number"), ("double precision", "number"), ("boolean", "boolean"), ("INTEGER", "number"),
        ("character varying(64)", "text"), ("timestamp without time zone", "text"), ("interval", "text"),
    ],
)  # fmt: skip
def test_the_kind_of_a_type(type_name: str, kind: str) -> None:
    assert kind_of(type_name) == kind


def test_what_is_no_json_where_json_is_promised() -> None:
    item = row(session_id="s", chat_history='[], "session_id": "other"')
    assert (item.data, item.problem) == (None, "not_json_representable")
    assert json.loads(item.original)["chat_history"] == '[], "session_id": "other"'


def test_a_nul_or_bytes_that_are_no_characters() -> None:
    item = row(session_id="s", title="a\0b")
    assert (item.data, item.problem) == (None, "text_not_storable")
    assert json.loads(item.original)["title"] == "a\0b"
    item = row(session_id="s", title="caf\udce9")
    assert (item.data, item.problem) == (None, "text_not_storable")
    assert b'"title":"caf\xe9"' in unpacked(item.original)
    item = row(session_id="caf\udce9", title="\0")
    assert (item.session_id, item.data, item.problem) == ("caf\\xe9", None, "session_id_not_utf8")
    assert row().session_id == ""
    assert row(session_id="a\0b").session_id == "a\\x00b"


def test_an_entry_of_a_shelf() -> None:
    pickled = pickle.dumps({"chat_history": [], "ü": 1.0})
    item = shelve_item("ü".encode(), pickled)
    assert (item.source, item.session_id, item.data, item.problem) == (
        "shelve", "ü", '{"chat_history":[],"ü":1.0}', None,
    )  # fmt: skip
    assert unpacked(item.original) == pickled


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "shelve_value_not_dict"), ("text", "shelve_value_not_dict"), ([], "shelve_value_not_dict"),
        ([b"x"], "shelve_value_not_dict"), ((1, 2), "shelve_value_not_dict"), ({1, 2}, "shelve_value_not_dict"),
        ({"a": {1}}, "not_json_representable"), ({1: 2}, "not_json_representable"), ({"a": "\0"}, "text_not_storable"),
        ({"a": float("nan")}, "number_not_finite"), ({"a": 1 << 500_000}, "number_out_of_range"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_entry(value: object, problem: str) -> None:
    pickled = pickle.dumps(value, 5)
    item = shelve_item(b"s", pickled)
    assert (item.data, item.problem) == (None, problem)
    assert unpacked(item.original) == pickled


def test_what_is_wrong_with_a_key() -> None:
    good = pickle.dumps({})
    assert (shelve_item(b"caf\xe9", b"").session_id, shelve_item(b"caf\xe9", b"").problem) == (
        "caf\\xe9", "session_id_not_utf8",
    )  # fmt: skip
    nul = shelve_item(b"a\0b", good)
    assert (nul.session_id, nul.data, nul.problem) == ("a\\x00b", None, "text_not_storable")
    assert shelve_item(b"", good).session_id == ""


def test_a_list_that_is_too_deep_is_told_as_that() -> None:
    deep = b"\x80\x04" + b"]" * 20_000 + b"a" * 19_999 + b"."
    assert shelve_item(b"s", deep).problem == "nesting_too_deep"
