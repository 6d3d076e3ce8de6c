"""fsm.doctor finds a function that is not what was installed, however little it was changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import case

Findings = Callable[..., list[tuple[str, str, str]]]
LOCK = "fsm_internal.lock_session(p_session_id text)"
CHANGES = [
    # A lock that locks nothing: its body is one that the server keeps parsed.
    ("create or replace function fsm_internal.lock_session(p_session_id text) returns boolean return true", LOCK),
    ("create or replace function fsm_internal.clock() returns timestamptz return now()", "fsm_internal.clock()"),
    ("alter function fsm_internal.replayed_version(text, uuid) stable",
     "fsm_internal.replayed_version(p_session_id text, p_request_id uuid)"),
    ("alter function fsm.schema_release() security invoker", "fsm.schema_release()"),
    ("alter function fsm.schema_release() set search_path = public, pg_temp", "fsm.schema_release()"),
    ("alter function fsm.schema_release() strict", "fsm.schema_release()"),
    ("""do $do$ begin execute replace(pg_get_functiondef('fsm_internal.refuse(jsonb)'::regprocedure),
        'raise exception', 'raise warning'); end $do$""", "fsm_internal.refuse(p_refusal jsonb)"),
]  # fmt: skip


def test_a_new_installation_has_nothing_to_say_of_it(findings: Findings) -> None:
    assert findings("function") == []


@pytest.mark.parametrize(("change", "function"), CHANGES, ids=[function for _, function in CHANGES])
def test_a_changed_function_is_named(
    db: psycopg.Connection[Any], findings: Findings, change: str, function: str
) -> None:
    with db.transaction(force_rollback=True):
        db.execute(change.encode())
        [(severity, message, hint)] = findings("function")
        assert (severity, message) == ("error", f"function {function} is not as it was installed")
        assert "db/" in hint


def test_one_that_is_gone_and_one_that_is_not_ours(db: psycopg.Connection[Any], findings: Findings) -> None:
    with case("gone"), db.transaction(force_rollback=True):
        db.execute("drop function fsm.purge_import(uuid)")
        assert [message for _, message, _ in findings("function")] == [
            "function fsm.purge_import(p_batch uuid) is gone"
        ]
    with case("not ours"), db.transaction(force_rollback=True):
        # Found before ours by a call with an integer.
        db.execute("create function fsm.schema_release(p_more integer) returns text language sql return 'x'")
        messages = [message for _, message, _ in findings("function")]
        assert messages == ["function fsm.schema_release(p_more integer) is none of ours"]


def test_bodies_that_another_version_printed_are_not_compared(db: psycopg.Connection[Any], findings: Findings) -> None:
    with db.transaction(force_rollback=True):
        db.execute("update fsm_internal.installed_parts set parsed_by = 13, digest = 'x' where parsed_by is not null")
        assert findings("function") == []
        db.execute(
            "update fsm_internal.installed_parts set digest = 'x' where parsed_by is null and check_name = 'function'"
        )
        assert len(findings("function")) == 100


RELATIONS = [
    ("drop index fsm_internal.history_request_once", "index history_request_once is gone"),
    ("alter table fsm_internal.machine_states drop constraint machine_states_limit_positive",
     "constraint machine_states_limit_positive on machine_states is gone"),
    ("alter table fsm_internal.history alter column db_user drop not null",
     "column db_user of history is not as it was installed"),
    ("alter view fsm.sessions set (security_barrier)", "view fsm.sessions is not as it was installed"),
    ("create or replace view fsm.transition_counts as select *, null::text as more from (table fsm.transition_counts) t"
     , "view fsm.transition_counts is not as it was installed"),
]  # fmt: skip


def test_a_new_installation_has_its_relations(findings: Findings) -> None:
    assert findings("relation") == []


@pytest.mark.parametrize(("change", "said"), RELATIONS)
def test_a_changed_relation_is_named(db: psycopg.Connection[Any], findings: Findings, change: str, said: str) -> None:
    with db.transaction(force_rollback=True):
        if "create or replace view" in change:
            [(text,)] = db.execute("select pg_get_viewdef('fsm.transition_counts'::regclass)").fetchall()
            inner = text.rstrip().rstrip(";")
            change = f"create or replace view fsm.transition_counts as select t.*, null::text as more from ({inner}) t"
        db.execute(change.encode())
        assert [(severity, message) for severity, message, _ in findings("relation")] == [("error", said)]
