"""fsm.delete_session: the session is gone with all that belongs to it, and one line is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api, refused
from support.machines import DOOR
from support.stored import problems
from support.waiting import wait_until

REQUEST = UUID(int=1)


@pytest.fixture
def admin(api: Api, connect_as: Callable[..., Any]) -> Api:
    """An administrator; sessions s-1 (version 3) and s-2 exist."""
    api.create("s-1", request_id=REQUEST)
    api.move("s-1", "OPEN", "CLOSE")
    api.create("s-2")
    return Api(connect_as("test_admin"))


def _delete(api: Api, session_id: str | None = "s-1") -> bool:
    return api.one("delete_session", session_id=session_id)[0]  # type: ignore[no-any-return]


def _left(db: psycopg.Connection[Any], session_id: str = "s-1") -> list[str]:
    """The tables that still know the session."""
    tables = ("sessions", "history", "history_cuts", "turns", "deadlines")
    query = "select exists (select from fsm_internal.{} where session_id = %s)"
    return [one for one in tables if db.execute(query.format(one), (session_id,)).fetchone() == (True,)]  # type: ignore[arg-type]


def test_all_of_it_is_gone(admin: Api, api: Api, db: psycopg.Connection[Any], define: Callable[..., int]) -> None:
    define({**DOOR, "id": "timed", "states": {**DOOR["states"], "open": {"after": {"60000": "closed"}}}})
    api.create("t-1", "timed")
    api.move("t-1", "OPEN")
    api.begin("t-1")
    db.execute("insert into fsm_internal.history_cuts values ('t-1', 0, null, now())")
    assert _left(db, "t-1") == ["sessions", "history", "history_cuts", "turns", "deadlines"]
    assert _delete(admin, "t-1") is True
    assert _left(db, "t-1") == []
    assert api.load("t-1") is None
    assert api.at("t-1", 1) is None
    with refused("SM010"):
        api.history("t-1")
    assert api.load("s-1").version == 3
    assert problems(db) == []


def test_of_nobody_it_is_false(admin: Api, db: psycopg.Connection[Any]) -> None:
    assert _delete(admin, "nobody") is False
    assert [_delete(admin), _delete(admin)] == [True, False]
    assert db.execute("select count(*) from fsm_internal.deleted_sessions").fetchone() == (1,)


def test_one_line_is_left(admin: Api, api: Api, db: psycopg.Connection[Any]) -> None:
    updated_at = api.load("s-1").updated_at
    _delete(admin)
    found: list[Any] = []

    def shown() -> bool:
        """The oldest running transaction of the whole server delays it, also one of a test beside this."""
        found[:] = [row for row in admin.rows("changes") if row.session_id == "s-1"]
        return bool(found)

    wait_until(shown, "the feed shows it")
    [line] = found
    assert (line.version, line.kind, line.from_state, line.event) == (3, "delete", "closed", None)
    assert line.at > updated_at


def test_erased_again_and_again(admin: Api, api: Api, db: psycopg.Connection[Any]) -> None:
    """A session made anew begins at version 1; each erasure has a time of its own, also in one transaction."""
    with db.transaction():
        for _ in range(5):
            assert _delete(Api(db)) is True
            assert Api(db).create("s-1").version == 1
    times = db.execute("select at from fsm_internal.deleted_sessions order by at").fetchall()
    assert len(set(times)) == 5
    assert len(api.history("s-1")) == 1
    assert problems(db) == []


def test_a_clock_that_went_back(admin: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.sessions set updated_at = now() + interval '1 hour' where session_id = 's-1'")
    _delete(admin)
    query = "select at > now() + interval '59 minutes' from fsm_internal.deleted_sessions"
    assert db.execute(query).fetchone() == (True,)
    admin.create("s-1")
    _delete(admin)
    assert db.execute("select count(distinct at) from fsm_internal.deleted_sessions").fetchone() == (2,)


def test_request_ids_are_forgotten_with_it(admin: Api, api: Api) -> None:
    _delete(admin)
    assert api.create("s-1", request_id=REQUEST).replayed is False


def test_forks_made_from_it_stay(admin: Api, api: Api, db: psycopg.Connection[Any]) -> None:
    forked = api.fork("s-1", 2, "copy")
    _delete(admin)
    assert api.load("copy").state == forked.state == "open"
    assert api.history("copy")[0].note == {"session_id": "s-1", "version": 2}
    with refused("SM010"):
        api.fork("s-1", 2, "another")
    assert problems(db) == []


def test_a_rolled_back_deletion(admin: Api, api: Api, db: psycopg.Connection[Any]) -> None:
    before = api.load("s-1")
    admin.conn.execute("begin")
    assert _delete(admin) is True
    assert admin.load("s-1") is None
    admin.conn.execute("rollback")
    assert api.load("s-1") == before
    assert db.execute("select count(*) from fsm_internal.deleted_sessions").fetchone() == (0,)


def test_a_corrupt_session_can_be_erased(admin: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.sessions set state = 'nowhere', version = 1 where session_id = 's-1'")
    assert _delete(admin) is True
    assert _left(db) == []


def test_of_which_session(admin: Api) -> None:
    with refused("22004") as refusal:
        _delete(admin, None)
    assert refusal.detail == {"argument": "p_session_id"}
    for session_id in ("", "x" * 513):
        with refused("22023"):
            _delete(admin, session_id)


def test_only_an_administrator_may(admin: Api, connect_as: Callable[..., Any]) -> None:
    for login in ("test_app", "test_reader", "test_monitor", "test_nobody"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _delete(Api(connect_as(login)))


def test_it_is_durable(admin: Api) -> None:
    admin.conn.execute("set synchronous_commit = off")
    with admin.conn.transaction():
        _delete(admin)
        assert admin.conn.execute("show synchronous_commit").fetchone() == ("on",)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_snapshot_from_before_a_write_is_not_believed(admin: Api, api: Api, level: str) -> None:
    admin.conn.execute(f"begin isolation level {level}")
    admin.load("s-1")
    api.update("s-1")
    with pytest.raises(psycopg.errors.SerializationFailure):
        _delete(admin)
    admin.conn.execute("rollback")
    assert api.load("s-1").version == 4
