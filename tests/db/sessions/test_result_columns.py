"""Every function answers with the columns that the contract lists: names, order and types."""

from __future__ import annotations

from typing import Any

from support.api import Api

SAVE_RESULT = (
    "session_id text, machine text, machine_version int4, version int8, state text, previous_state text,"
    " changed_state bool, loop_detected bool, replayed bool, is_final bool, context_version int4,"
    " entered_at timestamptz, created_at timestamptz, saved_at timestamptz"
)
SESSION_ROW = (
    "session_id text, machine text, machine_version int4, state text, version int8, context jsonb,"
    " context_version int4, is_final bool, entered_at timestamptz, created_at timestamptz, updated_at timestamptz"
)
COLUMNS = {
    "create_session": SAVE_RESULT,
    "save_session": SAVE_RESULT,
    "update_context": SAVE_RESULT,
    "send_event": f"{SAVE_RESULT}, context jsonb",
    "load_session": f"{SESSION_ROW}, unchanged bool",
    "load_sessions": SESSION_ROW,
    "load_session_at": SESSION_ROW,
    "history": (
        "version int8, kind text, from_state text, to_state text, event text, actor text, db_user text, note jsonb,"
        " loop_detected bool, at timestamptz"
    ),
    "allowed_events": "event text, to_state text, guard text, allowed bool, reason text",
    "validate_context": "code text, path text, message text",
    "detect_loop": (
        "from_state text, to_state text, occurrences int4, loop_limit int4, loop_window interval,"
        " first_at timestamptz, last_at timestamptz"
    ),
    "schema_release": "schema_release text",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "create_session": {"session_id": "new", "machine": "door"},
    "save_session": {"session_id": "s-1", "state": "open", "context": {}, "expected_version": 1},
    "send_event": {"session_id": "s-1", "event": "OPEN"},
    "load_sessions": {"session_ids": ["s-1"]},
    "load_session_at": {"session_id": "s-1", "version": 1},
    "validate_context": {"machine": "door", "state": "open", "context": []},
    "schema_release": {},
}


def test_result_columns(api: Api) -> None:
    api.create("s-1")
    for function, columns in COLUMNS.items():
        with api.conn.transaction(force_rollback=True):
            cursor = api.cursor(function, **ARGUMENTS.get(function, {"session_id": "s-1"}))
            assert cursor.description is not None
            assert ", ".join(f"{one.name} {one.type_display}" for one in cursor.description) == columns, function
            assert len(cursor.fetchall()) == {"allowed_events": 2, "detect_loop": 0}.get(function, 1), function


def test_a_write_answers_with_what_the_session_then_is(api: Api) -> None:
    """The save_result and the session_row agree in all that they share."""
    answers = [api.create("s-1", context={"a": 1}), api.send("s-1", "OPEN", patch={"b": 2}), api.update("s-1")]
    answers.append(api.save("s-1", "closed", {"c": 3}, 3))
    for version, answer in enumerate(answers, start=1):
        row = api.at("s-1", version)
        shared = set(answer._fields) & set(row._fields)
        assert len(shared) >= 9
        assert {name: getattr(answer, name) for name in shared} == {name: getattr(row, name) for name in shared}
        assert (answer.version, answer.saved_at) == (version, row.updated_at)
    now = api.load("s-1")
    assert now[:-1] == row
    assert now.unchanged is False
