"""fsm.stuck_sessions lists open sessions that nobody writes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, case, refused


@pytest.fixture
def monitor(api: Api, define: Callable[..., int], db: psycopg.Connection[Any], connect_as: Callable[..., Any]) -> Api:
    """Sessions h-1, h-2 and h-3 were written that many hours ago, old 40 days ago; done is final."""
    define({"a": {"on": {"END": "z"}}, "z": {"type": "final"}})
    ages = {"h-1": "1 hour", "h-3": "3 hours", "h-2": "2 hours", "old": "40 days", "done": "50 days"}
    for session_id, age in ages.items():
        api.create(session_id, "m" if session_id == "done" else "door")
        if session_id == "done":
            api.send("done", "END")
        db.execute(
            "update fsm_internal.sessions set updated_at = now() - %s::interval where session_id = %s",
            (age, session_id),
        )
    return Api(connect_as("test_monitor"))


def _ids(api: Api, idle: str | None, **more: Any) -> list[str]:
    return [row.session_id for row in api.rows("stuck_sessions", idle=idle, **more)]


def test_the_longest_idle_first_and_no_finished_ones(monitor: Api) -> None:
    assert _ids(monitor, "0") == ["old", "h-3", "h-2", "h-1"]
    assert _ids(monitor, "90 minutes") == ["old", "h-3", "h-2"]
    assert _ids(monitor, "4 hours") == ["old"]
    assert _ids(monitor, "41 days") == []
    assert _ids(monitor, "100 years") == []


def test_a_month_has_thirty_days_on_every_date(monitor: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.sessions set updated_at = now() - interval '725 hours' where session_id = 'h-1'")
    assert _ids(monitor, "1 month") == ["old", "h-1"]


def test_at_most_so_many(monitor: Api) -> None:
    assert _ids(monitor, "0", limit=2) == ["old", "h-3"]
    assert len(_ids(monitor, "0", limit=None)) == 4


def test_what_a_row_says(monitor: Api, db: psycopg.Connection[Any]) -> None:
    row = monitor.one("stuck_sessions", idle="30 days")
    stored = db.execute("select updated_at from fsm_internal.sessions where session_id = 'old'").fetchone()
    assert tuple(row) == ("old", "door", "closed", 1, *(stored or ()))


def test_a_session_in_a_state_that_does_not_exist_is_stuck(monitor: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 'done'")
    assert _ids(monitor, "30 days") == ["done", "old"]


def test_bad_arguments(monitor: Api) -> None:
    with refused("22004") as refusal:
        _ids(monitor, None)
    assert refusal.detail == {"argument": "p_idle"}
    for idle in ("-1 second", "101 years", "-1000 years"):
        with case(idle), refused("22023") as refusal:
            _ids(monitor, idle)
        assert refusal.detail["argument"] == "p_idle"
    for limit in (0, -1):
        with refused("22023") as refusal:
            _ids(monitor, "0", limit=limit)
        assert refusal.detail == {"argument": "p_limit", "value": limit}


def test_the_application_may_not(api: Api) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _ids(api, "0")
