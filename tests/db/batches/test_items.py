"""Items of a batch that are wrong: which one is told, in both modes, and nothing else of it happens."""

from __future__ import annotations

import copy
from typing import Any

import psycopg
import pytest

from support.api import MESSAGES, Api, case, refused
from support.batches import BAD_ITEMS, WRONG_TYPES, item
from support.serverlog import ServerLog


def _versions(db: psycopg.Connection[Any]) -> dict[str, int]:
    rows = db.execute("select session_id, version from fsm.sessions").fetchall()
    history = db.execute("select session_id, max(version) from fsm_internal.history group by 1").fetchall()
    assert dict(rows) == dict(history)
    return dict(rows)


def test_every_reason_is_among_them() -> None:
    told = {sqlstate for sqlstate, _, _ in BAD_ITEMS}
    assert told == set(MESSAGES) - {"SM001", "SM002", "SM011"}


def test_atomic_the_first_is_raised_and_nothing_is_saved(s: Api, db: psycopg.Connection[Any]) -> None:
    before = _versions(db)
    for sqlstate, bad, facts in BAD_ITEMS:
        for ordinal in (1, 3):
            items: list[Any] = [item("s-2", "b"), item("s-3"), item("s-2", "a")]
            items.insert(ordinal - 1, bad)
            items.append(item("nobody either"))
            with case((bad, ordinal)), refused(sqlstate) as refusal:
                s.batch(items)
            assert refusal.detail.pop("ordinal") == ordinal
            assert facts.items() <= refusal.detail.items()
    assert _versions(db) == before


def test_otherwise_it_is_a_row_and_the_others_are_saved(s: Api, db: psycopg.Connection[Any]) -> None:
    before = _versions(db)
    for number, (sqlstate, bad, facts) in enumerate(BAD_ITEMS, start=1):
        rows = s.batch([item("s-2"), bad, item("s-3"), item("s-2")], atomic=False)
        with case(bad):
            assert [row.ordinal for row in rows] == [1, 2, 3, 4]
            version = 2 * number
            assert [row.version for row in rows] == [version, None, number + 1, version + 1]
            assert [row.ok for row in rows] == [True, False, True, True]
            row = rows[1]
            assert (row.sqlstate, row.state) == (sqlstate, None)
            assert row.message in MESSAGES[sqlstate]
            assert row.detail.pop("ordinal") == 2
            assert facts.items() <= row.detail.items()
            session_id = bad.get("session_id") if isinstance(bad, dict) else None
            assert row.session_id == session_id
    count = len(BAD_ITEMS)
    assert _versions(db) == {**before, "s-2": 1 + 2 * count, "s-3": 1 + count}


def test_all_of_them_in_one_batch(s: Api, db: psycopg.Connection[Any], server_log: ServerLog) -> None:
    """A line in the log for each that is more than a misused argument, by ordinal; and none of a context."""
    before = _versions(db)
    server_log.mark()
    rows = s.batch([bad for _, bad, _ in BAD_ITEMS], atomic=False)
    assert [row.sqlstate for row in rows] == [sqlstate for sqlstate, _, _ in BAD_ITEMS]
    assert [row.detail["ordinal"] for row in rows] == list(range(1, len(rows) + 1))
    lines = server_log.events("fsm.refused")
    logged = [(line["ordinal"], line["sqlstate"], line["message"]) for line in lines]
    assert logged == [
        (row.ordinal, row.sqlstate, row.message)
        for row in rows
        if row.sqlstate.startswith("SM") and row.sqlstate != "SM060"
    ]
    assert [line["ordinal"] for line in server_log.events("fsm.corrupt")] == [len(rows)]
    assert len(server_log.events("fsm.loop")) == 1
    assert _versions(db) == before


def test_one_line_for_what_is_raised(s: Api, server_log: ServerLog) -> None:
    server_log.mark()
    with refused("SM030") as refusal:
        s.batch([item("s-1"), item("s-2", expected_version=7), item("nobody")])
    [line] = server_log.events("fsm.refused")
    assert line == {**refusal.detail, "sqlstate": "SM030", "message": "version conflict"}
    assert line["ordinal"] == 2


@pytest.mark.parametrize("key", WRONG_TYPES)
def test_values_of_the_wrong_type(s: Api, key: str) -> None:
    wanted, values = WRONG_TYPES[key]
    rows = s.batch([{**item(), key: value} for value in values], atomic=False)
    for row, value in zip(rows, values, strict=True):
        with case(value):
            assert (row.sqlstate, row.message) == ("22023", "item of a batch has the wrong form")
            assert row.detail == {"argument": "p_items", "key": key, "wanted": wanted, "ordinal": row.ordinal}
            assert row.session_id == (None if key == "session_id" else "s-1")
            with refused("22023") as refusal:
                s.batch([{**item(), key: value}])
            assert refusal.detail == {**row.detail, "ordinal": 1}
    assert s.load("s-1").version == 1


def test_whole_numbers_may_be_written_in_every_way(s: Api) -> None:
    for version, text in enumerate(("1", "2.0", "0.3e1", "40e-1", "5.000"), start=1):
        with case(text):
            batch = f'[{{"session_id": "s-1", "state": "a", "context": {{}}, "expected_version": {text}}}]'
            assert s.batch(batch)[0].version == version + 1
    for text in ("9223372036854775807", "-9223372036854775808", "0", "-1", "-0"):
        batch = f'[{{"session_id": "s-1", "state": "a", "context": {{}}, "expected_version": {text}}}]'
        with case(text), refused("SM030") as refusal:
            s.batch(batch)
        assert refusal.detail["expected_version"] == int(text)


def test_uuids_may_be_written_with_and_without_hyphens(s: Api) -> None:
    for text in ("00000000-0000-0000-0000-00000000000a", "0000000000000000000000000000000A"):
        with case(text):
            rows = s.batch([item("s-1", "a", request_id=text)])
            assert (rows[0].ok, rows[0].version) == (True, 2)


def test_json_nulls_are_as_if_not_given(s: Api, db: psycopg.Connection[Any]) -> None:
    nothing = dict.fromkeys(("expected_version", "event", "request_id", "turn", "actor", "note"))
    assert s.batch([item("s-1", "b", **nothing)])[0].version == 2
    stored = db.execute(
        "select event, actor, note, request_id from fsm_internal.history where session_id = 's-1' and version = 2"
    ).fetchone()
    assert stored == ("GO", None, None, None)


def test_the_first_wrong_key_by_name_is_told(s: Api) -> None:
    wrong = {**item(), "turn": "x", "event": 1, "B": 1, "state": None}
    keys = []
    for key in ("B", "event", "turn"):
        with refused("22023") as refusal:
            s.batch([copy.deepcopy(wrong)])
        keys.append(refusal.detail["key"])
        del wrong[key]
    assert keys == ["B", "event", "turn"]
    with refused("22004"):
        s.batch([wrong])


def test_form_before_argument_before_session(s: Api) -> None:
    """Of two things wrong with an item the one checked earlier is told."""
    for sqlstate, key, wrong in (
        ("22023", "key", {"session_id": "nobody", "state": None, "context": {}, "turn": "x"}),
        ("22004", "argument", {"session_id": "nobody", "state": None, "context": {}, "turn": 1}),
        ("SM010", "session_id", {"session_id": "nobody", "state": "a", "context": [], "turn": 1}),
    ):
        with refused(sqlstate) as refusal:
            s.batch([wrong])
        assert key in refusal.detail


def test_of_a_key_given_twice_the_last_counts(s: Api) -> None:
    """As everywhere in jsonb."""
    rows = s.batch('[{"session_id": "nobody", "session_id": "s-1", "state": "a", "context": {}, "context": {"n": 7}}]')
    assert [(row.session_id, row.version) for row in rows] == [("s-1", 2)]
    assert s.load("s-1").context == {"n": 7}


def test_state_and_id_inside_the_context_are_taken_out(s: Api) -> None:
    s.batch([item("s-1", "b", {"n": 1, "current_state": "b", "session_id": "s-1"})])
    assert s.text("s-1") == '{"n": 1}'
