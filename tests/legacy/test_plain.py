"""Plain values as JSON text."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsmstore.legacy import plain
from fsmstore.legacy.errors import NotPlain
from fsmstore.legacy.plain import json_text

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


def problem(value: Any) -> str:
    with pytest.raises(NotPlain) as refused:
        json_text(value)
    return refused.value.problem


@given(VALUES)
def test_json_comes_back_type_for_type(value: object) -> None:
    loaded = json.loads(json_text(value))
    assert loaded == value
    assert json_text(loaded) == json_text(value)


def test_numbers_are_written_out() -> None:
    assert json_text([1e16, -0.0, 5e-324, True, 10**20]).startswith("[10000000000000000.0,0.0,0.000")
    assert json_text(10**5000) == "1" + "0" * 5000
    assert json_text(-(10**131072) + 1) == "-" + "9" * 131072
    assert problem(10**131072) == "number_out_of_range"
    assert problem({"a": [-(10**140000)]}) == "number_out_of_range"
    for value in (math.nan, math.inf, -math.inf):
        assert problem([value]) == "number_not_finite"


@pytest.mark.parametrize("value", ["a\0b", "\ud800", {"\0": 1}, {"\udfff": 1}, {"a": ["\ud800"]}])
def test_text_that_cannot_be_stored(value: object) -> None:
    assert problem(value) == "text_not_storable"


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, {True: 1}, [b"x"], [(1,)], {"a": {1}}, object()])
def test_what_json_has_no_word_for(value: object) -> None:
    assert problem(value) == "not_json_representable"


def test_a_value_that_contains_itself() -> None:
    looped: dict[str, Any] = {}
    looped["a"] = [looped]
    assert problem(looped) == "not_json_representable"


def test_a_value_in_several_places_is_written_in_each() -> None:
    shared = {"a": 1}
    assert json_text([shared, [shared], shared]) == '[{"a":1},[{"a":1}],{"a":1}]'


def test_depth_is_told_without_recursion() -> None:
    def nested(depth: int) -> Any:
        value: Any = []
        for _ in range(depth - 1):
            value = [value]
        return value

    assert json_text(nested(plain.MAX_DEPTH)) == "[" * 1000 + "]" * 1000
    assert problem(nested(plain.MAX_DEPTH + 1)) == "nesting_too_deep"
    assert problem({"a": nested(20_000)}) == "nesting_too_deep"


@pytest.mark.parametrize("leaf", ["", [], "x" * 1000])
def test_what_would_not_end_is_given_up(leaf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MAX_CHARACTERS", 100_000)
    value: Any = [leaf]
    for _ in range(64):
        value = [value, value]
    assert problem(value) == "not_json_representable"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([b"x", math.nan, "\0"], "not_json_representable"),
        ([math.nan, "\0", b"x"], "number_not_finite"),
        (["\0", b"x", math.nan], "text_not_storable"),
    ],
)
def test_the_first_problem_counts(value: object, expected: str) -> None:
    assert problem(value) == expected
