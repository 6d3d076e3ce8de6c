"""Statement coverage of PL/pgSQL, gathered by plpgsql_check's profiler while the tests run.

Set FSMSTORE_PLCOV to a directory and run the tests on a server that has plpgsql_check. The profiler counts in shared
memory, by database and function, at the end of each call, whichever connection made it; a test's counts are read before
its database is dropped, by a connection of our own, and then freed.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg

SCHEMAS = ["fsm", "fsm_internal"]
THRESHOLD = 95.0

# A statement: function, its number in it, line, kind.
Statement = tuple[str, int, int, str]

# All functions, once a run: also one that no test calls must be missed. The profiler cannot tell the statements of a
# function with polymorphic arguments.
_EVERY_FUNCTION = """
select p.oid
from pg_proc p
join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
where p.pronamespace::regnamespace::text = any(%s)
  and not exists (select from unnest(p.proargtypes) a (oid) join pg_type t on t.oid = a.oid where t.typname ~ '^any')
"""
_CALLED_FUNCTIONS = f"{_EVERY_FUNCTION} and p.oid in (select f.funcoid from plpgsql_profiler_functions_all() f)"
_STATEMENTS = """
select f.oid::regprocedure::text, s.stmtid, coalesce(s.lineno, 0), s.stmtname, coalesce(s.exec_stmts, 0)
from unnest(%s::oid[]) f (oid)
cross join lateral plpgsql_profiler_function_statements_tb(f.oid) s
"""

_hits: Counter[Statement] = Counter()
_seen_all = False


def wanted() -> bool:
    """Tell whether coverage is being gathered."""
    return bool(os.environ.get("FSMSTORE_PLCOV"))


def begin() -> None:
    """Forget an earlier run's counts."""
    if wanted():
        for path in Path(os.environ["FSMSTORE_PLCOV"]).glob("*.json"):
            path.unlink()


def settings() -> dict[str, str]:
    """Return the server's settings for gathering."""
    if not wanted():
        return {}
    return {
        "shared_preload_libraries": "plpgsql,plpgsql_check",
        "plpgsql_check.profiler": "on",
        "plpgsql_check.profiler_max_shared_chunks": "100000",
    }


def prepare(dsn: str) -> None:
    """Make the profiler's functions available in a template."""
    if wanted():
        with psycopg.connect(dsn) as conn:
            conn.execute("create schema plcov")
            conn.execute("create extension plpgsql_check with schema plcov")


def harvest(dsn: str) -> None:
    """Add up what was executed in a database, and free its counters."""
    global _seen_all
    if not wanted():
        return
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set search_path = pg_catalog, plcov")
        conn.execute("set plpgsql_check.profiler = off")
        which = _CALLED_FUNCTIONS if _seen_all else _EVERY_FUNCTION
        functions = [row[0] for row in conn.execute(which, (SCHEMAS,))]
        for function, number, line, kind, count in conn.execute(_STATEMENTS, (functions,)):
            _hits[function, number, line, kind] += count
        conn.execute("select plpgsql_profiler_reset(f) from unnest(%s::oid[]) f", (functions,))
    _seen_all = True


def write() -> None:
    """Write this process's counts for the controller to add up."""
    place = Path(os.environ["FSMSTORE_PLCOV"])
    place.mkdir(parents=True, exist_ok=True)
    rows = [[*statement, count] for statement, count in _hits.items()]
    (place / f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}.json").write_text(json.dumps(rows))


@dataclass(frozen=True)
class Total:
    """The coverage of a whole run."""

    covered: int
    statements: int
    text: str

    @property
    def enough(self) -> bool:
        return self.statements > 0 and 100 * self.covered >= THRESHOLD * self.statements


@cache
def total() -> Total:
    """Add up what all workers wrote: a report with the lines that no test reached."""
    hits: Counter[Statement] = Counter()
    for path in sorted(Path(os.environ["FSMSTORE_PLCOV"]).glob("*.json")):
        for function, number, line, kind, count in json.loads(path.read_text()):
            hits[function, number, line, kind] += count
    by_function: defaultdict[str, list[tuple[Statement, int]]] = defaultdict(list)
    for statement, count in hits.items():
        by_function[statement[0]].append((statement, count))
    lines = []
    for function, counts in sorted(by_function.items()):
        missed = sorted({(line, kind) for (_, _, line, kind), count in counts if not count})
        reached = sum(1 for _, count in counts if count)
        if missed:
            places = ", ".join(f"{line}:{kind}" for line, kind in missed)
            lines.append(f"{reached:4}/{len(counts):<4} {function.split('(')[0]}: not reached: {places}")
    covered = sum(1 for count in hits.values() if count)
    percent = 100 * covered / len(hits) if hits else 0.0
    summary = f"statements of {len(by_function)} functions: {percent:.1f} %, wanted {THRESHOLD:g} %"
    lines.append(f"{covered:4}/{len(hits):<4} {summary}")
    return Total(covered, len(hits), "\n".join(lines))
