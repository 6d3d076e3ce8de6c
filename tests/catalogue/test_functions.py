"""What the catalogue says of every function: language, volatility, strictness, names, size, comment."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

OURS = "in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)"
VOLATILE = {
    *("define_machine", "retire_machine", "create_session", "save_session", "save_sessions", "send_event"),
    *("update_context", "fork_session", "rollback_session", "delete_session"),
    *("begin_turn", "extend_turn", "end_turn", "fire_deadlines"),
    *("upgrade_sessions", "purge_sessions", "trim_history", "new_feed_epoch"),
    *("import_sessions", "undo_import", "purge_import"),
}
# Helpers that write, take the lock, set a setting, or must see what was committed a moment ago.
MUST_BE_VOLATILE = {
    "lock_session",
    *(
        "import_session",
        "import_items_of",
        "import_obstacle",
        "write_import",
        "keep_import_item",
        "lock_batch",
        "is_as_imported",
    ),
    "erase_sessions",
    "make_durable",
    "read_locked_session",
    "replayed_version",
    "passage_at",
    "create_session",
    "insert_session",
    "save_session",
    "send_event",
    "update_context",
    "settle_write",
    "loop_refusal",
    "candidate_rule",
    "refuse",
    "claim_id",
    "fork_session",
    "rollback_session",
    "delete_session",
    "lock_sessions",
    "try_lock_session",
    "begun_turn",
    "begin_turn",
    "extend_turn",
    "end_turn",
    "turn_refusal",
    "precondition_refusal",
    "wake",
    "put_wake",
    "fire_deadline",
    "settle_deadline",
    "postpone_deadline",
    "upgrade_session",
    "upgraded",
    "cut_history",
    "store_machine",
}
# One snapshot for all that they read.
MUST_BE_STABLE = {"context_at", "loops_of", "admission_of", "machine_findings", "feed_horizon"}
MUST_BE_STABLE |= {"session_problems", "row_problems", "history_problems", "past_problems"}
ARGUMENT = re.compile(r"p_[a-z][a-z_]*")


def _functions(db: psycopg.Connection[Any], columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    query = f"""
        select p.pronamespace::regnamespace::text, p.proname, {columns}
        from pg_proc p join pg_language l on l.oid = p.prolang
        where p.pronamespace {OURS} and {where} order by 1, 2"""
    rows = db.execute(query).fetchall()
    assert rows
    return rows


def test_functions_that_write_are_volatile_and_those_that_read_are_stable(db: psycopg.Connection[Any]) -> None:
    """A stable function would read the snapshot of the statement that called it: what was before the lock."""
    for schema, name, volatility in _functions(db, "p.provolatile::text"):
        if schema == "fsm":
            assert (name, volatility) == (name, "v" if name in VOLATILE else "s")
        elif name in MUST_BE_VOLATILE:
            assert (name, volatility) == (name, "v")
        elif name in MUST_BE_STABLE:
            assert (name, volatility) == (name, "s")
    names = {name for _, name, _ in _functions(db, "1")}
    assert names >= MUST_BE_VOLATILE | MUST_BE_STABLE


def test_what_reads_a_table_is_not_immutable(db: psycopg.Connection[Any]) -> None:
    immutable = _functions(db, "coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)", "p.provolatile = 'i'")
    tables = r"fsm_internal\.(sessions|history|releases|machine_(versions|states|candidates|moves|delays))\b"
    for _, name, body in immutable:
        assert not re.search(rf"{tables}|\b(clock_timestamp|clock|now|current_setting|random)\(", body), name


def test_none_is_strict_parallel_or_leakproof(db: psycopg.Connection[Any]) -> None:
    """Null arguments are answered with 22004, not with null; nothing runs in a parallel worker."""
    odd = [
        row
        for row in _functions(db, "p.proisstrict, p.proparallel::text, p.proleakproof")
        if row[2:] != (False, "u", False)
    ]
    assert odd == []


def test_languages(db: psycopg.Connection[Any]) -> None:
    """A string body in language sql would be planned anew at every call."""
    for _, name, language, standard in _functions(db, "l.lanname, p.prosqlbody is not null"):
        assert language in ("sql", "plpgsql"), name
        assert standard is (language == "sql"), name


def test_arguments_are_named_p(db: psycopg.Connection[Any]) -> None:
    for _, name, names, modes in _functions(db, "p.proargnames, p.proargmodes::text[]", "p.pronargs > 0"):
        given = [one for one, mode in zip(names, modes or ["i"] * len(names), strict=True) if mode in ("i", "b", "v")]
        assert [one for one in given if not ARGUMENT.fullmatch(one)] == [], name


def test_locals_are_named_v(db: psycopg.Connection[Any]) -> None:
    for _, name, body in _functions(db, "p.prosrc", "l.lanname = 'plpgsql'"):
        declared = re.search(r"\bdeclare\b(.*?)\bbegin\b", body, re.DOTALL)
        lines = re.sub(r"--.*", "", declared[1]).split(";") if declared else []
        for line in lines:
            if line.strip():
                assert re.match(r"\s*v_[a-z0-9_]+\s", line), (name, line)


def test_no_result_column_is_named_window_or_limit(db: psycopg.Connection[Any]) -> None:
    for _, name, names in _functions(db, "p.proargnames", "p.proargnames is not null"):
        assert not {"window", "limit", "offset", "order", "user"} & set(names), name


def test_no_body_has_more_than_60_lines(db: psycopg.Connection[Any]) -> None:
    for _, name, body in _functions(db, "coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)"):
        assert len(body.strip().splitlines()) <= 60, name


def test_no_dynamic_sql(db: psycopg.Connection[Any]) -> None:
    for _, name, body in _functions(db, "p.prosrc", "l.lanname = 'plpgsql'"):
        if name != "new_feed_epoch":  # a number of its own goes into the default of a column
            assert not re.search(r"\bexecute\b", re.sub(r"--.*|'(?:[^']|'')*'", "", body)), name


def test_nothing_that_a_sharded_engine_cannot_have(db: psycopg.Connection[Any]) -> None:
    for _, name, body in _functions(db, "coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)"):
        code = re.sub(r"--.*|'(?:[^']|'')*'", "", body.lower())
        for word in (
            r"\bcurrent_user\b",
            r"\bnotify\b",
            r"\bpg_notify\b",
            r"\bnextval\b",
            r"\bpg_advisory_lock\b",
            r"\bhashtext\b",
        ):
            assert not re.search(word, code), (name, word)
        if name != "make_durable":
            assert "set_config" not in code, name
            assert "current_setting" not in code, name


@pytest.mark.parametrize("word", ["pg_advisory_xact_lock", "pg_try_advisory_xact_lock", "for no key update"])
def test_the_lock_is_taken_in_few_places(db: psycopg.Connection[Any], word: str) -> None:
    takers = {
        name
        for _, name, body in _functions(db, "coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)")
        if word in body.lower()
    }
    expected = {
        "pg_advisory_xact_lock": {"lock_session", "lock_sessions", "lock_batch", "define_machine"},
        "pg_try_advisory_xact_lock": {"try_lock_session"},
        "for no key update": {"claim_id", "read_locked_session", "save_session", "begun_turn"},
    }
    assert takers == expected[word]


def test_every_function_has_a_comment_that_names_its_errors(db: psycopg.Connection[Any]) -> None:
    for schema, name, comment in _functions(db, "obj_description(p.oid, 'pg_proc')"):
        assert comment, name
        assert comment.endswith("."), name
        if schema == "fsm" and name != "schema_release":
            assert "Errors" in comment, name


def test_the_comment_names_every_sqlstate_that_can_come(db: psycopg.Connection[Any]) -> None:
    """As far as it is common to all writes."""
    comments = {
        name: comment
        for schema, name, comment in _functions(db, "obj_description(p.oid, 'pg_proc')")
        if schema == "fsm"
    }
    for name in ("save_session", "send_event", "update_context"):
        for sqlstate in ("22004", "22023", "SM010", "SM051", "SM030", "SM012", "SM021", "40001"):
            assert sqlstate in comments[name], (name, sqlstate)
    for name in ("save_session", "send_event"):
        for sqlstate in ("SM020", "SM022", "SM040"):
            assert sqlstate in comments[name], (name, sqlstate)
