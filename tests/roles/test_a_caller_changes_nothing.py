"""A caller's temporary tables, functions, operators, search_path and settings do not change what the functions do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api, refused

STATES = {
    "a": {"on": {"GO": [{"target": "b", "guard": "$.n > 1"}, {"target": "a"}], "SELF": "a"}},
    "b": {"on": {"BACK": "a"}, "meta": {"invariant": '$.t like_regex "^x+$"'}},
}
META = {
    "loop": {"limit": 2, "window": "1 day 1 hour", "action": "block"},
    "context_schema": {"properties": {"t": {"type": "string", "pattern": "^[a-z]+$"}, "when": {"type": "string"}}},
    "audit": "chain",
    "max_context_bytes": 500,
}
# An operator or function of the caller's that is found first would raise, or say yes to everything.
EVIL = """
create function evil.no() returns boolean language plpgsql as $$begin raise 'evil was called'; end$$;
create function evil.eq(text, text) returns boolean language sql as $$select true$$;
create function evil.eq(bigint, bigint) returns boolean language sql as $$select true$$;
create function evil.eq(jsonb, jsonb) returns boolean language sql as $$select true$$;
create operator evil.= (leftarg = text, rightarg = text, function = evil.eq);
create operator evil.<> (leftarg = text, rightarg = text, function = evil.eq);
create operator evil.= (leftarg = bigint, rightarg = bigint, function = evil.eq);
create operator evil.<> (leftarg = bigint, rightarg = bigint, function = evil.eq);
create operator evil.<> (leftarg = jsonb, rightarg = jsonb, function = evil.eq);
create operator evil.? (leftarg = jsonb, rightarg = text, function = evil.has);
create function evil.octet_length(text) returns integer language sql as $$select 1$$;
create function evil.jsonb_typeof(jsonb) returns text language sql as $$select 'object'$$;
create function evil.jsonb_path_match(jsonb, jsonpath, jsonb, boolean) returns boolean language sql as $$select true$$;
create function evil.clock_timestamp() returns timestamptz language sql as $$select '-infinity'::timestamptz$$;
create function evil.pg_advisory_xact_lock(bigint) returns void language sql as $$select$$;
create function evil.hashtextextended(text, bigint) returns bigint language sql as $$select 0::bigint$$;
create function evil.sha256(bytea) returns bytea language sql as $$select ''::bytea$$;
create function evil.set_config(text, text, boolean) returns text language sql as $$select 'off'$$;
create domain evil.text as pg_catalog.text check (evil.no());
create table evil.sessions (session_id text);
create view evil.history as select evil.no();
"""
EVIL_HAS = "create function evil.has(jsonb, text) returns boolean language sql as $$select false$$;"
TEMPORARY = """
create temp table sessions as select 's-1'::text as session_id, 'm'::text as machine, 1 as machine_version,
  'b'::text as state, 77::bigint as version, '{}'::jsonb as context;
create temp table history (session_id text, version bigint, request_id uuid);
create temp table machine_versions (machine text, machine_version int, retired boolean, definition jsonb);
create temp table machine_states (machine text, machine_version int, state text, is_final boolean);
create temp table machine_moves (machine text, machine_version int, from_state text, to_state text);
create temp table machine_candidates (machine text);
create temp table releases (migration text, release text);
create temp view pg_class as select 1 as oid;
create function pg_temp.octet_length(text) returns integer language sql as 'select 1';
create function pg_temp.jsonb_typeof(jsonb) returns text language sql as $$select 'object'$$;
create type pg_temp.jsonb as (x int);
create domain pg_temp.save_result as int;
"""
SETTINGS = {
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "intervalstyle": "iso_8601",
    "datestyle": "SQL, DMY",
    "timezone": "Pacific/Kiritimati",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "quote_all_identifiers": "on",
    "plpgsql.extra_errors": "all",
    "plpgsql.extra_warnings": "all",
    "plpgsql.check_asserts": "off",
    "plan_cache_mode": "force_generic_plan",
    "default_toast_compression": "pglz",
    "client_min_messages": "error",
    "constraint_exclusion": "on",
    "check_function_bodies": "off",
    "xmloption": "document",
    "enable_indexscan": "off",
    "enable_nestloop": "off",
    "default_transaction_deferrable": "on",
    "row_security": "off",
}


def _as_json(api: Api, function: str, **arguments: Any) -> list[dict[str, Any]]:
    """The rows as JSON objects: their text does not follow the settings."""
    names = ", ".join(f"p_{name} => %({name})s" for name in arguments)
    values = {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in arguments.items()}
    rows = api.conn.execute(f"select pg_catalog.to_jsonb(r) from fsm.{function}({names}) r", values)
    return [row for (row,) in rows]


def _story(api: Api, session_id: str) -> list[tuple[Any, ...]]:
    """Calls of every function, and what came of each: the answer without ids and times, or the SQLSTATE and DETAIL."""
    request = UUID(int=1)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("create_session", {"machine": "m", "context": '{"t": "xx", "n": 1.0}', "request_id": request}),
        ("create_session", {"machine": "m"}),
        ("create_session", {"machine": "m", "request_id": request}),
        ("send_event", {"event": "GO"}),
        ("send_event", {"event": "GO", "patch": {"n": 2}, "expected_version": 7}),
        ("send_event", {"event": "GO", "patch": {"n": 2, "when": "2020-02-01"}, "append": {"log": [1, None]}}),
        ("save_session", {"state": "nowhere", "context": {}, "expected_version": 3}),
        ("save_session", {"state": "b", "context": [], "expected_version": 3}),
        ("save_session", {"state": "b", "context": {"t": "y"}, "expected_version": 3}),
        ("save_session", {"state": "a", "context": {"t": "x", "current_state": "a"}, "expected_version": 3}),
        ("update_context", {"patch": {"t": "X1"}}),
        ("update_context", {"patch": {"t": "x" * 600}}),
        ("send_event", {"event": "SELF"}),
        ("send_event", {"event": "SELF"}),
        ("send_event", {"event": "SELF"}),
        ("history", {}),
        ("load_session", {}),
        ("load_session_at", {"version": 2}),
        ("load_session_at", {"version": 1}),
        ("allowed_events", {}),
        ("detect_loop", {}),
    ]
    told: list[tuple[Any, ...]] = []
    for function, arguments in calls:
        try:
            rows = _as_json(api, function, session_id=session_id, **arguments)
        except psycopg.Error as error:
            told.append((function, error.sqlstate, (error.diag.message_detail or "").replace(session_id, "S")))
            continue
        told.append((function, [{k: v for k, v in row.items() if not k.endswith(("_id", "at"))} for row in rows]))
    told.append(("text", [api.text(session_id, version) for version in range(1, 8)]))
    for wrong in ("$.**.a == 1", "$x == 1", "$.a.datetime() == 1", '$.a like_regex "(a)\\\\1"', "$.a == 1"):
        definition = {"id": "w", "initial": "a", "states": {"a": {"on": {"X": {"target": "a", "guard": wrong}}}}}
        told.append(("check_machine", _as_json(api, "check_machine", definition=definition)))
    for schema in ({"properties": {"p": {"pattern": "(a)\\1"}}}, {"$ref": "#/$defs/a~1b"}, {"pattern": "\\d{2,900}"}):
        definition = {
            "id": "w",
            "initial": "a",
            "states": {"a": {"on": {"X": "a"}}},
            "meta": {"context_schema": schema},
        }
        told.append(("check_machine", _as_json(api, "check_machine", definition=definition)))
    return told


@pytest.fixture
def wanted(api: Api, define: Callable[..., int]) -> list[Any]:
    """What an honest caller gets."""
    define(STATES, **META)
    story = _story(api, "honest")
    sqlstates = {one[1] for one in story if len(one) == 3}
    assert sqlstates == {"SM011", "SM030", "SM020", "SM021", "SM040"}
    return story


def test_a_schema_of_the_callers_with_tables_functions_and_operators(
    wanted: list[Any], db: psycopg.Connection[Any], connect_as: Callable[..., Any]
) -> None:
    db.execute("create schema evil")
    db.execute(EVIL_HAS + EVIL)
    db.execute("grant all on schema evil to public; grant all on all tables in schema evil to public")
    caller = connect_as("test_app")
    caller.execute("set search_path = evil, pg_temp, pg_catalog")
    assert caller.execute("select octet_length('abc'), 'a'::pg_catalog.text = 'b'::pg_catalog.text").fetchone() == (
        1,
        True,
    )
    assert _story(Api(caller), "evil") == wanted


def test_temporary_tables_views_functions_and_types(wanted: list[Any], connect_as: Callable[..., Any]) -> None:
    caller = connect_as("test_app")
    caller.execute(TEMPORARY)
    caller.execute("set search_path = pg_temp, pg_catalog")
    assert caller.execute("select version from sessions").fetchone() == (77,)
    assert _story(Api(caller), "temporary") == wanted


def test_settings_of_the_callers(wanted: list[Any], connect_as: Callable[..., Any]) -> None:
    caller = connect_as("test_app")
    for name, value in SETTINGS.items():
        caller.execute("select set_config(%s, %s, false)", (name, value))
    assert _story(Api(caller), "settings") == wanted


def test_a_read_only_transaction_reads_and_does_not_write(api: Api) -> None:
    api.create("s-1")
    api.conn.execute("set default_transaction_read_only = on")
    assert api.load("s-1").version == 1
    assert len(api.history("s-1")) == 1
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        api.update("s-1")
    with refused("SM020"):
        api.conn.execute("set default_transaction_read_only = off")
        api.send("s-1", "NO")


def test_the_functions_do_not_leave_their_search_path_behind(api: Api) -> None:
    api.conn.execute("set search_path = public")
    api.create("s-1")
    api.send("s-1", "OPEN")
    assert api.conn.execute("show search_path").fetchone() == ("public",)
