"""A deadline that is refused is a row, is tried again later, and holds up nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from support.api import Api, case, refused
from support.serverlog import ServerLog
from support.stored import age, deadline, due_now, expire_turn

STATES: dict[str, Any] = {
    "a": {"on": {"GO": "c", "BACK": "a"}, "after": {"60000": "b"}},
    "b": {"on": {"BACK": "a"}, "meta": {"invariant": "$.ready == true"}},
    "c": {"on": {"BACK": "a"}},
}


@pytest.fixture
def s(api: Api, define: Callable[..., int], db: psycopg.Connection[Any], server_log: ServerLog) -> Api:
    """The deadline of session s-1 is overdue; its target refuses the context."""
    define(STATES)
    api.create("s-1", "m", context={"n": 1})
    age(db)
    server_log.mark()
    return api


def _clock(db: psycopg.Connection[Any]) -> datetime:
    [(now,)] = db.execute("select clock_timestamp()").fetchall()
    assert isinstance(now, datetime)
    return now


def test_it_is_a_row_and_a_line_in_the_log(s: Api, server_log: ServerLog) -> None:
    before = s.load("s-1")
    assert [tuple(row) for row in s.fire()] == [("s-1", "a", "b", None, "SM021", "context rejected")]
    [line] = server_log.events("fsm.refused")
    assert line == {
        "sqlstate": "SM021", "message": "context rejected", "session_id": "s-1", "state": "b", "code": "invariant",
    }  # fmt: skip
    assert (s.load("s-1"), len(s.history("s-1"))) == (before, 1)
    assert s.fire() == []


def test_the_pause_doubles_up_to_an_hour(s: Api, db: psycopg.Connection[Any]) -> None:
    seconds = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    for number, pause in enumerate(seconds, start=1):
        before = _clock(db)
        assert [row.sqlstate for row in s.fire()] == ["SM021"]
        wake_at, refusals, fired_ms, _ = deadline(db, "s-1")
        assert (refusals, fired_ms) == (number, None)
        assert before + timedelta(seconds=pause) <= wake_at <= _clock(db) + timedelta(seconds=pause)
        assert s.fire() == []
        due_now(db, "s-1")
    db.execute("update fsm_internal.deadlines set refusals = 2000000000")
    assert len(s.fire()) == 1
    assert deadline(db, "s-1")[1] == 20


def test_after_the_pause_it_is_tried_again_and_then_taken(s: Api, db: psycopg.Connection[Any]) -> None:
    s.fire()
    db.execute("update fsm_internal.sessions set context = '{\"ready\": true}'")
    assert s.fire() == []
    due_now(db, "s-1")
    assert [(row.to_state, row.version, row.sqlstate) for row in s.fire()] == [("b", 2, None)]
    assert deadline(db, "s-1") is None


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.update("s-1", patch={"ready": True}),
        lambda s: s.save("s-1", "a", {"ready": True}),
        lambda s: s.send("s-1", "BACK", patch={"ready": True}),
        lambda s: s.batch([{"session_id": "s-1", "state": "a", "context": {"ready": True}}]),
    ],
)
def test_a_save_brings_it_forward(s: Api, db: psycopg.Connection[Any], write: Callable[[Api], Any]) -> None:
    """What it was refused for may be gone."""
    for _ in range(3):
        s.fire()
        due_now(db, "s-1")
    s.fire()
    write(s)
    assert deadline(db, "s-1")[1] == 0
    assert [(row.to_state, row.version) for row in s.fire()] == [("b", 3)]


def test_a_save_that_does_not_help_begins_the_pauses_anew(s: Api, db: psycopg.Connection[Any]) -> None:
    for _ in range(3):
        s.fire()
        due_now(db, "s-1")
    s.update("s-1")
    assert [row.sqlstate for row in s.fire()] == ["SM021"]
    wake_at, refusals, *_ = deadline(db, "s-1")
    assert refusals == 1
    assert wake_at <= _clock(db) + timedelta(seconds=30)


def test_whoever_leaves_is_not_tried_again(s: Api, db: psycopg.Connection[Any]) -> None:
    s.fire()
    s.send("s-1", "GO")
    due_now(db, "s-1")
    assert s.fire() == []
    assert deadline(db, "s-1") is None


def test_coming_back_counts_anew(s: Api, db: psycopg.Connection[Any]) -> None:
    s.fire()
    s.move("s-1", "GO", "BACK")
    age(db, "50 seconds")
    assert s.fire() == []
    age(db, "10 seconds")
    assert [row.sqlstate for row in s.fire()] == ["SM021"]
    assert deadline(db, "s-1")[1] == 1


def test_the_next_that_is_due_is_taken_instead(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    states = {**STATES, "a": {"after": {"60000": "b", "120000": "c"}}}
    define(states)
    api.create("s-1", "m")
    age(db, "1 minute")
    assert [row.sqlstate for row in api.fire()] == ["SM021"]
    age(db, "1 minute")
    assert [tuple(row) for row in api.fire()] == [("s-1", "a", "c", 2, None, None)]
    assert api.history("s-1")[0].note == {"delay_ms": 120000}


def test_when_all_are_refused_the_first_is_told(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any], server_log: ServerLog
) -> None:
    states = {
        "a": {"after": {"60000": "b", "120000": "d"}},
        "b": STATES["b"],
        "d": {"on": {"X": "a"}, "meta": {"invariant": "$.m == 1"}},
    }
    define({**states, "b": {"on": {"X": "a"}, "meta": {"invariant": "$.ready == true"}}})
    api.create("s-1", "m")
    age(db)
    assert [tuple(row) for row in api.fire()] == [("s-1", "a", "b", None, "SM021", "context rejected")]
    assert [line["state"] for line in server_log.events("fsm.refused")] == ["b"]


def test_a_self_target_fired_before_a_refused_one_is_not_fired_again(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    states = {**STATES, "a": {"after": {"60000": "a", "120000": "b"}}}
    define(states, name="m2")
    api.create("s-1", "m2")
    age(db, "2 minutes")
    assert [(row.to_state, row.version) for row in api.fire()] == [("a", 2)]
    assert [(row.to_state, row.sqlstate) for row in api.fire()] == [("b", "SM021")]
    assert api.fire() == []
    api.update("s-1")
    assert [(row.to_state, row.sqlstate) for row in api.fire()] == [("b", "SM021")]
    api.update("s-1", patch={"ready": True})
    assert [(row.to_state, row.version) for row in api.fire()] == [("b", 5)]


def _held(s: Api, db: psycopg.Connection[Any], ttl: str = "5 seconds") -> int:
    db.execute("update fsm_internal.sessions set context = '{\"ready\": true}'")
    turn = s.begin("s-1", "the holder", ttl=ttl).turn
    assert [tuple(row) for row in s.fire()] == [("s-1", "a", "b", None, "SM050", "turn held by another")]
    return int(turn)


def test_a_held_turn_is_waited_for_and_no_longer(s: Api, db: psycopg.Connection[Any]) -> None:
    _held(s, db)
    [(expires_at,)] = db.execute("select expires_at from fsm.active_turns").fetchall()
    assert deadline(db, "s-1")[:2] == (expires_at, 1)
    assert s.fire() == []
    expire_turn(db, "s-1")
    due_now(db, "s-1")
    assert [row.version for row in s.fire()] == [2]


def test_a_turn_held_for_long_is_looked_at_from_time_to_time(s: Api, db: psycopg.Connection[Any]) -> None:
    """Its holder may end it without coming by here, or the server may crash."""
    before = _clock(db)
    _held(s, db, ttl="1 hour")
    wake_at = deadline(db, "s-1")[0]
    assert before + timedelta(seconds=30) <= wake_at <= _clock(db) + timedelta(seconds=30)


def test_the_end_of_the_turn_brings_it_forward(s: Api, db: psycopg.Connection[Any]) -> None:
    turn = _held(s, db, ttl="1 hour")
    s.rows("end_turn", session_id="s-1", turn=turn)
    wake_at, refusals, *_ = deadline(db, "s-1")
    assert wake_at <= _clock(db)
    assert refusals == 0
    assert [row.version for row in s.fire()] == [2]


def test_the_holders_own_save_leaves_it_to_the_end(s: Api, db: psycopg.Connection[Any]) -> None:
    turn = _held(s, db, ttl="1 hour")
    s.update("s-1", turn=turn, patch={"n": 2})
    assert [row.sqlstate for row in s.fire()] == ["SM050"]
    s.rows("end_turn", session_id="s-1", turn=turn)
    assert [row.version for row in s.fire()] == [3]


def test_the_end_of_a_turn_does_not_bring_forward_what_is_not_due(s: Api, db: psycopg.Connection[Any]) -> None:
    created = s.create("s-2", "m")
    turn = s.begin("s-2").turn
    s.rows("end_turn", session_id="s-2", turn=turn)
    assert deadline(db, "s-2")[0] == created.entered_at + timedelta(minutes=1)


def test_refusals_hold_nobody_up(s: Api, db: psycopg.Connection[Any]) -> None:
    for number in range(2, 8):
        s.create(f"s-{number}", "m", context={"ready": True})
        age(db, f"{60 - number} minutes", f"s-{number}")
    s.begin("s-4")
    assert [(row.session_id, row.sqlstate) for row in s.fire(limit=2)] == [("s-1", "SM021"), ("s-2", None)]
    rest = [(row.session_id, row.sqlstate) for row in s.fire()]
    assert rest == [("s-3", None), ("s-4", "SM050"), ("s-5", None), ("s-6", None), ("s-7", None)]


def test_a_corrupt_session_is_a_row_and_the_rest_fires(
    s: Api, db: psycopg.Connection[Any], server_log: ServerLog, damaged: None
) -> None:
    s.create("s-2", "m", context={"ready": True})
    age(db, "1 minute", "s-2")
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 's-1'")
    for number in (1, 2):
        rows = [tuple(row) for row in s.fire()]
        assert rows[0] == ("s-1", "nowhere", None, None, "SM060", "stored session corrupt")
        assert rows[1:] == [("s-2", "a", "b", 2, None, None)][: 2 - number]
        assert deadline(db, "s-1")[1] == number
        [line] = server_log.events("fsm.corrupt")
        assert (line["session_id"], line["code"], line["state"]) == ("s-1", "unknown_state", "nowhere")
        server_log.mark()
        due_now(db, "s-1")


def test_history_that_runs_ahead_of_the_session_holds_nobody_up(
    s: Api, db: psycopg.Connection[Any], damaged: None
) -> None:
    """As after a restore of one table alone: nothing is written over it, and the others fire."""
    for session_id in ("s-0", "s-2"):
        s.create(session_id, "m", context={"ready": True})
    s.update("s-1", patch={"ready": True})
    age(db, "2 hours", "s-0")
    age(db, "1 minute", "s-2")
    db.execute("update fsm_internal.sessions set version = 1 where session_id = 's-1'")
    rows = [(row.session_id, row.version, row.sqlstate) for row in s.fire()]
    assert rows == [("s-0", 2, None), ("s-1", None, "SM060"), ("s-2", 2, None)]
    assert db.execute("select version, state from fsm.sessions where session_id = 's-1'").fetchall() == [(1, "a")]
    assert deadline(db, "s-1")[1] == 1


def test_a_deadline_without_its_session_is_passed_over(s: Api, db: psycopg.Connection[Any], damaged: None) -> None:
    db.execute("insert into fsm_internal.deadlines (session_id, wake_at) values ('nobody', '2000-01-01')")
    assert [row.session_id for row in s.fire(limit=1)] == ["s-1"]


LOOPING: dict[str, Any] = {
    "a": {"on": {"GO": "b"}, "after": {"60000": "b"}},
    "b": {"on": {"BACK": "a"}},
    "d": {"on": {"BACK": "a"}, "meta": {"invariant": "$.n == 1"}},
}


def _looping(api: Api, define: Callable[..., int], db: psycopg.Connection[Any], action: Any, by: str = "GO") -> None:
    """Session l-1 is in a, version 3, one passage a -> b behind it, its deadline a -> b overdue."""
    define(LOOPING, name="looping", loop={"limit": 1, "window": "2 hours", "action": action})
    api.create("l-1", "looping", context={"n": 1})
    if by == "GO":
        api.send("l-1", "GO")
    else:
        age(db, "1 minute")
        api.fire()
    api.send("l-1", "BACK")
    age(db)


@pytest.mark.parametrize("by", ["GO", "deadline"])
def test_passages_by_deadline_count_and_are_flagged(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any], server_log: ServerLog, by: str
) -> None:
    _looping(api, define, db, "log", by)
    server_log.mark()
    [row] = api.fire()
    assert (row.to_state, row.version, row.sqlstate) == ("b", 4, None)
    entry = api.history("l-1")[0]
    assert (entry.kind, entry.event, entry.loop_detected) == ("deadline", None, True)
    [line] = server_log.events("fsm.loop")
    assert (line["from_state"], line["to_state"], line["event"], line["action"]) == ("a", "b", None, "log")
    [found] = api.rows("detect_loop", session_id="l-1")
    assert (found.from_state, found.to_state, found.occurrences, found.loop_limit) == ("a", "b", 2, 1)


def test_a_passage_by_deadline_counts_for_the_event_too(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    _looping(api, define, db, "block", by="deadline")
    with refused("SM040") as refusal:
        api.send("l-1", "GO")
    assert refusal.detail["loop_limit"] == 1


def test_a_blocked_loop_is_a_row(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    _looping(api, define, db, "block")
    assert [tuple(row) for row in api.fire()] == [("l-1", "a", "b", None, "SM040", "loop blocked")]
    assert api.rows("detect_loop", session_id="l-1") == []
    age(db, "2 hours")
    assert [(row.to_state, row.version) for row in api.fire()] == [("b", 4)]


def test_a_diverted_loop(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    _looping(api, define, db, {"divert": "d"})
    assert [tuple(row) for row in api.fire()] == [("l-1", "a", "d", 4, None, None)]
    entry = api.history("l-1")[0]
    assert (entry.kind, entry.from_state, entry.to_state, entry.event) == ("divert", "a", "d", None)
    assert (entry.note, entry.loop_detected) == ({"delay_ms": 60000}, True)


def test_a_divert_to_where_it_is_counts_as_fired(
    api: Api, define: Callable[..., int], db: psycopg.Connection[Any]
) -> None:
    _looping(api, define, db, {"divert": "a"})
    with case("first"):
        assert [(row.to_state, row.version) for row in api.fire()] == [("a", 4)]
    assert api.fire() == []
    age(db)
    assert api.fire() == []


def test_a_divert_that_is_refused_is_a_row(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    _looping(api, define, db, {"divert": "d"})
    api.update("l-1", patch={"n": 2})
    assert [tuple(row) for row in api.fire()] == [("l-1", "a", "b", None, "SM040", "loop blocked")]
    api.update("l-1", patch={"n": 1})
    assert [row.to_state for row in api.fire()] == ["d"]
