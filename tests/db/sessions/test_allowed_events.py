"""fsm.allowed_events says where each event would lead, and why or why not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from support.api import Api

STATES = {
    "a": {
        "on": {
            "b": "b",
            "Z": [
                {"target": "b", "guard": "$.n > 10"},
                {"target": "c", "guard": "$.n > 5"},
                {"target": "a", "guard": "$.n > 3"},
            ],
            "STRICT": {"target": "c", "guard": "strict $.missing == 1"},
        },
        "after": {"1000": "c"},
    },
    "b": {"on": {"BACK": "a"}, "meta": {"invariant": ["$.n > 20", "$.n < 30"]}},
    "c": {"type": "final"},
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 is in state a."""
    define(STATES, on={"STOP": "c"})
    api.create("s-1", "m", context={"n": 6})
    return api


def _rows(api: Api) -> list[tuple[Any, ...]]:
    return [tuple(row[:4]) for row in api.rows("allowed_events", session_id="s-1")]


def test_every_candidate_by_event_name_in_collation_c(s: Api) -> None:
    assert _rows(s) == [
        ("STOP", "c", None, True),
        ("STRICT", "c", "strict $.missing == 1", False),
        ("Z", "b", "$.n > 10", False),
        ("Z", "c", "$.n > 5", True),
        ("Z", "a", "$.n > 3", False),
        ("b", "b", None, False),
    ]


def test_why_and_why_not(s: Api) -> None:
    reasons = [row.reason for row in s.rows("allowed_events", session_id="s-1")]
    assert reasons == [
        "no guard",
        "the guard does not hold",
        "the guard does not hold",
        "the guard holds",
        "candidate 2 of this event comes first and holds",
        "state b refuses the present context: $ the invariant of state b does not hold: ($.\"n\" > 20)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "context", [{}, {"n": None}, {"n": 4}, {"n": 6}, {"n": 11}, {"n": 25}, {"n": "x"}, {"n": [25]}]
)
def test_an_event_is_allowed_exactly_when_sending_it_would_go_there(s: Api, context: Any) -> None:
    s.update("s-1", patch={"n": None, **context})
    for row in s.rows("allowed_events", session_id="s-1"):
        went = None
        with suppress(psycopg.DatabaseError), s.conn.transaction(force_rollback=True):
            went = s.send("s-1", row.event).state
        assert (went == row.to_state) is row.allowed, row


def test_no_rows_in_a_final_state(s: Api) -> None:
    s.send("s-1", "STOP")
    assert _rows(s) == []


def test_a_loop_that_would_be_blocked_is_not_allowed(api: Api) -> None:
    api.create("s-1", "blocking")
    api.move("s-1", "OPEN", "CLOSE")
    rows = {row.event: row for row in api.rows("allowed_events", session_id="s-1")}
    assert (rows["OPEN"].allowed, rows["KNOCK"].allowed) == (False, True)
    assert rows["OPEN"].reason == "loop: more than 1 passages within 3600 seconds are blocked"


def test_a_loop_that_would_be_diverted_is_not_allowed(api: Api, define: Callable[..., int]) -> None:
    """The event can be sent, but would not go there."""
    define({"a": {"on": {"SELF": "a"}}, "d": {"on": {"BACK": "a"}}}, loop={"limit": 1, "action": {"divert": "d"}})
    api.create("s-1", "m")
    assert _rows(api) == [("SELF", "a", None, True)]
    api.send("s-1", "SELF")
    [row] = api.rows("allowed_events", session_id="s-1")
    assert (row.allowed, row.reason) == (False, "loop: more than 1 passages within 300 seconds are diverted to state d")
    assert api.send("s-1", "SELF").state == "d"


def test_the_schema_of_the_machine_counts(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    """For a session whose stored context no longer fits, which only an edit by hand can bring about."""
    define({"a": {"on": {"GO": "a"}}}, context_schema={"properties": {"n": {"type": "integer"}}})
    api.create("s-1", "m", context={"n": 1})
    assert _rows(api) == [("GO", "a", None, True)]
    db.execute("""update fsm_internal.sessions set context = '{"n": "x"}'""")
    [row] = api.rows("allowed_events", session_id="s-1")
    assert row.allowed is False
    assert row.reason.startswith("state a refuses the present context: $.n ")


def test_it_changes_nothing(s: Api) -> None:
    before = s.load("s-1")
    _rows(s)
    assert (s.load("s-1"), len(s.history("s-1"))) == (before, 1)
