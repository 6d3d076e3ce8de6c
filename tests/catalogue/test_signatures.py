"""Names, arguments, defaults and results of schema fsm are those of the contract, in its order."""

from __future__ import annotations

from typing import Any

import psycopg

SAVE_RESULT = (
    "session_id text, machine text, machine_version integer, version bigint, state text, previous_state text,"
    " changed_state boolean, loop_detected boolean, replayed boolean, is_final boolean, context_version integer,"
    " entered_at timestamp with time zone, created_at timestamp with time zone, saved_at timestamp with time zone"
)
SESSION_ROW = (
    "session_id text, machine text, machine_version integer, state text, version bigint, context jsonb,"
    " context_version integer, is_final boolean, entered_at timestamp with time zone,"
    " created_at timestamp with time zone, updated_at timestamp with time zone"
)
FINDING = "severity text, code text, path text, message text"
WHO = "p_actor text DEFAULT NULL::text, p_note jsonb DEFAULT NULL::jsonb"
HOW = "p_request_id uuid DEFAULT NULL::uuid, p_turn bigint DEFAULT NULL::bigint"
VERSION = "p_expected_version bigint DEFAULT NULL::bigint"
PATCH, APPEND = "p_patch jsonb DEFAULT '{}'::jsonb", "p_append jsonb DEFAULT '{}'::jsonb"
MACHINE_VERSION = "p_machine_version integer DEFAULT NULL::integer"

# Arguments and result of each function, as PostgreSQL writes them.
SIGNATURES = {
    "define_machine": (
        "p_definition jsonb",
        "TABLE(machine text, machine_version integer, created boolean, warnings jsonb)",
    ),
    "check_machine": ("p_definition jsonb", f"TABLE({FINDING})"),
    "machine_definition": (f"p_machine text, {MACHINE_VERSION}", "jsonb"),
    "retire_machine": ("p_machine text, p_machine_version integer, p_retired boolean DEFAULT true", "boolean"),
    "create_session": (
        f"p_session_id text, p_machine text, p_context jsonb DEFAULT '{{}}'::jsonb, {MACHINE_VERSION},"
        f" p_request_id uuid DEFAULT NULL::uuid, {WHO}",
        f"TABLE({SAVE_RESULT})",
    ),
    "load_session": (
        "p_session_id text, p_known_version bigint DEFAULT NULL::bigint,"
        " p_known_updated_at timestamp with time zone DEFAULT NULL::timestamp with time zone",
        f"TABLE({SESSION_ROW}, unchanged boolean)",
    ),
    "load_sessions": ("p_session_ids text[]", f"TABLE({SESSION_ROW})"),
    "save_session": (
        "p_session_id text, p_state text, p_context jsonb, p_expected_version bigint,"
        f" p_event text DEFAULT NULL::text, {HOW}, {WHO}",
        f"TABLE({SAVE_RESULT})",
    ),
    "send_event": (
        f"p_session_id text, p_event text, {PATCH}, {VERSION}, {HOW}, {WHO}, {APPEND}",
        f"TABLE({SAVE_RESULT}, context jsonb)",
    ),
    "update_context": (f"p_session_id text, {PATCH}, {APPEND}, {VERSION}, {HOW}, {WHO}", f"TABLE({SAVE_RESULT})"),
    "history": (
        "p_session_id text, p_limit integer DEFAULT 100, p_before_version bigint DEFAULT NULL::bigint",
        "TABLE(version bigint, kind text, from_state text, to_state text, event text, actor text, db_user text,"
        " note jsonb, loop_detected boolean, at timestamp with time zone)",
    ),
    "load_session_at": ("p_session_id text, p_version bigint", f"TABLE({SESSION_ROW})"),
    "allowed_events": (
        "p_session_id text",
        "TABLE(event text, to_state text, guard text, allowed boolean, reason text)",
    ),
    "validate_context": (
        f"p_machine text, p_state text, p_context jsonb, {MACHINE_VERSION}",
        "TABLE(code text, path text, message text)",
    ),
    "detect_loop": (
        "p_session_id text",
        "TABLE(from_state text, to_state text, occurrences integer, loop_limit integer, loop_window interval,"
        " first_at timestamp with time zone, last_at timestamp with time zone)",
    ),
    "list_sessions": (
        "p_machine text DEFAULT NULL::text, p_state text DEFAULT NULL::text,"
        " p_after_session_id text DEFAULT NULL::text, p_limit integer DEFAULT 100",
        f"TABLE({SESSION_ROW.replace(' context jsonb,', '')})",
    ),
    "load_context": ("p_session_id text, p_paths text[]", "TABLE(path text, value jsonb, version bigint)"),
    "session_as_of": ("p_session_id text, p_at timestamp with time zone", f"TABLE({SESSION_ROW})"),
    "diff_session": (
        "p_session_id text, p_from_version bigint, p_to_version bigint",
        "TABLE(path text, old jsonb, new jsonb)",
    ),
    "diagram": (
        f"p_machine text, {MACHINE_VERSION}, p_format text DEFAULT 'mermaid'::text,"
        " p_session_id text DEFAULT NULL::text",
        "text",
    ),
    "looping_sessions": (
        "p_limit integer DEFAULT 100",
        "TABLE(session_id text, from_state text, to_state text, occurrences integer, loop_limit integer,"
        " loop_window interval, first_at timestamp with time zone, last_at timestamp with time zone)",
    ),
    "stuck_sessions": (
        "p_idle interval, p_limit integer DEFAULT 100",
        "TABLE(session_id text, machine text, state text, version bigint, updated_at timestamp with time zone)",
    ),
    "audit_head": ("p_session_id text, p_version bigint DEFAULT NULL::bigint", "TABLE(version bigint, hash text)"),
    "metrics": ("", "jsonb"),
    "doctor": ("", "TABLE(severity text, check_name text, message text, hint text)"),
    "save_sessions": (
        "p_items jsonb, p_atomic boolean DEFAULT true",
        "TABLE(ordinal integer, session_id text, ok boolean, sqlstate text, message text, detail jsonb, version bigint,"
        " state text)",
    ),
    "fork_session": (
        "p_session_id text, p_version bigint, p_new_session_id text, p_request_id uuid DEFAULT NULL::uuid,"
        " p_actor text DEFAULT NULL::text",
        f"TABLE({SAVE_RESULT})",
    ),
    "rollback_session": (
        "p_session_id text, p_to_version bigint, p_expected_version bigint, p_reason text DEFAULT NULL::text,"
        f" {HOW}, p_actor text DEFAULT NULL::text",
        f"TABLE({SAVE_RESULT}, context jsonb)",
    ),
    "delete_session": ("p_session_id text", "boolean"),
    "begin_turn": (
        "p_session_id text, p_holder text, p_ttl interval DEFAULT '00:01:00'::interval,"
        " p_request_id uuid DEFAULT NULL::uuid",
        f"TABLE(turn bigint, expires_at timestamp with time zone, {SESSION_ROW})",
    ),
    "extend_turn": ("p_session_id text, p_turn bigint, p_ttl interval", "timestamp with time zone"),
    "end_turn": ("p_session_id text, p_turn bigint", "boolean"),
    "fire_deadlines": (
        "p_limit integer DEFAULT 100",
        "TABLE(session_id text, from_state text, to_state text, version bigint, sqlstate text, message text)",
    ),
    "upgrade_sessions": (
        "p_machine text, p_from_version integer, p_to_version integer, p_state_map jsonb DEFAULT '{}'::jsonb,"
        " p_patch jsonb DEFAULT NULL::jsonb, p_limit integer DEFAULT 1000, p_dry_run boolean DEFAULT true,"
        " p_after_session_id text DEFAULT NULL::text",
        "TABLE(from_state text, to_state text, sessions bigint, code text, message text, last_session_id text)",
    ),
    "verify_sessions": (
        "p_session_id text DEFAULT NULL::text, p_limit integer DEFAULT NULL::integer,"
        " p_after_session_id text DEFAULT NULL::text",
        "TABLE(session_id text, code text, detail jsonb)",
    ),
    "purge_sessions": (
        "p_idle interval, p_limit integer DEFAULT 1000, p_only_final boolean DEFAULT true",
        "bigint",
    ),
    "import_sessions": (
        "p_items jsonb, p_batch uuid, p_dry_run boolean DEFAULT true",
        "TABLE(session_id text, outcome text, code text, message text)",
    ),
    "undo_import": ("p_batch uuid", "TABLE(removed bigint, kept bigint)"),
    "import_original": ("p_batch uuid, p_session_id text", "TABLE(source text, original text)"),
    "purge_import": ("p_batch uuid", "bigint"),
    "trim_history": (
        "p_keep_versions integer, p_limit integer DEFAULT 1000, p_keep_for interval DEFAULT '1 day'::interval",
        "bigint",
    ),
    "changes": (
        "p_after text DEFAULT NULL::text, p_limit integer DEFAULT 1000",
        "TABLE(cursor text, session_id text, version bigint, kind text, from_state text, to_state text, event text,"
        " at timestamp with time zone)",
    ),
    "new_feed_epoch": ("", "text"),
    "schema_release": ("", "text"),
}


def test_each_function_is_as_the_contract_says(db: psycopg.Connection[Any]) -> None:
    """And there is one of each name: no overloads, which would make calls by name ambiguous."""
    rows = db.execute(
        "select proname, pg_get_function_arguments(oid), pg_get_function_result(oid) from pg_proc"
        " where pronamespace = 'fsm'::regnamespace"
    ).fetchall()
    assert len(rows) == len(SIGNATURES)
    assert {name: (arguments, result) for name, arguments, result in rows} == SIGNATURES
