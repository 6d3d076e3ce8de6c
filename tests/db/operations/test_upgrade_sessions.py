"""fsm.upgrade_sessions: running sessions move to another version of their machine, or stay and are reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused

Connection = psycopg.Connection[Any]
FIRST = {
    "a": {"on": {"GO": "b", "END": "z"}},
    "b": {"on": {"BACK": "a"}},
    "z": {"type": "final"},
}
SECOND = {
    "a": {"on": {"GO": "c", "END": "z"}, "after": {"1": "z"}},
    "c": {"on": {"BACK": "a"}, "meta": {"invariant": "$.n > 0"}},
    "z": {"type": "final"},
}
SCHEMA = {"properties": {"n": {"type": "integer"}}}


@pytest.fixture
def two(admin: Api, define: Callable[..., int]) -> Api:
    """Machine m in two versions; on the first, sessions a-1, a-2 in a, b-1, b-2 in b (n 1 and 0), z-1 finished."""
    define(FIRST)
    for name in ("a-1", "a-2", "b-1", "b-2", "z-1"):
        admin.create(name, "m", context={"n": 0 if name == "b-2" else 1})
    admin.send("b-1", "GO")
    admin.send("b-2", "GO")
    admin.send("z-1", "END")
    define(SECOND, context_schema=SCHEMA)
    return admin


def upgrade(admin: Api, dry_run: bool = False, **more: Any) -> list[tuple[Any, ...]]:
    """The report without its messages and its last session."""
    arguments = {"machine": "m", "from_version": 1, "to_version": 2, "dry_run": dry_run, **more}
    return [row[:4] for row in admin.rows("upgrade_sessions", **arguments)]


def on_version(db: Connection, number: int) -> list[str]:
    query = "select session_id from fsm_internal.sessions where machine_version = %s order by 1"
    return [name for (name,) in db.execute(query, (number,))]


def test_a_dry_run_reports_and_writes_nothing(two: Api, db: Connection) -> None:
    report = [("a", "a", 2, None), ("b", "b", 2, "unmapped_state")]
    assert upgrade(two, dry_run=True) == report
    assert on_version(db, 2) == []
    row = two.rows("upgrade_sessions", machine="m", from_version=1, to_version=2)[1]
    assert row.message == "version 2 has no state b (first: b-1)"
    assert row.last_session_id == "b-2"


def test_what_fits_moves_and_what_does_not_stays(two: Api, db: Connection) -> None:
    assert upgrade(two, state_map={"b": "c"}) == [
        ("a", "a", 2, None),
        ("b", "c", 1, None),
        ("b", "c", 1, "context_rejected"),
    ]
    assert on_version(db, 2) == ["a-1", "a-2", "b-1"]
    assert upgrade(two, state_map={"b": "c"}) == [("b", "c", 1, "context_rejected")]
    row = two.rows("upgrade_sessions", machine="m", from_version=1, to_version=2, state_map={"b": "c"})[0]
    assert row.message == 'the invariant of state c does not hold: ($."n" > 0) (first: b-2)'
    assert two.rows("verify_sessions") == []


def test_a_moved_session_is_a_new_version_of_kind_upgrade(two: Api) -> None:
    before = two.load("b-1")
    upgrade(two, state_map={"b": "c"})
    after = two.load("b-1")
    assert (after.machine_version, after.state, after.version) == (2, "c", before.version + 1)
    line = two.history("b-1")[0]
    assert (line.kind, line.from_state, line.to_state, line.event) == ("upgrade", "b", "c", None)
    assert line.note == {"from_machine_version": 1}
    assert after.entered_at == after.updated_at > before.updated_at
    assert two.at("b-1", 2).machine_version == 1
    same = two.load("a-1")
    assert same.entered_at == two.at("a-1", 1).entered_at < same.updated_at
    assert two.send("b-1", "BACK").state == "a"


def test_a_patch_makes_them_fit(two: Api, db: Connection) -> None:
    rows = upgrade(two, state_map={"b": "c"}, patch={"n": 5, "old": None})
    assert rows == [("a", "a", 2, None), ("b", "c", 2, None)]
    assert two.load("b-2").context == {"n": 5}
    assert two.at("b-2", 2).context == {"n": 0}
    assert on_version(db, 1) == ["z-1"]


def test_deadlines_of_the_new_version_count_from_when_the_state_was_entered(two: Api) -> None:
    upgrade(two)
    fired = {(row.session_id, row.to_state) for row in two.rows("fire_deadlines")}
    assert fired == {("a-1", "z"), ("a-2", "z")}


def test_a_patch_that_the_schema_refuses_is_reported_by_its_finding(two: Api) -> None:
    assert upgrade(two, dry_run=True, patch={"n": "x"})[0] == ("a", "a", 2, "context_rejected")
    assert upgrade(two, patch={"n": "x"})[0] == ("a", "a", 2, "context_rejected")


def test_page_by_page_in_the_order_of_ids(two: Api, db: Connection) -> None:
    after, looked = None, []
    while rows := two.rows(
        "upgrade_sessions", machine="m", from_version=1, to_version=2, limit=1, dry_run=False, after_session_id=after
    ):
        assert len({row.last_session_id for row in rows}) == 1
        after = rows[0].last_session_id
        looked.append(after)
    assert looked == ["a-1", "a-2", "b-1", "b-2"]
    assert on_version(db, 2) == ["a-1", "a-2"]


def test_a_held_turn_keeps_its_session_where_it_is(two: Api, db: Connection) -> None:
    turn = two.one("begin_turn", session_id="a-1", holder="me").turn
    assert upgrade(two)[:2] == [("a", "a", 1, None), ("a", "a", 1, "turn_held")]
    assert on_version(db, 2) == ["a-2"]
    two.update("a-1", turn=turn)
    two.one("end_turn", session_id="a-1", turn=turn)
    assert upgrade(two)[0] == ("a", "a", 1, None)


def test_a_corrupt_session_is_reported_with_the_rest(two: Api, db: Connection) -> None:
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 'a-1'")
    assert upgrade(two) == [
        ("a", "a", 1, None),
        ("b", "b", 2, "unmapped_state"),
        ("nowhere", "nowhere", 1, "corrupt"),
    ]


def test_history_that_runs_ahead_of_a_session_holds_nobody_up(two: Api, db: Connection) -> None:
    """As after a restore of one table alone: nothing is written over it."""
    two.update("a-1")
    db.execute("update fsm_internal.sessions set version = 1 where session_id = 'a-1'")
    report = [("a", "a", 1, None), ("a", "a", 1, "corrupt"), ("b", "b", 2, "unmapped_state")]
    assert [upgrade(two, dry_run=dry_run) for dry_run in (True, False)] == [report, report]
    assert on_version(db, 2) == ["a-2"]


def test_it_waits_for_who_is_writing(two: Api, db: Connection, connect_as: Callable[..., Any]) -> None:
    busy = Api(connect_as("test_app"))
    busy.conn.execute("begin")
    busy.update("a-1")
    two.conn.execute("set lock_timeout to '50 ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        upgrade(two)
    assert on_version(db, 2) == []
    busy.conn.execute("commit")
    assert upgrade(two)[0] == ("a", "a", 2, None)


def test_an_audited_session_stays_whole(admin: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"GO": "a"}}}, audit="chain")
    admin.create("s-1", "m")
    define({"a": {"on": {"GO": "a"}}, "b": {"on": {"X": "a"}}}, audit="chain")
    define({"a": {"on": {"GO": "a"}}})
    assert upgrade(admin) == [("a", "a", 1, None)]
    assert upgrade(admin, from_version=2, to_version=3) == [("a", "a", 1, None)]
    admin.send("s-1", "GO")
    assert upgrade(admin, from_version=3, to_version=1) == [("a", "a", 1, None)]
    assert admin.rows("verify_sessions") == []


def test_bad_arguments_name_what_is_wrong(two: Api, db: Connection) -> None:
    for sqlstate, arguments, facts in (
        ("22004", {"machine": None}, {"argument": "p_machine"}),
        ("22023", {"machine": ""}, {"argument": "p_machine"}),
        ("SM001", {"machine": "nothing"}, {"machine": "nothing"}),
        ("22004", {"from_version": None}, {"argument": "p_from_version"}),
        ("22004", {"to_version": None}, {"argument": "p_to_version"}),
        ("SM001", {"to_version": 3}, {"machine_version": 3}),
        ("22023", {"to_version": 1}, {"machine_version": 1}),
        ("SM021", {"state_map": []}, {"path": "p_state_map"}),
        ("SM021", {"patch": 5}, {"path": "p_patch"}),
        ("SM021", {"patch": {"current_state": "a"}}, {"path": "p_patch"}),
        ("22023", {"state_map": {"x": "a"}}, {"from_state": "x", "machine_version": 1}),
        ("22023", {"state_map": {"a": "b"}}, {"to_state": "b", "machine_version": 2}),
        ("22023", {"state_map": {"a": None}}, {"from_state": "a", "to_state": None}),
        ("22023", {"limit": 0}, {"argument": "p_limit"}),
        ("22004", {"dry_run": None}, {"argument": "p_dry_run"}),
    ):
        with refused(sqlstate) as refusal:
            upgrade(two, **arguments)
        assert refusal.detail.items() >= facts.items(), arguments
    assert on_version(db, 2) == []


def test_nulls_mean_no_map_no_patch_no_limit(two: Api) -> None:
    rows = upgrade(two, state_map=None, patch=None, limit=None, after_session_id=None)
    assert rows == [("a", "a", 2, None), ("b", "b", 2, "unmapped_state")]


def test_defining_warns_of_sessions_in_states_that_are_missing(two: Api) -> None:
    warnings = two.one(
        "define_machine", definition={"id": "m", "initial": "a", "states": {"a": {"on": {"X": "a"}}}}
    ).warnings
    assert [(w["state"], w["sessions"]) for w in warnings if w["code"] == "live_sessions_in_missing_state"] == [
        ("b", 2)
    ]
