"""Static checks of every PL/pgSQL function with plpgsql_check, on a database made by the migrations.

    FSMSTORE_PG_BIN=/usr/lib/postgresql/15/bin python tools/check_plpgsql.py

The server must have the extension (Debian: postgresql-15-plpgsql-check). Any finding fails; those about performance
are only shown.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import psycopg

from catalogue import shadow
from fsmstore import migrate
from fsmstore.devdb import Server
from tree import ROOT

# A trigger function can only be checked together with a table that uses it.
_FINDINGS = """
select p.oid::regprocedure::text, f.lineno, f.level, f.sqlstate, f.message, f.hint
from pg_proc p
join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
left join lateral (select distinct t.tgrelid from pg_trigger t where t.tgfoid = p.oid) t on true
cross join lateral plpgsql_check_function_tb(p.oid, coalesce(t.tgrelid, 0),
  other_warnings => true, extra_warnings => true, performance_warnings => true, security_warnings => true) f
where p.pronamespace::regnamespace::text in ('fsm', 'fsm_internal')
  and not (p.prorettype = 'trigger'::regtype and t.tgrelid is null)
order by 1, 2
"""
_COUNT = """
select count(*)
from pg_proc p
join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
where p.pronamespace::regnamespace::text in ('fsm', 'fsm_internal')
"""


def findings(dsn: str) -> tuple[list[tuple[str, int | None, str, str, str, str | None]], int]:
    """Return what plpgsql_check finds in a database, and how many functions it looked at."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("create schema if not exists plpgsql_check")
        conn.execute("create extension plpgsql_check with schema plpgsql_check")
        conn.execute("set search_path = pg_catalog, plpgsql_check")
        count = conn.execute(_COUNT).fetchone()
        assert count is not None
        return conn.execute(_FINDINGS).fetchall(), count[0]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Static checks of every PL/pgSQL function.")
    parser.add_argument("--migrations", type=Path, default=ROOT / "migrations")
    given = parser.parse_args()
    with Server(settings={"shared_preload_libraries": "plpgsql,plpgsql_check"}) as server, shadow(server) as dsn:
        migrate.apply(dsn, source=given.migrations)
        found, count = findings(dsn)
    for function, line, level, sqlstate, message, hint in found:
        print(f"{function}:{line or 0}: {level} {sqlstate} {message}{f' ({hint})' if hint else ''}")
    bad = [one for one in found if one[2] != "performance"]
    print(f"{count} functions checked: {len(bad)} findings, {len(found) - len(bad)} remarks about performance")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
