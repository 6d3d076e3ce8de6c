"""Which patterns are refused: those that could raise, or take exponential time or space."""

from __future__ import annotations

import json
import time
from typing import Any

import psycopg
import pytest

Conn = psycopg.Connection[Any]


def problem(db: Conn, pattern: str) -> str | None:
    started = time.monotonic()
    [(text,)] = db.execute("select fsm_internal.schema_pattern_problem(%s)", (pattern,)).fetchall()
    assert time.monotonic() - started < 2, "judging a pattern must be quick"
    return text


def test_ordinary_patterns_are_accepted(db: Conn) -> None:
    for pattern in (
        "", "a", "^a$", "^[A-Z]{2}[0-9]{3,8}$", r"^\d{5}(-\d{4})?$", r"^[\w.+-]+@[\w-]+(\.[\w-]+)+$",
        "^.{1,255}$", "(?i)^yes|no$", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        r"^https?://[^\s/]+(/\S*)?$", r"^\+?[1-9]\d{1,14}$", r"^(?=.*[A-Z])(?=.*\d).{8,64}$",
        r"^(?!-)[a-z0-9-]{1,63}(?<!-)$", r"[]\]\\1]", r"\\1", r"a\\\\9", r"^[^\]1]+$", "a{2}b{3,}c{0,4}",
        "^(?:[a-z]{1,10}\\.){0,5}[a-z]{1,10}$",
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$", "[[:alpha:]]+",
        r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$",
    ):  # fmt: skip
        assert problem(db, pattern) is None, pattern


def test_back_references_are_refused(db: Conn) -> None:
    for pattern in (r"(a)\1", r"(a)(b)\2", r"^(.)[\\]\1", r"((a))\\\1", r"(a)\10", r"(a)[]x\]\]\1"):
        text = problem(db, pattern)
        assert text is not None, pattern
        assert text.startswith("back-references"), (pattern, text)


def test_invalid_patterns_are_refused_with_what_the_server_says(db: Conn) -> None:
    for pattern in (
        "(", ")", "[", "a**", "*", "a{2,1}", "a{256}", "[z-a]", "\\", "(?<name>a)", "(?P<name>a)", "[[:nope:]]",
        r"\p{L}",
    ):  # fmt: skip
        text = problem(db, pattern)
        assert text is not None, pattern
        assert text.startswith("invalid regular expression: "), (pattern, text)


def test_other_dialects_are_refused(db: Conn) -> None:
    for pattern in ("***=a", "***:a", "(?b)a", "(?q)a", "(?ix)a # b", "(?e)a"):
        assert "not supported" in str(problem(db, pattern)), pattern


def test_what_explodes_is_refused_before_it_is_compiled(db: Conn) -> None:
    for pattern in (
        "a" * 2001, "(?:a{255}){255}", "(((a{20}){20}){20}){20}", "((((a{255}){255}){255}){255}){255}",
        "((a{0,100}){0,100}){0,100}", "(a?){255}", "(a*){200}b", "a?" * 300, ".*" * 300, "((x+x+)+x+)+" * 10,
        r"(\w?\W?){100}", r"(?:\w|){255}", "(){200}", "(|a){99}", r"((?=a)|){255}",
        r"(?:(?=a)|(){0,5}(?!b)|){3,20}(?![[:alpha:]]+)", r"(\w{0,5}(?=a)){255}", "(?:^a|b$)*", r"(\mword\M)+",
        "(?:(?<=a)b)+", "a{99999999999999999999}",
    ):  # fmt: skip
        assert problem(db, pattern) is not None, pattern


def test_the_limits_are_where_they_are_said_to_be(db: Conn) -> None:
    for good, bad in (
        ("(?:abcdefghij){200}", "(?:abcdefghij){200}k"),
        ("(?:" * 500 + ")" * 500, "(?:" * 500 + ")" * 501),
        ("(?:a?){50}", "(?:a?){51}"),
        ("a*" * 50, "a*" * 51),
        ("(?:a{0,30}){50}", "(?:a{0,30}){51}"),
    ):
        assert problem(db, good) is None, good
        assert problem(db, bad) is not None, bad
    assert "2,000 characters" in str(problem(db, "(?:" * 500 + ")" * 501))


def test_patterns_that_backtrack_elsewhere_run_in_linear_time(db: Conn) -> None:
    db.execute("set statement_timeout = '5s'")
    for pattern in (
        "^(a+)+$",
        "^(a|a)*$",
        "^(a|aa)+$",
        "(x+x+)+y",
        "^(.*a){12}$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*)(.*)(.*)=b",
    ):
        assert problem(db, pattern) is None, pattern
        check = f"strict $ like_regex {json.dumps(pattern)}"
        for text in ("a" * 30_000 + "!", "x" * 30_000):
            db.execute("select jsonb_path_match(%s::jsonb, %s::jsonpath, '{}', true)", (json.dumps(text), check))


def test_a_long_match_can_be_cancelled(db: Conn) -> None:
    pattern = "(?=.*a)(?=.*b)c"  # looks to the end of the text from every place
    assert problem(db, pattern) is None
    db.execute("set statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.execute(
            "select jsonb_path_match(to_jsonb(repeat('xyz ', 400000)), %s::jsonpath, '{}', true)",
            (f"strict $ like_regex {json.dumps(pattern)}",),
        )
