"""A call that is broken off while it waits, or a caller that dies, leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api
from support.race import Race
from support.waiting import wait_until

REQUEST = UUID(int=1)
CALLS: dict[str, Callable[[Api], Any]] = {
    "create": lambda api: api.create("s-1", request_id=REQUEST),
    "save": lambda api: api.save("s-1", "open", {"n": 2}, request_id=REQUEST),
    "send": lambda api: api.send("s-1", "OPEN", patch={"n": 2}, request_id=REQUEST),
    "update": lambda api: api.update("s-1", patch={"n": 2}, request_id=REQUEST),
}


HELD = """
select count(*) from pg_locks l join pg_database d on d.oid = l.database
where l.locktype = 'advisory' and d.datname = current_database()"""


def _prepared(api: Api, call: str) -> None:
    if call != "create":
        api.create("s-1", context={"n": 1})


def _nothing_was_done(api: Api, call: str, caller: Api) -> None:
    """And the same connection works: the request is then judged as if it had never been made."""
    assert api.conn.execute(HELD).fetchone() == (0,)
    row = api.load("s-1")
    assert (row.version, row.context) == (1, {"n": 1}) if call != "create" else row is None
    done = CALLS[call](caller)
    assert (done.replayed, done.version) == (False, 1 if call == "create" else 2)


@pytest.mark.parametrize(("setting", "sqlstate"), [("statement_timeout", "57014"), ("lock_timeout", "55P03")])
@pytest.mark.parametrize("call", CALLS)
def test_by_a_timeout(
    api: Api, race: Race, connect_as: Callable[..., Any], call: str, setting: str, sqlstate: str
) -> None:
    _prepared(api, call)
    race.hold("s-1")
    caller = Api(connect_as("test_app"))
    caller.conn.execute(f"set {setting} = '50ms'")
    with pytest.raises(psycopg.Error) as caught:
        CALLS[call](caller)
    assert caught.value.sqlstate == sqlstate
    race.finish("rollback")
    caller.conn.execute(f"reset {setting}")
    _nothing_was_done(api, call, caller)


@pytest.mark.parametrize("call", CALLS)
def test_by_a_cancel(api: Api, race: Race, db: psycopg.Connection[Any], call: str) -> None:
    _prepared(api, call)
    race.start("s-1", [CALLS[call]])
    db.execute("select pg_cancel_backend(%s)", (race.callers[0].conn.info.backend_pid,))
    assert [outcome.sqlstate for outcome in race.finish_when_refused()] == ["57014"]
    _nothing_was_done(api, call, race.callers[0])


@pytest.mark.parametrize("call", CALLS)
def test_who_is_killed_while_waiting_does_not_write_later(
    api: Api, race: Race, db: psycopg.Connection[Any], call: str
) -> None:
    _prepared(api, call)
    race.start("s-1", [CALLS[call]])
    _kill(db, race.callers[0].conn)
    [outcome] = race.finish_when_refused()
    assert outcome.row is None
    assert (api.load("s-1") is None) is (call == "create")
    assert CALLS[call](api).replayed is False


@pytest.mark.parametrize("call", CALLS)
def test_who_is_killed_before_the_commit_has_written_nothing(
    api: Api, db: psycopg.Connection[Any], connect_as: Callable[..., Any], race: Race, call: str
) -> None:
    """Session row and history row are written; the next one waits for the lock and gets it."""
    _prepared(api, call)
    dying = Api(connect_as("test_app"))
    dying.conn.execute("begin")
    assert CALLS[call](dying).replayed is False
    race.queue([CALLS[call]])
    _kill(db, dying.conn)
    [outcome] = race.finish()
    assert (outcome.row.replayed, outcome.row.version) == (False, 1 if call == "create" else 2)
    assert len(api.history("s-1")) == outcome.row.version


@pytest.mark.parametrize("call", CALLS)
def test_who_goes_away_before_the_commit_has_written_nothing(
    api: Api, connect_as: Callable[..., Any], race: Race, call: str
) -> None:
    _prepared(api, call)
    leaving = Api(connect_as("test_app"))
    leaving.conn.execute("begin")
    CALLS[call](leaving)
    race.queue([CALLS[call]])
    leaving.conn.close()
    [outcome] = race.finish()
    assert outcome.row.replayed is False


def _kill(db: psycopg.Connection[Any], conn: psycopg.Connection[Any]) -> None:
    pid = conn.info.backend_pid
    db.execute("select pg_terminate_backend(%s)", (pid,))
    gone = "select not exists (select from pg_stat_activity where pid = %s)"
    wait_until(lambda: bool(db.execute(gone, (pid,)).fetchone() == (True,)), f"backend {pid} is gone")
