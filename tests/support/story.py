"""One story, told by whoever calls: every function, what it answers, and what it says of bad input."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from support.hostile import ACCEPTED, Case
from support.hostile_calls import FUNCTIONS, cases, right_call

EVERY = 29
"""One case in so many is told; no divisor of how many there are of a kind."""
_TIMED = {"metrics", "new_feed_epoch", "changes"}


def _chapters() -> list[Case]:
    told = [right_call(function) for function in FUNCTIONS if function not in _TIMED]
    refused = [case for function in FUNCTIONS for case in cases(function) if case.expected != ACCEPTED]
    return told + [
        case for case in refused[::EVERY] if all(len(str(value)) < 9999 for value in case.arguments.values())
    ]


CHAPTERS = _chapters()


def _told(conn: psycopg.Connection[Any], case: Case) -> Any:
    given = ", ".join(f"p_{name} => %({name})s" for name in case.arguments)
    try:
        with conn.transaction(force_rollback=True):
            # As JSON text, which follows no setting of the caller's.
            rows = conn.execute(
                f"select pg_catalog.to_jsonb(r)::pg_catalog.text from fsm.{case.function}({given}) r", case.arguments
            ).fetchall()
            answers = [json.loads(text) for (text,) in rows]
    except psycopg.Error as error:
        return error.sqlstate, error.diag.message_primary, error.diag.message_detail, error.diag.message_hint
    return [
        {
            key: value
            for key, value in answer.items()
            if not key.endswith(("_at", "turn")) and key not in ("at", "message")
        }
        if isinstance(answer, dict)
        else type(answer).__name__
        for answer in answers
    ]


def story(conn: psycopg.Connection[Any]) -> dict[str, Any]:
    """Tell it on a connection to the world of support.hostile; nothing of it stays."""
    return {case.name: _told(conn, case) for case in CHAPTERS}
