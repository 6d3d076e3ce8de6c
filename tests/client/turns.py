"""What the tests of turns look at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
Held = Callable[[], list[tuple[str, str]]]


def write(app: Connection) -> str | None:
    """Try to write session s-1 without a turn; return the SQLSTATE of the refusal."""
    try:
        app.execute("select fsm.update_context('s-1', '{\"by\": \"another\"}')")
    except psycopg.Error as error:
        return error.sqlstate
    return None


def extensions() -> list[threading.Thread]:
    """Return the threads that extend turns in the background."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("fsmstore turn")]


def expired(db: Connection, moment: datetime) -> bool:
    """Tell whether the database's clock is past a moment."""
    row = db.execute("select clock_timestamp() > %s", (moment,)).fetchone()
    return row is not None and bool(row[0])
