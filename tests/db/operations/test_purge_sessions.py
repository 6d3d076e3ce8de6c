"""fsm.purge_sessions: idle sessions go, what somebody is at work on stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused

Connection = psycopg.Connection[Any]


@pytest.fixture
def sessions(admin: Api, define: Callable[..., int], db: Connection) -> Api:
    """Five finished sessions and five open ones, all written to an hour ago."""
    define({"a": {"on": {"END": "z"}}, "z": {"type": "final"}})
    for number in range(5):
        admin.create(f"open-{number}", "m")
        admin.create(f"done-{number}", "m")
        admin.send(f"done-{number}", "END")
    db.execute("update fsm_internal.sessions set updated_at = updated_at - interval '1 hour'")
    return admin


def purge(admin: Api, **arguments: Any) -> int:
    return int(admin.one("purge_sessions", **arguments).purge_sessions)


def left(db: Connection) -> list[str]:
    return [name for (name,) in db.execute("select session_id from fsm_internal.sessions order by 1")]


def test_only_final_ones_go_unless_told_otherwise(sessions: Api, db: Connection) -> None:
    assert purge(sessions, idle="59 minutes") == 5
    assert left(db) == [f"open-{number}" for number in range(5)]
    assert purge(sessions, idle="59 minutes", only_final=False) == 5
    assert left(db) == []
    for table in ("history", "turns", "deadlines", "history_cuts"):
        assert db.execute(f"select count(*) from fsm_internal.{table}").fetchone() == (0,)  # type: ignore[arg-type]


def test_each_leaves_a_line_in_the_feed(sessions: Api, db: Connection) -> None:
    purge(sessions, idle="59 minutes")
    rows = db.execute("select session_id, version, state from fsm_internal.deleted_sessions order by 1").fetchall()
    assert rows == [(f"done-{number}", 2, "z") for number in range(5)]


def test_what_was_written_to_since_stays(sessions: Api, db: Connection) -> None:
    assert purge(sessions, idle="61 minutes", only_final=False) == 0
    sessions.update("open-3")
    assert purge(sessions, idle="59 minutes", only_final=False) == 9
    assert left(db) == ["open-3"]


def test_in_bounded_calls(sessions: Api) -> None:
    assert [purge(sessions, idle="0", only_final=False, limit=4) for _ in range(4)] == [4, 4, 2, 0]


def test_held_and_busy_ones_are_left_for_later(sessions: Api, db: Connection, connect_as: Callable[..., Any]) -> None:
    turn = sessions.one("begin_turn", session_id="open-0", holder="me").turn
    busy = connect_as("test_app")
    busy.execute("begin")
    busy.execute("select pg_advisory_xact_lock(hashtextextended('fsm:session:open-1', 0))")
    assert purge(sessions, idle="1 minute", only_final=False) == 8
    assert left(db) == ["open-0", "open-1"]
    busy.execute("rollback")
    sessions.one("end_turn", session_id="open-0", turn=turn)
    assert purge(sessions, idle="1 minute", only_final=False) == 2


def test_bad_arguments(sessions: Api) -> None:
    for sqlstate, arguments in (
        ("22004", {"idle": None}),
        ("22023", {"idle": "-1 second"}),
        ("22023", {"idle": "101 years"}),
        ("22023", {"idle": "1 day", "limit": 0}),
        ("22023", {"idle": "1 day", "limit": -5}),
        ("22004", {"idle": "1 day", "only_final": None}),
    ):
        with refused(sqlstate):
            purge(sessions, **arguments)
    assert purge(sessions, idle="100 years", limit=None) == 0
