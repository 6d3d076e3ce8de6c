"""Tables, types, constraints and indexes: commented, named, ready to be distributed by session_id."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
import pytest

OURS = "in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)"
PER_SESSION = ["deadlines", "deleted_sessions", "history", "history_cuts", "import_items", "sessions", "turns"]
# Read in the order of time, over all sessions: an index, not a key.
ACROSS_SESSIONS = {
    "history_feed": "feed_position",
    "deleted_sessions_feed": "feed_position",
    "deadlines_to_wake": "wake_at",
    # Originals belong to a batch, and to a session that they may never become.
    "import_items_pkey": "batch",
    "import_items_target": "target",
}
# Columns whose meaning a name does not tell.
COLUMNS_WITH_COMMENT = {
    ("history", "undo"),
    ("history", "chain_hash"),
    ("history", "feed_position"),
    ("feed_epochs", "base"),
    ("turns", "expires_at"),
    ("deadlines", "fired_ms"),
    ("sessions", "turn"),
    ("sessions", "wake_at"),
    ("sessions", "state"),
    ("sessions", "context"),
    ("machine_versions", "created_by"),
    ("machine_states", "invariants"),
    ("machine_states", "schema_check"),
    ("machine_states", "schema_rest"),
    ("machine_moves", "hits"),
    ("machine_moves", "guards"),
    ("machine_moves", "target"),
    ("machine_moves", "same_rule"),
}


def test_schemas_tables_views_and_types_have_comments(db: psycopg.Connection[Any]) -> None:
    query = f"""
        select n.nspname::text, obj_description(n.oid, 'pg_namespace') from pg_namespace n where n.oid {OURS}
        union all
        select c.oid::regclass::text, obj_description(c.oid, 'pg_class') from pg_class c
        where c.relnamespace {OURS} and c.relkind in ('r', 'p', 'v', 'm', 'f')
        union all
        select format_type(t.oid, null), obj_description(t.oid, 'pg_type') from pg_type t
        left join pg_class c on c.oid = t.typrelid
        where t.typnamespace {OURS} and t.typelem = 0 and (t.typrelid = 0 or c.relkind = 'c')"""
    rows = db.execute(query).fetchall()
    assert len(rows) > 15
    assert [name for name, comment in rows if not comment] == []


def test_columns_that_need_a_comment_have_one(db: psycopg.Connection[Any]) -> None:
    query = f"""
        select c.relname::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace {OURS} and c.relkind = 'r' and col_description(c.oid, a.attnum) is not null"""
    assert {tuple(row) for row in db.execute(query)} >= COLUMNS_WITH_COMMENT


def test_constraints_are_named_by_hand(db: psycopg.Connection[Any]) -> None:
    """Not-null constraints, which have names from PostgreSQL 18 on, excepted."""
    query = f"select conname::text, contype::text from pg_constraint where connamespace {OURS} and contype <> 'n'"
    rows = db.execute(query).fetchall()
    assert {kind for _, kind in rows} >= {"p", "f", "c"}
    for name, kind in rows:
        assert not re.search(r"_(check|key|excl)\d*$", name), name
        assert name.endswith({"p": "_pkey", "f": "_fkey"}.get(kind, "")), name


def test_indexes_are_named_by_hand(db: psycopg.Connection[Any]) -> None:
    query = f"select c.relname::text from pg_class c where c.relnamespace {OURS} and c.relkind = 'i'"
    for (name,) in db.execute(query):
        assert not re.search(r"_idx\d*$", name), name


def test_session_id_is_text_and_first_in_every_key_of_a_per_session_table(db: psycopg.Connection[Any]) -> None:
    query = f"""
        select c.relname::text, i.indexrelid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
        from pg_class c
        join pg_index i on i.indrelid = c.oid
        join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
        where c.relnamespace {OURS}
          and exists (select from pg_attribute s where s.attrelid = c.oid and s.attname = 'session_id')"""
    rows = db.execute(query).fetchall()
    assert sorted({table for table, *_ in rows}) == PER_SESSION
    firsts = {index.rpartition(".")[2]: (column, kind) for _, index, column, kind in rows}
    assert {index: firsts.pop(index)[0] for index in ACROSS_SESSIONS} == ACROSS_SESSIONS
    assert set(firsts.values()) == {("session_id", "text")}


def test_the_hot_row_has_no_index_but_its_key(db: psycopg.Connection[Any]) -> None:
    """An index on a column that changes would end HOT updates."""
    query = "select indexrelid::regclass::text from pg_index where indrelid = 'fsm_internal.sessions'::regclass"
    assert db.execute(query).fetchall() == [("fsm_internal.sessions_pkey",)]
    [(options,)] = db.execute(
        "select reloptions from pg_class where oid = 'fsm_internal.sessions'::regclass"
    ).fetchall()
    [fillfactor] = [int(one.partition("=")[2]) for one in options if one.startswith("fillfactor=")]
    assert fillfactor < 100


def test_no_sequences_triggers_rules_policies_or_inheritance(db: psycopg.Connection[Any]) -> None:
    """Nothing that acts behind the functions' back, and no counter beside the session's own."""
    relation = f"join pg_class c on c.oid = %s where c.relnamespace {OURS}"
    for query in (
        f"select relname from pg_class where relnamespace {OURS} and relkind not in ('r', 'i', 'c', 't', 'v')",
        f"select tgname from pg_trigger {relation % 'tgrelid'} and not tgisinternal",
        f"select rulename from pg_rewrite {relation % 'ev_class'} and c.relkind = 'r'",
        f"select polname from pg_policy {relation % 'polrelid'}",
        f"select attname from pg_attribute {relation % 'attrelid'} and attidentity <> ''",
        f"select inhrelid::regclass::text from pg_inherits {relation % 'inhrelid'}",
    ):
        assert db.execute(query).fetchall() == [], query


def test_foreign_keys_lead_to_definitions_only(db: psycopg.Connection[Any]) -> None:
    query = f"select confrelid::regclass::text, condeferrable from pg_constraint where connamespace {OURS}"
    rows = {tuple(row) for row in db.execute(f"{query} and contype = 'f'")}
    assert rows == {("fsm_internal.machine_versions", False), ("fsm_internal.machine_states", False)}


def test_api_functions_show_no_table_row_type(db: psycopg.Connection[Any]) -> None:
    """Arguments and results are of PostgreSQL's own types."""
    query = """
        select p.proname, t.typname from pg_proc p
        cross join lateral unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype) a (oid)
        join pg_type t on t.oid = a.oid
        where p.pronamespace = 'fsm'::regnamespace and t.typnamespace <> 'pg_catalog'::regnamespace"""
    assert db.execute(query).fetchall() == []


CONSTRAINTS = [
    ("sessions", "context", "'[]'"),
    ("sessions", "context", """'{"current_state": "a"}'"""),
    ("sessions", "context", """'{"session_id": "a"}'"""),
    ("sessions", "machine_version", "7"),
    ("sessions", "context", "null"),
    ("history", "kind", "'other'"),
    ("history", "db_user", "null"),
    ("machine_versions", "machine", "'other'"),
    ("machine_versions", "machine_version", "0"),
    ("machine_candidates", "loop_action", "'other'"),
    ("machine_candidates", "loop_limit", "0"),
    ("machine_candidates", "loop_limit", "null"),
    ("machine_candidates", "to_state", "'other'"),
    ("machine_delays", "delay_ms", "315576000001"),
    ("machine_states", "max_context_bytes", "1"),
]


def test_the_tables_themselves_refuse_what_makes_no_sense(db: psycopg.Connection[Any]) -> None:
    """Even the owner's hand."""
    states = {"a": {"on": {"GO": "a"}, "after": {"1": "a"}}}
    db.execute("select fsm.define_machine(%s)", (json.dumps({"id": "m", "initial": "a", "states": states}),))
    db.execute("select fsm.create_session('s-1', 'm')")
    for table, column, value in CONSTRAINTS:
        with pytest.raises(psycopg.errors.IntegrityError):
            db.execute(f"update fsm_internal.{table} set {column} = {value}")
