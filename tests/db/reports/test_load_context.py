"""fsm.load_context gives part of a context, by jsonpath."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from support.api import Api, case, refused

CONTEXT = {
    "n": 1,
    "items": [{"price": 5, "name": "x"}, {"price": 2.50}, {"name": "y"}],
    "a b": {"ü": None},
    "huge": 10**400,
}


@pytest.fixture
def s(api: Api) -> Api:
    api.create("s-1", context=CONTEXT)
    return api


def _values(api: Api, *paths: str | None, session_id: str | None = "s-1") -> list[tuple[str, Any]]:
    return [(row.path, row.value) for row in api.rows("load_context", session_id=session_id, paths=list(paths))]


def test_a_row_for_each_item_in_the_order_of_the_paths(s: Api) -> None:
    assert _values(s, "$.items[*].price", "$.n", "$.items[*].name") == [
        ("$.items[*].price", 5),
        ("$.items[*].price", 2.5),
        ("$.n", 1),
        ("$.items[*].name", "x"),
        ("$.items[*].name", "y"),
    ]


def test_the_version_stands_beside_each(s: Api) -> None:
    s.send("s-1", "KNOCK", patch={"n": 2})
    rows = s.rows("load_context", session_id="s-1", paths=["$.n", "$.items.size()"])
    assert [tuple(row) for row in rows] == [("$.n", 2, 2), ("$.items.size()", 3, 2)]


def test_the_spelling_of_a_value_is_kept(s: Api) -> None:
    s.update("s-1", patch='{"n": 1.00}')
    row = s.conn.execute("select value::text from fsm.load_context('s-1', array['$.n'])").fetchone()
    assert row == ("1.00",)


def test_the_whole_a_null_and_a_quoted_key(s: Api) -> None:
    assert _values(s, "$") == [("$", CONTEXT)]
    assert _values(s, '$."a b"."ü"') == [('$."a b"."ü"', None)]


def test_a_path_asked_twice_is_answered_twice(s: Api) -> None:
    assert _values(s, "$.n", "$.n") == [("$.n", 1), ("$.n", 1)]


def test_what_matches_nothing_or_fails_on_the_data_gives_no_row(s: Api) -> None:
    paths = [
        "$.missing",
        "strict $.missing",
        "strict $.n[0]",
        "$.n.size().keyvalue()",
        "$.items.double()",
        "$.n / 0",
        "$.items[7]",
    ]
    assert _values(s, *paths, "lax $.n[0]") == [("lax $.n[0]", 1)]


def test_nothing_asked_and_nobody_there(s: Api) -> None:
    assert _values(s) == []
    assert _values(s, "$.n", session_id="unknown") == []


NOT_USABLE = {
    "": "not valid jsonpath",
    "$.a[": "not valid jsonpath",
    "a b": "not valid jsonpath",
    "drop table x": "not valid jsonpath",
    '$.a ? (@ like_regex "(")': "regular expression",
    r'$.a ? (@ like_regex "(a)\\1")': "back-references",
    '$."\\u0000"': "not valid jsonpath",
    "$x": "variables",
    "$.n + $n": "variables",
    "$.n == 1e40000": "limit is 32768",
    "$.a.datetime()": "date and time",
    '$.a.datetime("HH24")': "date and time",
    "$.**": ".**",
    "$.a" * 2000: "limit is 4096",
    "(" * 4000: "not valid jsonpath",
    "$.n" + " + 1" * 1001: "limit",
    "$.n == 1" + "0" * 1001: "digits",
}


def test_what_is_no_jsonpath_or_not_allowed(s: Api) -> None:
    for path, problem in NOT_USABLE.items():
        with case(path[:60]), refused("22023") as refusal:
            _values(s, "$.n", path)
        assert refusal.message == "path not usable"
        assert (refusal.detail["argument"], refusal.detail["nth"]) == ("p_paths", 2)
        assert refusal.detail["path"] == path[:4096]
        assert problem in refusal.detail["problem"], (path, refusal.detail)


def test_paths_are_judged_before_the_session_is_looked_for(s: Api) -> None:
    with refused("22023"):
        _values(s, "$x", session_id="unknown")


@pytest.mark.parametrize("function", [".time()", ".date()", ".timestamp_tz()"])
def test_newer_time_methods_are_refused_or_unknown(s: Api, function: str) -> None:
    with refused("22023"):
        _values(s, f"$.n{function}")


def test_nulls(s: Api) -> None:
    with refused("22004") as refusal:
        s.rows("load_context", session_id="s-1", paths=None)
    assert refusal.detail == {"argument": "p_paths"}
    with refused("22004") as refusal:
        _values(s, "$.n", None)
    assert refusal.detail == {"argument": "p_paths"}
    with refused("22004") as refusal:
        _values(s, "$.n", session_id=None)
    assert refusal.detail == {"argument": "p_session_id"}


def test_too_many_and_too_long(s: Api) -> None:
    assert len(_values(s, *["$.n"] * 1000)) == 1000
    with refused("22023") as refusal:
        _values(s, *["$.n"] * 1001)
    assert refusal.detail == {"argument": "p_paths", "items": 1001, "limit": 1000}
    with refused("22023"):
        _values(s, "$.n", session_id="x" * 513)


def test_the_items_of_a_long_array_cost_no_more_than_their_number(s: Api) -> None:
    """The square of 100,000 would not end within the timeout."""
    s.update("s-1", patch={"long": list(range(100_000))})
    s.conn.execute("set statement_timeout = '30s'")
    rows = s.rows("load_context", session_id="s-1", paths=["$.long[*]"])
    assert [row.value for row in rows] == list(range(100_000))


def test_who_may_not(s: Api, connect_as: Any) -> None:
    for login in ("test_monitor", "test_nobody"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _values(Api(connect_as(login)), "$.n")
