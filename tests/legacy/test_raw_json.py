"""JSON that is checked and cut without being read into values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsmstore import rawjson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DEEP = f"{'[' * 5000}{']' * 5000}"


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_what_json_writes_is_json(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert rawjson.is_json(text)
    assert rawjson.is_json(f" \t\r\n{text}\n")
    # The slow scan says the same as the fast one.
    assert rawjson.members(f'{{"a": {text}}}') is not None
    assert rawjson.is_json(f"[{DEEP}, {text}]")


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_an_object_is_cut_into_its_members(value: dict[str, object]) -> None:
    members = rawjson.members(json.dumps(value))
    assert members is not None
    assert {key: json.loads(text) for key, text in members.items()} == value


@pytest.mark.parametrize("text", ["1", "[1]", '"{}"', "null", "", " ", "x", '{"a": 1} {}', '{"a": 1'])
def test_what_is_no_object_has_no_members(text: str) -> None:
    assert rawjson.members(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "NaN", "-Infinity", "[1,]", "[,1]", '{"a":1,}', "{,}", '{"a" 1}', '{"a":}', "{1: 2}", "[1 2]", "01",
        "1.", ".5", "+1", "1e", "tru", "'a'", '"a', '"\n"', '"\\x"', '"\\u12"', "[1}", '{"a":1]', "]", "1 2", "[] []",
        '[], "session_id": "other"', "{} , {}", "\ufeff1", "1\u00a0",
    ],
)  # fmt: skip
def test_anything_else_is_not(text: str) -> None:
    assert not rawjson.is_json(text)
    assert rawjson._scan(text) is None  # what is_json() uses beyond Python's own depth


def test_no_number_is_too_long_and_nothing_too_deep() -> None:
    for text in ("9" * 100_000, "1e999999999", "-0.5E-400000", DEEP):
        assert rawjson.is_json(text)
    assert rawjson.members(f'{{"deep": {DEEP}, "n": {"9" * 100_000}}}') == {"deep": DEEP, "n": "9" * 100_000}


@pytest.mark.parametrize(("text", "yes"), [("1", True), ("-1.5e3", True), ("NaN", False), ("1 ", False), ("", False)])
def test_a_number_alone(text: str, yes: bool) -> None:
    assert rawjson.is_number(text) is yes
