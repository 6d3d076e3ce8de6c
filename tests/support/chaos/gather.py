"""What is stored of a round's sessions in the end, as the functions for callers tell it; and its removal."""

from __future__ import annotations

from typing import Any

import psycopg

from .stored import Row, Stored, Violation

Connection = psycopg.Connection[Any]
_SAMPLES = 6
_HISTORY = """
select h.version, h.kind, h.from_state, h.to_state, h.event, h.actor, h.at, h.loop_detected, s.session_id
from fsm.sessions s cross join lateral fsm.history(s.session_id, null) h
where starts_with(s.session_id, %s) order by s.session_id, h.version"""
_SESSIONS = """
select s.session_id, l.version, l.state, l.context
from fsm.sessions s cross join lateral fsm.load_session(s.session_id) l
where starts_with(s.session_id, %s)"""
_CONTEXTS = """
select w.session_id, w.version, l.context
from unnest(%s::text[], %s::bigint[]) w (session_id, version)
cross join lateral fsm.load_session_at(w.session_id, w.version) l"""


def stored(connection: Connection, prefix: str) -> dict[str, Stored]:
    """Return what is stored of all sessions with this prefix: all rows, and the contexts of some versions."""
    found = {
        name: Stored([], version, state, {version: context})
        for name, version, state, context in connection.execute(_SESSIONS, (prefix,))
    }
    for *columns, name in connection.execute(_HISTORY, (prefix,)):
        found[name].rows.append(Row(*columns))
    wanted = [(name, version) for name, one in found.items() for version in _some(one.rows)]
    names, versions = [name for name, _ in wanted], [version for _, version in wanted]
    for name, version, context in connection.execute(_CONTEXTS, (names, versions)):
        found[name].contexts[version] = context
    return found


def _some(rows: list[Row]) -> set[int]:
    step = max(1, len(rows) // _SAMPLES)
    return {row.version for row in rows[::step]}


def verified(connection: Connection) -> list[Violation]:
    """Return what the database's own check finds wrong."""
    rows = connection.execute("select session_id, code, detail from fsm.verify_sessions()").fetchall()
    return [Violation("verify_sessions is clean", session, f"{code} {detail}") for session, code, detail in rows]


def remove(connection: Connection, prefix: str) -> None:
    """Erase the round's sessions, so that a long run does not grow."""
    connection.execute(
        "select fsm.delete_session(session_id) from fsm.sessions where starts_with(session_id, %s)", (prefix,)
    )


def megabytes(connection: Connection) -> int:
    """Return the size of the database."""
    row = connection.execute("select pg_database_size(current_database())").fetchone()
    return int(row[0]) >> 20 if row else 0


def updates(connection: Connection) -> tuple[int, int]:
    """Return how many updates of sessions changed no index, and how many there were, since the last crash."""
    row = connection.execute(
        "select n_tup_hot_upd, n_tup_upd from pg_stat_user_tables where relid = 'fsm_internal.sessions'::regclass"
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)
