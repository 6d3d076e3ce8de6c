"""What is stored, looked at and shifted in time as a superuser can: instead of waiting for hours."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


def age(db: Connection, by: str = "1 hour", session_id: str | None = None) -> None:
    """Make everything about a session (None: about all) as if it had happened that much earlier."""
    shifts = {
        "sessions": ["created_at", "entered_at", "updated_at", "wake_at"],
        "history": ["at", "entered_at"],
        "deadlines": ["wake_at", "fired_entered_at"],
        "turns": ["begun_at", "expires_at"],
    }
    with db.transaction():
        for table, columns in shifts.items():
            sets = ", ".join(f"{column} = {column} - %(by)s::interval" for column in columns)
            db.execute(
                f"update fsm_internal.{table} set {sets} where session_id = coalesce(%(id)s, session_id)",
                {"by": by, "id": session_id},
            )


def expire_turn(db: Connection, session_id: str) -> None:
    """Let the session's turn expire now."""
    db.execute("update fsm_internal.turns set expires_at = clock_timestamp() where session_id = %s", (session_id,))


def due_now(db: Connection, session_id: str) -> None:
    """Let fire_deadlines look at a session now."""
    for table in ("sessions", "deadlines"):
        db.execute(
            f"update fsm_internal.{table} set wake_at = clock_timestamp()"
            " where session_id = %s and wake_at is not null",
            (session_id,),
        )


def deadline(db: Connection, session_id: str) -> Any:
    """Return (wake_at, refusals, fired_ms, fired_entered_at) of a session, or None; infinity comes as datetime.max."""
    row = db.execute(
        "select nullif(wake_at, 'infinity'), refusals, fired_ms, fired_entered_at from fsm_internal.deadlines"
        " where session_id = %s",
        (session_id,),
    ).fetchone()
    return None if row is None else (row[0] or datetime.max, *row[1:])


def problems(db: Connection) -> list[Any]:
    """Return what fsm.verify_sessions finds."""
    return db.execute("select * from fsm.verify_sessions()").fetchall()
