"""Guards and invariants: what is refused, what is warned of, and that what is left never raises."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.predicates import CONTEXT, problems

# Accepted, with the warnings that they draw.
ACCEPTED: dict[str, list[str]] = {
    "$.a == 1": [],
    "  strict   $.a==1 ": [],
    "$.search_results.size() > 50": [],
    '$.product_query.type() == "string"': [],
    '$."odd key"."$x" == "!(" && $."datetime()" == ".**"': [],
    "exists($.a) || ($.b.double() + 1) * 2 >= 3e2": [],
    '$.a starts with "x" && $.b like_regex "^[a-z]+$" flag "i"': [],
    '$.a like_regex "(a)\\\\1" flag "q"': [],
    '$.a == " like_regex \\"(a)\\\\\\\\1\\""': [],
    '$.a like_regex "\\\\\\\\1"': [],
    "($.a == 1) is unknown": [],
    "$.a[0].b[last - 1] == null": [],
    "$.a[0, 1, 2] == 3": [],
    '$.a.keyvalue().key == "x"': [],
    "$": [],
    "true": [],
    "$.a": [],
    "-$.a > 1": [],
    '($.a == 1).type() == "boolean"': [],
    "($.a ? (@ > 1)).size() == 1": [],
    "/* a comment */ $.a == 1": [],
    "$.a.size() == $.b.size()": [],
    "$.a + 0 == $.b": [],
    "strict $.a == $.b": [],
    "$.a * 2 == $.b / 3": [],
    "$.a == 1e999": [],
    "strict !($.a == 1)": [],
    "!($.a == 1)": ["negation_in_lax_mode"],
    "exists($.a) && !exists($.b)": ["negation_in_lax_mode"],
    "lax !($.a == 1)": ["negation_in_lax_mode"],
    "exists($.a[*] ? (@.b == 1))": [],
    "exists($.a[*] ? (@.b[*] == 1))": ["wildcard_in_filter"],
    "exists($.a ? (@.* == 1))": ["wildcard_in_filter"],
    "strict exists($.a ? (exists(@ ? (@.b[*] == 1))))": ["wildcard_in_filter"],
    "$.a == $.b": ["path_by_path"],
    "$.a[*] > $.b": ["path_by_path"],
    "exists($.a[*] ? (@.price <= $.budget))": ["path_by_path"],
    "exists($.a[*] ? (@ == $.b[*]))": ["wildcard_in_filter", "path_by_path"],
    "!($.a == $.b)": ["negation_in_lax_mode", "path_by_path"],
}

# Refused, with a word of the reason.
REFUSED: dict[str, str] = {
    "": "not valid jsonpath",
    "   ": "not valid jsonpath",
    "is big": "not valid jsonpath",
    "$.a ==": "not valid jsonpath",
    "@ == 1": "not valid jsonpath",
    "last == 1": "not valid jsonpath",
    '$.a == "\\u0000"': "not valid jsonpath",
    '$.a == "\\ud800"': "not valid jsonpath",
    '$.a like_regex "("': "parentheses () not balanced",
    '$.a like_regex "\\z" && $.a like_regex "\\ud800"': "not valid jsonpath",
    '$.a like_regex "a" flag "x"': "not valid jsonpath",
    "$.a == 1e200000": "not valid jsonpath",
    "$x == 1": "variables",
    '$.a == $"x y"': "variables",
    "exists($.a ? (@ > $limit))": "variables",
    "$.a[$n] == 1": "variables",
    "$.a.datetime() < $.b": "date and time",
    '$.a.datetime("HH24:MI") < $.b': "date and time",
    "$.**.a == 1": ".**",
    "$.a.**{2 to last} == 1": ".**",
    '$.a like_regex "(a)\\\\1"': "back-references",
    '$.a like_regex "(a)\\\\\\\\\\\\1"': "back-references",
    '$.a like_regex "x" && $.b like_regex "(?:(b))\\\\1+" flag "s"': "back-references",
    '$.a like_regex "((a{1,99}){1,99})"': "regular expression",
    '$.a LIKE_REGEX "' + "(a|b" * 400 + ")*" * 400 + '"': "regular expression",
    '/* " */ $.a like_regex "((a{1,9}){1,99}){1,9}"': "regular expression",
    "$.a[*] == $.b[*]": "many values on both sides",
    "strict $.a[*] == $.b[*]": "many values on both sides",
    "exists($.x ? (@.a.* < $.b[1 to 3].c))": "many values on both sides",
    "$.a ? (@.b == 1).c[*] == $.d[0, 1]": "many values on both sides",
    "$.a.keyvalue().value == $.b[*]": "many values on both sides",
    "$.a[*].size() == $.b[*].size()": "many values on both sides",
    "$.a[0, 0, 0, 0] == 1": "multiplies",
    "$.a[0, 0][0, 0][0, 0] == 1": "multiplies",
    "$.keyvalue().keyvalue().keyvalue().value == 1": "multiplies",
    "($.a - $.b).abs() > 1": "dump and restore",
    "($.a + 1).abs() > 1": "dump and restore",
    "(-$.a).abs() > 1": "dump and restore",
    "($.a + 1)[0] == 1": "dump and restore",
    "($.a + 1) ? (@ > 1) == 1": "dump and restore",
    "$.a == 1e1001": "1000 digits",
    "$.a == 0." + "1" * 1001: "1000 digits",
    "$.a" + "*$.a" * 51 + " == 1": "51 multiplications and divisions",
    "$" + ".a" * 1000 + " == 1": "the limit is 1000",
    "$" + "[0]" * 1300 + " == 1": "the limit is 1000",
    "-" * 4000 + "$.a == 1": "the limit is 1000",
    "$.a == 1" + " && $.a == 1" * 340: "the limit is 1000",
    "$.a == 1".ljust(4097): "the limit is 4096",
    "$.x == 1e131071" + "+1e131071" * 400: "the limit is 32768",
}


@pytest.mark.parametrize("predicate", ACCEPTED)
def test_accepted(db: Any, predicate: str) -> None:
    found = problems(db, predicate)
    assert [one[0] for one in found] == ["warning"] * len(found)
    assert [one[1] for one in found] == ACCEPTED[predicate]


@pytest.mark.parametrize("predicate", REFUSED, ids=lambda text: text[:60])
def test_refused(db: Any, predicate: str) -> None:
    errors = [(code, message) for severity, code, message in problems(db, predicate) if severity == "error"]
    assert {code for code, _ in errors} == {"bad_predicate"}
    assert any(REFUSED[predicate] in message for _, message in errors), errors


@pytest.mark.parametrize(
    "predicate",
    ["$.a.date() == 1", "$.a.time() == 1", "$.a.time_tz(3) == 1", "$.a.timestamp() == 1", "$.a.timestamp_tz() == 1"],
)
def test_the_date_methods_of_postgresql_17_are_refused_everywhere(db: Any, predicate: str) -> None:
    [(severity, _, message)] = problems(db, predicate)
    assert severity == "error"
    known = db.info.server_version >= 170000
    assert ("date and time" if known else "not valid jsonpath") in message


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ("", True),
        ("1", True),
        ("1000, 1000", True),
        ("10,-1000", True),
        ("0", False),
        ("1001", False),
        ("9,1001", False),
    ]
    + [("9,-1001", False), ("99999999999999999999", False)],
)
def test_the_arguments_of_decimal(db: Any, arguments: str, right: bool) -> None:
    if db.info.server_version < 170000:
        pytest.skip(".decimal() is new in PostgreSQL 17")
    found = problems(db, f"$.a.decimal({arguments}) > 1")
    assert (found == []) is right


def test_hex_numbers_of_postgresql_16(db: Any) -> None:
    assert (problems(db, "$.a == 0xFF") == []) is (db.info.server_version >= 160000)


@pytest.mark.parametrize("predicate", ["$.a == 1", "$.a == 1".ljust(4096)])
def test_length_at_the_limit(db: Any, predicate: str) -> None:
    assert problems(db, predicate) == []


# --- when a predicate holds -------------------------------------------------------------------------------------------


# --- what is accepted never raises ------------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    value: Any = {"a": 1}
    for _ in range(depth - 1):
        value = {"a": value, "b": [1, 2]}
    return value


CONTEXTS = [
    {},
    CONTEXT,
    nested(99),
    {"a": [[[[1]]]], "b": "1e400", "c": {"a": None}},
    {"a": 10**999, "b": -(10**999), "c": "NaN"},
    {"a": "9" * 400, "b": [True, None, "x"], "c": [[], {}]},
    {"a": list(range(50)), "b": {"a": list(range(50))}, "c": "2020-01-01"},
]
# Numbers beyond Python's own: 1,000 digits on either side of the point.
EXTREMES = ['{{"a": 1e-1000, "b": 9.{}, "c": {}}}'.format("9" * 999, "9" * 1000)]

_numbers = st.sampled_from(["0", "1", "-1", "0.5", "1e-1000", "9" * 1000, "1e999", "2147483648", "1e10"])
_names = st.sampled_from([".a", ".b", ".c", "[0]", "[last]", "[*]", ".*", "[0 to 1]", "[-1]", "[1.7]", "[1e10]"])
_methods = st.sampled_from(
    [".size()", ".type()", ".abs()", ".floor()", ".ceiling()", ".double()", ".keyvalue()"]
    + [".bigint()", ".boolean()", ".integer()", ".number()", ".string()", ".decimal(3,1)", ".decimal(1000,-1000)"]
)
_paths = st.builds(
    lambda root, steps: root + "".join(steps),
    st.sampled_from(["$", "$.a", "@", "@.b"]),
    st.lists(_names | _methods, max_size=4),
)
_operands = st.recursive(
    _paths | _numbers | st.sampled_from(['"x"', "null", "true"]),
    lambda inner: (
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from("+-*/%"), inner)
        | st.builds(lambda sign, a: f"{sign}{a}", st.sampled_from("+-"), inner)
    ),
    max_leaves=5,
)
_comparisons = st.builds(
    lambda a, op, b: f"{a} {op} {b}", _operands, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), _operands
)
_texts = st.builds(
    lambda path, rest: f"{path} {rest}",
    _paths,
    st.sampled_from(
        ['starts with "x"', 'like_regex "^x.*[0-9]+$"', 'like_regex "(?=a)b|c" flag "is"', 'like_regex "." flag "q"']
    ),
)
_predicates = st.recursive(
    _comparisons | _texts | st.builds(lambda path: f"exists({path})", _paths),
    lambda inner: (
        st.builds(lambda a, op, b: f"({a}) {op} ({b})", inner, st.sampled_from(["&&", "||"]), inner)
        | st.builds(lambda a: f"!({a})", inner)
        | st.builds(lambda a: f"({a}) is unknown", inner)
        | st.builds(lambda path, a: f"exists({path} ? ({a}))", _paths, inner)
    ),
    max_leaves=5,
)


@settings(max_examples=300)
@given(mode=st.sampled_from(["", "strict ", "lax "]), predicate=_predicates)
def test_what_is_accepted_never_raises(db: Any, mode: str, predicate: str) -> None:
    found = problems(db, mode + predicate)
    if any(one[0] == "error" for one in found):
        return
    for context in [json.dumps(one) for one in CONTEXTS] + EXTREMES:
        [(result,)] = db.execute(
            "select jsonb_path_match(%s::jsonb, %s::jsonpath, '{}', true)", (context, mode + predicate)
        ).fetchall()
        assert result in (True, False, None)


_tokens = [
    *'$@.*[]()?!&|=<>+-/%",\\ab01e ',
    "exists",
    "like_regex ",
    "last",
    " is unknown",
    "/*",
    "*/",
    "\\u",
    "strict ",
]


@settings(max_examples=120)
@given(text=st.lists(st.sampled_from(_tokens)).map("".join))
def test_any_text_is_answered(db: Any, text: str) -> None:
    problems(db, text)


@pytest.mark.parametrize(
    "predicate",
    [
        "$" + "[0]" * 331 + " == 1",
        "$" + ".a" * 490 + " == 1",
        "$" + ".type()" * 480 + ' == "string"',
        "-" * 490 + "$.a == 1",
        "$.a" + "+1" * 490 + " == 1",
        "1+(" * 490 + "$.a" + ")" * 490 + " == 1",
        "!(" * 990 + "1 == 1" + ")" * 990,
        "exists($" + "?(exists(@" * 240 + "))" * 240 + ")",
        "$[$" + "[$" * 480 + "]" * 480 + "] == 1",
        "((1e999*1e999 - 1)*(1e999*1e999 + 1) + 0.5) > 1",
    ],
    ids=lambda text: text[:20],
)
def test_the_deepest_that_is_accepted_needs_half_of_the_default_stack(db: Any, predicate: str) -> None:
    db.execute("set max_stack_depth = '1MB'")
    assert [one for one in problems(db, predicate) if one[0] == "error"] == []
    for context in (json.dumps(nested(99)), '{"a": 1}', "{}"):
        db.execute("select jsonb_path_match(%s::jsonb, %s::jsonpath, '{}', true)", (context, predicate))


def test_arithmetic_without_a_limit_on_its_factors_would_raise(db: Any) -> None:
    power = "*".join(["$.a"] * 66 + ["$.b"])  # 10 to the power of 65536: its square has one digit too many
    predicate = f"(({power} - 1) * ({power} + 1) + 0.5).ceiling() > 0"
    assert any("multiplications" in message for _, _, message in problems(db, predicate))
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        db.execute(
            "select jsonb_path_match(%s::jsonb, %s::jsonpath, '{}', true)",
            (json.dumps({"a": 10**992, "b": 10**64}), predicate),
        )


def test_a_dump_would_change_what_is_refused_for_it(db: Any) -> None:
    query = """select jsonb_path_match('{"a": 1, "b": -5}', %(p)s::jsonpath),
      jsonb_path_match('{"a": 1, "b": -5}', %(p)s::jsonpath::text::jsonpath)"""
    assert db.execute(query, {"p": "($.a + $.b).abs() == 4"}).fetchone() == (True, False)
