"""fsm.verify_sessions: nothing to say of what the functions wrote, and each kind of damage by its name."""

# ruff: noqa: E501  # a table of statements is read line by line

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused

Connection = psycopg.Connection[Any]
STATES = {
    "a": {"on": {"GO": "b"}, "after": {"60000": "b"}},
    "b": {"on": {"BACK": "a"}, "meta": {"invariant": "$.n >= 0"}},
}


@pytest.fixture
def sound(admin: Api, define: Callable[..., int]) -> Api:
    """Two sessions of a machine with a hash chain, s-1 with six versions of every kind of change, and one without."""
    define(STATES, audit="chain", loop=None)
    define(STATES, name="plain", loop=None)
    for name, machine in (("s-1", "m"), ("s-2", "plain")):
        admin.create(name, machine, context={"n": 1, "log": [1]})
        admin.update(name, append={"log": [2, 3]})
        admin.send(name, "GO", patch={"n": 2, "new": {"x": None}})
        admin.send(name, "BACK", patch={"log": None})
        admin.update(name)
        admin.one("rollback_session", session_id=name, to_version=2, expected_version=5)
    admin.create("s-3")
    return admin


def found(api: Api, session_id: str | None = None, **more: Any) -> list[tuple[str, str]]:
    return [(row.session_id, row.code) for row in api.rows("verify_sessions", session_id=session_id, **more)]


def test_what_the_functions_wrote_is_sound(sound: Api) -> None:
    assert found(sound) == []
    assert found(sound, "s-1") == []
    forked = sound.one("fork_session", session_id="s-1", version=3, new_session_id="s-4")
    assert forked.version == 1
    turn = sound.one("begin_turn", session_id="s-4", holder="me").turn
    sound.update("s-4", turn=turn)
    assert found(sound) == []


# Statement on the tables, and what is found in s-1 (with a hash chain) and in s-2 (without).
DAMAGE: list[tuple[str, list[str], list[str]]] = [
    ("update fsm_internal.sessions s set state = 'x'", ["unknown_state", "row_disagrees_with_history"], ["unknown_state", "row_disagrees_with_history"]),
    ("update fsm_internal.sessions s set state = 'b'", ["row_disagrees_with_history"], ["row_disagrees_with_history"]),
    ("update fsm_internal.sessions s set version = 9", ["row_disagrees_with_history"], ["row_disagrees_with_history"]),
    ("update fsm_internal.sessions s set updated_at = now()", ["row_disagrees_with_history"], ["row_disagrees_with_history"]),
    ("update fsm_internal.sessions s set wake_at = null", ["deadline_lost"], ["deadline_lost"]),
    ("delete from fsm_internal.deadlines s where true", ["deadline_lost"], ["deadline_lost"]),
    ("update fsm_internal.sessions s set wake_at = wake_at + interval '1 day'", ["deadline_lost"], ["deadline_lost"]),
    ("""update fsm_internal.sessions s set context = context || '{"n": 3}'""", ["chain_broken"], []),
    ("""update fsm_internal.sessions s set context = context || '{"n": -3}'""", ["chain_broken"], []),
    ("delete from fsm_internal.history s where version = 3", ["version_gap", "chain_broken"], ["version_gap"]),
    ("delete from fsm_internal.history s where version = 1", ["history_cut", "chain_broken"], ["history_cut"]),
    ("delete from fsm_internal.history s where version = 6", ["row_disagrees_with_history"], ["row_disagrees_with_history"]),
    ("delete from fsm_internal.history s where true", ["history_missing"], ["history_missing"]),
    ("update fsm_internal.history s set from_state = 'b' where version = 2", ["from_state_mismatch", "chain_broken"], ["from_state_mismatch"]),
    ("update fsm_internal.history s set to_state = 'x' where version = 5",
     ["unknown_state_in_history", "from_state_mismatch", "chain_broken"], ["unknown_state_in_history", "from_state_mismatch"]),
    ("update fsm_internal.history s set kind = 'update' where version = 1", ["bad_first_row", "chain_broken"], ["bad_first_row"]),
    ("update fsm_internal.history s set at = at - interval '1 hour' where version = 4",
     ["time_not_increasing", "chain_broken"], ["time_not_increasing"]),
    ("update fsm_internal.history s set actor = 'somebody else' where version = 2", ["chain_broken"], []),
    ("update fsm_internal.history s set chain_hash = null where version = 2", ["chain_broken", "chain_missing"], []),
    ("""update fsm_internal.history s set undo = '{"set": {"n": -7, "log": []}}' where version = 5""",
     [*["chain_broken"] * 3, "context_not_admitted"], ["context_not_admitted"]),
    ("""update fsm_internal.history s set undo = '{"cut": {"log": 99}}' where version = 2""", ["chain_broken", "undo_broken"], ["undo_broken"]),
    ("""update fsm_internal.history s set undo = '{"cut": {"log": "x"}}' where version = 2""", ["chain_broken", "undo_broken"], ["undo_broken"]),
    ("""update fsm_internal.history s set undo = '{"drop": ["gone"]}' where version = 2""", ["chain_broken", "undo_broken"], ["undo_broken"]),
    ("""update fsm_internal.history s set undo = '{"drop": 1}' where version = 2""", ["chain_broken", "undo_broken"], ["undo_broken"]),
    ("""update fsm_internal.history s set undo = '[]' where version = 2""", ["chain_broken", "undo_broken"], ["undo_broken"]),
    ("""update fsm_internal.history s set undo = '{"set": {"session_id": 1}}' where version = 2""", ["chain_broken", "undo_broken"], ["undo_broken"]),
    ("""update fsm_internal.history s set undo = '{"sett": {}}' where version = 2""", ["chain_broken", "undo_broken"], ["undo_broken"]),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "chained", "plain"), DAMAGE, ids=lambda value: str(value)[:70])
def test_damage_is_found_and_named(
    sound: Api, db: Connection, statement: str, chained: list[str], plain: list[str]
) -> None:
    for name, expected in (("s-1", chained), ("s-2", plain)):
        joined = statement + (" and " if " where " in statement else " where ") + f"s.session_id = '{name}'"
        db.execute(joined.encode())
        assert found(sound, name) == [(name, code) for code in expected]
    assert found(sound) == [("s-1", code) for code in chained] + [("s-2", code) for code in plain]


def test_a_context_that_its_state_refuses(sound: Api, db: Connection) -> None:
    sound.send("s-2", "GO")
    db.execute("""update fsm_internal.sessions set context = '{"n": -1}' where session_id = 's-2'""")
    assert found(sound)[0] == ("s-2", "context_not_admitted")
    [row] = [row for row in sound.rows("verify_sessions") if row.code == "context_not_admitted"]
    assert row.detail == {"version": 7, "state": "b"}


def test_a_session_that_is_gone_but_for_its_history(sound: Api, db: Connection) -> None:
    db.execute("delete from fsm_internal.sessions where session_id = 's-2'")
    assert found(sound) == [("s-2", "history_without_session")]
    [row] = sound.rows("verify_sessions", session_id="s-2")
    assert row.detail == {"versions": 6, "newest_version": 6}


def test_a_turn_counter_that_was_set_back(sound: Api, db: Connection) -> None:
    sound.one("begin_turn", session_id="s-3", holder="me")
    db.execute("update fsm_internal.sessions set turn = turn - 1 where session_id = 's-3'")
    assert found(sound) == [("s-3", "turn_behind")]


def test_page_by_page(sound: Api, db: Connection) -> None:
    db.execute("update fsm_internal.sessions set version = 99")
    db.execute("delete from fsm_internal.sessions where session_id = 's-2'")
    pages = [found(sound, limit=1), found(sound, limit=1, after_session_id="s-1"), found(sound, after_session_id="s-2")]
    assert pages == [
        [("s-1", "row_disagrees_with_history")],
        [("s-2", "history_without_session")],
        [("s-3", "row_disagrees_with_history")],
    ]
    assert found(sound, after_session_id="s-3") == []


def test_an_overdue_deadline_is_not_lost(sound: Api, db: Connection) -> None:
    """Nobody fired it; that is not for this check to tell."""
    db.execute(
        "update fsm_internal.sessions set wake_at = wake_at - interval '1 day', entered_at = entered_at - interval '1 day'"
    )
    db.execute("update fsm_internal.deadlines set wake_at = wake_at - interval '1 day'")
    assert {code for _, code in found(sound)} == {"row_disagrees_with_history"}


def test_bad_arguments(sound: Api) -> None:
    for sqlstate, arguments in (
        ("22023", {"limit": 0}),
        ("22023", {"session_id": ""}),
        ("22023", {"session_id": "x" * 513}),
        ("SM010", {"session_id": "nobody"}),
    ):
        with refused(sqlstate):
            sound.rows("verify_sessions", **arguments)
