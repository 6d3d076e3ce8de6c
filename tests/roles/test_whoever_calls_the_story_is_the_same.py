"""Whatever a caller puts in the way of names, whatever it sets: every function answers as it does anybody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from support.hostile import furnish
from support.story import CHAPTERS, story

Connection = psycopg.Connection[Any]

# Every function of PostgreSQL's that ours call by name, and every operator between the types they use.
SHADOWED = r"""
with called as (
  select distinct w.part[1] as name
  from pg_proc o,
    regexp_matches(concat(o.prosrc, pg_get_function_sqlbody(o.oid)), '\m([a-z_0-9]+)\(', 'g') w (part)
  where o.pronamespace in ('fsm'::regnamespace, 'fsm_internal'::regnamespace)
)
select format('create function evil.%I(%s) returns %s language plpgsql as $e$begin raise ''evil was called''; end$e$',
  p.proname, array_to_string(
    array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a(t, n) order by n), ', '),
  format_type(p.prorettype, null))
from pg_proc p join called c on c.name = p.proname
where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and not p.proretset and p.provariadic = 0
  and not exists (
    select from pg_type t
    where t.oid = any (p.proargtypes::oid[] || p.prorettype) and (t.typtype = 'p' or t.typname = 'cstring'))
"""
OPERATORS = """
select format('create operator evil.%s (%s function = evil.never_%s)', o.oprname,
    concat_ws(', ', 'leftarg = ' || nullif(format_type(nullif(o.oprleft, 0), null), '-'),
      'rightarg = ' || format_type(o.oprright, null), ''),
    o.oid),
  format('create function evil.never_%s(%s) returns %s language plpgsql as $e$begin raise ''evil was called''; end$e$',
    o.oid, concat_ws(', ', format_type(nullif(o.oprleft, 0), null), format_type(o.oprright, null)),
    format_type(o.oprresult, null))
from pg_operator o
cross join (select
  '{jsonb,text,bigint,integer,numeric,boolean,interval,timestamptz,bytea,uuid,jsonpath}'::regtype[]::oid[]) u (used)
where o.oprnamespace = 'pg_catalog'::regnamespace and o.oprright = any (u.used) and o.oprleft = any (u.used || 0::oid)
"""
RELATIONS = "select relname from pg_class where relnamespace = 'fsm_internal'::regnamespace and relkind in ('r', 'v')"
USED_TYPES = "text, jsonb, int4, int8, bool, uuid, interval, timestamptz, jsonpath, bytea, numeric"

SETTINGS = {
    "max_stack_depth": "100kB",
    "work_mem": "64kB",
    "jit": "on",
    "jit_above_cost": "0",
    "plan_cache_mode": "force_custom_plan",
    "from_collapse_limit": "1",
    "join_collapse_limit": "1",
    "enable_hashjoin": "off",
    "enable_sort": "off",
    "enable_seqscan": "off",
    "geqo_threshold": "2",
    "lc_numeric": "C",
    "lc_time": "C",
    "escape_string_warning": "off",
    "timezone_abbreviations": "Australia",
    "xmlbinary": "hex",
    "default_table_access_method": "heap",
    "temp_tablespaces": "",
    "fsm.role": "fsm_owner",
    "fsm_internal.clock": "2000-01-01",
    "search_path.evil": "yes",
    "application_name": "'; drop schema fsm cascade; --",
    "lock_timeout": "10s",
    "deadlock_timeout": "1s",
    "plpgsql.print_strict_params": "on",
}
# What only a superuser may set, and what could turn a rule off.
NOT_THEIRS = {
    "session_replication_role": "replica",
    "plpgsql.variable_conflict": "use_column",
    "allow_system_table_mods": "on",
    "log_statement": "none",
    "lc_messages": "C",
    "zero_damaged_pages": "on",
    "session_preload_libraries": "x",
    "dynamic_library_path": "/tmp",
    "track_functions": "all",
    "deadlock_timeout": "1s",
}


@pytest.fixture
def admin(db: Connection, connect_as: Callable[..., Connection]) -> Connection:
    """A login of role fsm_admin, which may call everything, in the world of support.hostile."""
    connection = connect_as("test_admin")
    furnish(connection, db)
    return connection


@pytest.fixture
def wanted(admin: Connection) -> dict[str, Any]:
    """What an honest caller is told."""
    told = story(admin)
    assert len(told) == len(CHAPTERS) > 100
    assert len({one[0] for one in told.values() if isinstance(one, tuple)}) >= 6
    assert story(admin) == told  # it says the same every time, or nothing could be compared
    return told


@pytest.fixture
def evil(db: Connection) -> None:
    """A schema in which everything that ours use is there once more, and raises."""
    db.execute("create schema evil")
    functions = [text for (text,) in db.execute(SHADOWED)]
    operators = db.execute(OPERATORS).fetchall()
    assert len(functions) > 100
    assert len(operators) > 150
    db.execute("set check_function_bodies = off")
    db.execute(";".join([*functions, *(function for _, function in operators)]))
    for operator, _ in operators:
        db.execute(operator)
    for (name,) in db.execute(RELATIONS).fetchall():
        db.execute(sql.SQL("create table evil.{} (session_id int)").format(sql.Identifier(name)))
    for name in USED_TYPES.split(", "):
        db.execute(sql.SQL("create domain evil.{} as pg_catalog.int4 check (false)").format(sql.Identifier(name)))
    db.execute("grant all on schema evil to public; grant all on all tables in schema evil to public")


def test_everything_that_is_used_is_there_once_more(
    wanted: Any, evil: None, connect_as: Callable[..., Connection]
) -> None:
    caller = connect_as("test_admin")
    caller.execute("set search_path = evil, pg_catalog")
    for query in (
        "select jsonb_typeof('1'::pg_catalog.jsonb)",
        "select 1::pg_catalog.int4 = 1::pg_catalog.int4",
        "select 1::text",
    ):
        with pytest.raises(psycopg.Error, match=r"evil was called|check constraint"):
            caller.execute(query)
    assert story(caller) == wanted


def test_settings_that_anybody_may_change(wanted: Any, connect_as: Callable[..., Connection], db: Connection) -> None:
    caller = connect_as("test_admin")
    known = {name for (name,) in db.execute("select name from pg_settings where context = 'user'")}
    changed = {
        name: value
        for name, value in SETTINGS.items()
        if name in known or name.split(".")[0] in ("fsm", "fsm_internal", "search_path")
    }
    assert len(changed) > 20
    for name, value in changed.items():
        caller.execute("select set_config(%s, %s, false)", (name, value))
    assert story(caller) == wanted


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_isolation_levels(wanted: Any, connect_as: Callable[..., Connection], level: str) -> None:
    caller = connect_as("test_admin")
    caller.execute(sql.SQL("set default_transaction_isolation = {}").format(level))
    assert story(caller) == wanted


def test_roles_that_are_set(wanted: Any, db: Connection, connect_as: Callable[..., Connection]) -> None:
    caller = connect_as("test_admin")
    caller.execute("set role fsm_admin")
    assert story(caller) == wanted


def test_what_only_a_superuser_may_set(connect_as: Callable[..., Connection], db: Connection) -> None:
    caller = connect_as("test_app")
    known = {name for (name,) in db.execute("select name from pg_settings where context = 'superuser'")}
    assert len(known & set(NOT_THEIRS)) >= 6
    for name in known & set(NOT_THEIRS):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            caller.execute("select set_config(%s, %s, false)", (name, NOT_THEIRS[name]))


def test_a_cast_of_the_callers_runs_as_the_caller(
    admin: Connection, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    """It is done before the call, so it sees nothing that the caller does not."""
    db.execute("create schema evil; grant all on schema evil to test_app")
    caller = connect_as("test_app")
    caller.execute(
        """
        create type evil.context as (x int);
        create function evil.seen(evil.context) returns jsonb language plpgsql as
          $$begin
            return jsonb_build_object('who', current_user, 'may', has_schema_privilege('fsm_internal', 'usage'));
          end$$;
        create cast (evil.context as jsonb) with function evil.seen(evil.context) as implicit;
        """
    )
    caller.execute("select fsm.create_session('cast', 'door', row(1)::evil.context)")
    loaded = caller.execute("select context from fsm.load_session('cast')").fetchone()
    assert loaded == ({"who": "test_app", "may": False},)
