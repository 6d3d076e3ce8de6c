"""fsm.doctor finds what was put onto our tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from support.api import case

Findings = Callable[..., list[tuple[str, str, str]]]
TRIGGER = (
    "create trigger mine before update on fsm_internal.sessions for each row"
    " execute function suppress_redundant_updates_trigger()"
)

# What is done, the check that finds it, its severity, what it says, and whether its hint alone undoes it.
CASES = [
    (TRIGGER, "trigger", "error", "trigger mine is on table fsm_internal.sessions", True),
    (
        "create rule mine as on delete to fsm_internal.history do instead nothing",
        "rule",
        "error",
        "rule mine is on table fsm_internal.history",
        True,
    ),
    (
        "alter table fsm_internal.sessions enable row level security",
        "row_security",
        "error",
        "row security is on for table fsm_internal.sessions, or it has policies",
        False,
    ),
    (
        "create policy mine on fsm_internal.history using (false)",
        "row_security",
        "error",
        "row security is on for table fsm_internal.history, or it has policies",
        False,
    ),
    (
        "create table public.mine () inherits (fsm_internal.sessions)",
        "inheritance",
        "error",
        "table public.mine inherits from fsm_internal.sessions",
        True,
    ),
    (
        "create table public.mine (session_id text references fsm_internal.sessions)",
        "foreign_key",
        "error",
        "foreign key mine_session_id_fkey of table public.mine refers to table fsm_internal.sessions",
        False,
    ),
    (
        "alter table fsm_internal.history set unlogged",
        "unlogged_table",
        "error",
        "table fsm_internal.history is unlogged: a crash empties it",
        True,
    ),
    (
        "create index mine on fsm_internal.sessions (updated_at)",
        "extra_index",
        "warning",
        "index fsm_internal.mine makes every transition update it: no update of a session is HOT",
        False,
    ),
]


def test_nothing_at_first(findings: Findings) -> None:
    for check in {check for _, check, *_ in CASES}:
        assert findings(check) == [], check


def test_each_is_found_and_its_remedy_works(db: psycopg.Connection[Any], findings: Findings) -> None:
    for statement, check, severity, message, undone in CASES:
        with case(statement), db.transaction(force_rollback=True):
            db.execute(statement)
            [(found, said, hint)] = findings(check)
            assert (found, said) == (severity, message)
            if undone:
                db.execute(hint)
                assert findings(check) == []


def test_a_table_of_another_schema_may_do_as_it_likes(db: psycopg.Connection[Any], findings: Findings) -> None:
    with db.transaction(force_rollback=True):
        db.execute("create unlogged table public.mine (session_id text)")
        db.execute(TRIGGER.replace("fsm_internal.sessions", "public.mine"))
        db.execute("alter table public.mine enable row level security")
        for check in {check for _, check, *_ in CASES}:
            assert findings(check) == [], check


def test_a_disabled_trigger_is_told_too(db: psycopg.Connection[Any], findings: Findings) -> None:
    with db.transaction(force_rollback=True):
        db.execute(TRIGGER)
        db.execute("alter table fsm_internal.sessions disable trigger mine")
        assert len(findings("trigger")) == 1
