"""The views: their columns, their rows, and who may read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.machines import BLOCKING, DOOR

COLUMNS = {
    "sessions": (
        "session_id machine machine_version state version context_version is_final entered_at created_at updated_at"
    ),
    "machines": "machine machine_version retired created_at created_by definition",
    "transition_counts": "machine machine_version from_state to_state event transitions",
    "active_turns": "session_id holder turn begun_at expires_at",
}
MAY = {"test_reader", "test_monitor", "test_admin"}


def test_the_columns(db: psycopg.Connection[Any]) -> None:
    for view, columns in COLUMNS.items():
        described = db.execute(f"select * from fsm.{view}").description
        assert [column.name for column in described or ()] == columns.split(), view


@pytest.mark.parametrize("login", ["test_app", "test_reader", "test_monitor", "test_admin", "test_nobody"])
def test_who_may_read_and_nobody_may_write(api: Api, connect_as: Callable[..., Any], login: str) -> None:
    api.create("s-1")
    caller = connect_as(login)
    for view in COLUMNS:
        if login in MAY:
            caller.execute(f"select * from fsm.{view}")
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                caller.execute(f"select * from fsm.{view}")
        with pytest.raises(psycopg.Error) as caught:
            caller.execute(f"delete from fsm.{view}")
        assert caught.value.sqlstate in ("42501", "55000")
    assert api.load("s-1").version == 1


def test_sessions_are_those_of_list_sessions(api: Api, db: psycopg.Connection[Any]) -> None:
    for number in range(3):
        api.create(f"s-{number}", "door" if number else "blocking")
    api.send("s-1", "OPEN")
    rows = db.execute("select * from fsm.sessions order by session_id").fetchall()
    assert rows == [tuple(row) for row in api.rows("list_sessions")]
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 's-2'")
    query = "select state, is_final, context_version from fsm.sessions where session_id = 's-2'"
    assert db.execute(query).fetchone() == ("nowhere", None, None)


def test_machines(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define({**DOOR, "description": "new"})
    Api(db).one("retire_machine", machine="door", machine_version=1)
    rows = db.execute(
        "select machine, machine_version, retired, created_by, definition from fsm.machines order by 1, 2"
    ).fetchall()
    assert rows == [
        ("blocking", 1, False, "postgres", BLOCKING),
        ("door", 1, True, "postgres", DOOR),
        ("door", 2, False, "postgres", {**DOOR, "description": "new"}),
    ]


def test_transition_counts(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define({"a": {"after": {"1": "b"}}, "b": {"on": {"X": "a"}}}, loop=None)
    for session_id in ("s-1", "s-2"):
        api.create(session_id)
        api.move(session_id, "OPEN", "CLOSE", "KNOCK", "KNOCK")
        api.update(session_id)
    api.send("s-1", "OPEN")
    api.create("t-1", "m")
    db.execute("update fsm_internal.sessions set entered_at = now() - interval '1 hour' where session_id = 't-1'")
    db.execute("update fsm_internal.deadlines set wake_at = now() - interval '1 hour'")
    assert len(api.rows("fire_deadlines")) == 1
    assert set(db.execute("select * from fsm.transition_counts").fetchall()) == {
        ("door", 1, "closed", "open", "OPEN", 3),
        ("door", 1, "open", "closed", "CLOSE", 2),
        ("door", 1, "closed", "closed", "KNOCK", 4),
        ("m", 1, "a", "b", None, 1),
    }


def test_active_turns_are_those_held_now(api: Api, db: psycopg.Connection[Any]) -> None:
    turns = {}
    for session_id in ("held", "ended", "expired"):
        api.create(session_id)
        turns[session_id] = api.one("begin_turn", session_id=session_id, holder=f"of {session_id}")
    api.one("end_turn", session_id="ended", turn=turns["ended"].turn)
    db.execute("update fsm_internal.turns set expires_at = clock_timestamp() where session_id = 'expired'")
    rows = db.execute("select session_id, holder, turn, expires_at from fsm.active_turns").fetchall()
    assert rows == [("held", "of held", turns["held"].turn, turns["held"].expires_at)]


def test_every_column_that_needs_it_is_explained(db: psycopg.Connection[Any]) -> None:
    for view, column in (
        ("sessions", "is_final"),
        ("machines", "retired"),
        ("transition_counts", "event"),
        ("active_turns", "holder"),
    ):
        query = (
            "select col_description(attrelid, attnum) from pg_attribute where attrelid = %s::regclass and attname = %s"
        )
        assert db.execute(query, (f"fsm.{view}", column)).fetchone() != (None,)


def test_no_function_of_ours_is_called_in_a_view(db: psycopg.Connection[Any]) -> None:
    """It would run with the rights of whoever reads the view."""
    for view in COLUMNS:
        [(text,)] = db.execute("select pg_get_viewdef(%s::regclass)", (f"fsm.{view}",)).fetchall()
        for function in db.execute("select proname from pg_proc where pronamespace = 'fsm_internal'::regnamespace"):
            assert f"fsm_internal.{function[0]}(" not in text, view
