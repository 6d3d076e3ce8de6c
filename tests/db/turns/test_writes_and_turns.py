"""While a turn is held, only writes with its token are taken: each writing function, with and without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api, refused
from support.machines import DOOR
from support.serverlog import ServerLog
from support.stored import age, expire_turn

REQUEST = UUID(int=1)

# Each write of session s-1 (state closed, version 2) that takes a token.
WRITES: dict[str, Callable[..., Any]] = {
    "save": lambda api, **more: api.save("s-1", "open", {"n": 1}, **more),
    "update by save": lambda api, **more: api.save("s-1", "closed", {"n": 1}, **more),
    "send": lambda api, **more: api.send("s-1", "OPEN", **more),
    "update": lambda api, **more: api.update("s-1", patch={"n": 1}, **more),
    "rollback": lambda api, **more: api.rollback("s-1", 1, **more),
}


def _item(turn: int | None, state: str = "open", **more: Any) -> dict[str, Any]:
    return {"session_id": "s-1", "state": state, "context": {}, **({} if turn is None else {"turn": turn}), **more}


@pytest.fixture
def s(s: Api) -> Api:
    """As elsewhere, with s-1 in version 2."""
    s.update("s-1", patch={"n": 0}, request_id=REQUEST)
    return s


@pytest.mark.parametrize("write", WRITES)
def test_only_with_its_token(s: Api, write: str) -> None:
    call, before = WRITES[write], s.load("s-1")
    turn = s.begin("s-1", "the holder").turn
    with refused("SM050") as refusal:
        call(s)
    assert refusal.detail["holder"] == "the holder"
    with refused("SM051") as refusal:
        call(s, turn=turn - 1)
    assert refusal.detail == {"session_id": "s-1", "turn": turn - 1, "held_turn": turn}
    assert s.load("s-1") == before
    assert call(s, turn=turn).version == 3
    assert s.update("s-1", turn=turn).version == 4  # one token is good for as many writes as one likes
    s.rows("end_turn", session_id="s-1", turn=turn)
    with refused("SM051") as refusal:
        call(s, turn=turn)
    assert refusal.detail == {"session_id": "s-1", "turn": turn, "held_turn": None}
    assert s.update("s-1").version == 5


@pytest.mark.parametrize("write", WRITES)
def test_of_an_expired_turn_neither_token_nor_protection_is_left(
    s: Api, db: psycopg.Connection[Any], write: str
) -> None:
    turn = s.begin().turn
    expire_turn(db, "s-1")
    with refused("SM051"):
        WRITES[write](s, turn=turn)
    assert WRITES[write](s).version == 3


@pytest.mark.parametrize("write", WRITES)
def test_a_replay_is_answered_whoever_holds_the_turn(s: Api, write: str) -> None:
    s.begin("s-1", "somebody")
    for turn in (None, 1):
        again = WRITES[write](s, turn=turn, request_id=REQUEST)
        assert (again.version, again.replayed) == (2, True)


@pytest.mark.parametrize("write", WRITES)
def test_turn_before_version_and_after_replay(s: Api, write: str) -> None:
    name = "version" if write != "send" and write != "update" else "expected_version"
    turn = s.begin().turn
    with refused("SM050"):
        WRITES[write](s, **{name: 1})
    with refused("SM051"):
        WRITES[write](s, **{name: 1}, turn=1)
    with refused("SM030"):
        WRITES[write](s, **{name: 1}, turn=turn)


def test_of_another_session_a_turn_is_no_concern(s: Api) -> None:
    s.begin("s-2")
    assert s.update("s-1").version == 3
    assert s.fork("s-2", 1, "s-3").version == 1
    with refused("SM050"):
        s.update("s-2")


def test_an_item_of_a_batch(s: Api) -> None:
    turn = s.begin("s-1", "the holder").turn
    rows = s.batch([_item(None), _item(turn - 1), _item(turn), _item(turn, "closed")], atomic=False)
    assert [(row.sqlstate, row.version) for row in rows] == [("SM050", None), ("SM051", None), (None, 3), (None, 4)]
    assert rows[0].detail["holder"] == "the holder"
    assert rows[1].detail == {"session_id": "s-1", "turn": turn - 1, "held_turn": turn, "ordinal": 2}
    for wrong, sqlstate in ((None, "SM050"), (turn + 1, "SM051")):
        with refused(sqlstate) as refusal:
            s.batch([_item(turn), _item(wrong, "closed")])
        assert refusal.detail["ordinal"] == 2
    assert s.load("s-1").version == 4


def test_an_upgrade_leaves_held_sessions_alone(s: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    states = {**DOOR["states"], "spare": {"on": {"OPEN": "open"}}}
    define({**DOOR, "states": {**states, "closed": {"on": {"SPARE": "spare", "OPEN": "open"}}}})
    admin = Api(db)
    turn = s.begin().turn
    upgrade = {"machine": "door", "from_version": 1, "to_version": 2}
    for dry_run in (True, False):
        rows = admin.rows("upgrade_sessions", **upgrade, dry_run=dry_run)
        assert [(row.from_state, row.sessions, row.code) for row in rows] == [
            ("closed", 1, None),
            ("closed", 1, "turn_held"),
        ]
    assert (s.load("s-1").machine_version, s.load("s-2").machine_version) == (1, 2)
    assert s.update("s-1", turn=turn).version == 3
    s.rows("end_turn", session_id="s-1", turn=turn)
    [row] = admin.rows("upgrade_sessions", **upgrade, dry_run=False)
    assert (row.sessions, row.code, s.load("s-1").machine_version) == (1, None, 2)


def test_a_deadline_waits_for_its_end(s: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define({"a": {"after": {"1000": "b"}}, "b": {"on": {"X": "a"}}})
    s.create("d-1", "m")
    age(db, "1 minute", "d-1")
    turn = s.begin("d-1").turn
    [row] = s.fire()
    assert (row.session_id, row.sqlstate, row.version) == ("d-1", "SM050", None)
    s.rows("end_turn", session_id="d-1", turn=turn)
    [row] = s.fire()
    assert (row.session_id, row.to_state, row.version) == ("d-1", "b", 2)


def test_a_purge_leaves_held_sessions_alone(s: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    age(db)
    s.begin("s-1")
    admin = Api(db)
    assert admin.one("purge_sessions", idle="1 minute", only_final=False) == (1,)
    assert [row.session_id for row in s.rows("list_sessions")] == ["s-1"]
    expire_turn(db, "s-1")
    assert admin.one("purge_sessions", idle="1 minute", only_final=False) == (1,)
    assert db.execute("select count(*) from fsm_internal.turns").fetchone() == (0,)


def test_deletion_asks_for_no_token(s: Api, db: psycopg.Connection[Any]) -> None:
    turn = s.begin().turn
    assert Api(db).one("delete_session", session_id="s-1") == (True,)
    assert db.execute("select * from fsm.active_turns").fetchall() == []
    with refused("SM010"):
        s.update("s-1", turn=turn)
    assert db.execute("select turn from fsm_internal.deleted_sessions").fetchall() == [(turn,)]


def test_reading_asks_for_no_token(s: Api) -> None:
    s.begin("s-1", "somebody")
    assert s.load("s-1").version == 2
    assert len(s.history("s-1")) == 2
    assert s.at("s-1", 1).version == 1
    assert {row.event for row in s.rows("allowed_events", session_id="s-1")} == {"KNOCK", "OPEN"}
    assert s.fork("s-1", 2, "copy").version == 1


def test_refusals_stand_in_the_log(s: Api, server_log: ServerLog) -> None:
    turn = s.begin("s-1", "the holder").turn
    for sqlstate, more in (("SM050", {}), ("SM051", {"turn": 1})):
        server_log.mark()
        with refused(sqlstate) as refusal:
            s.update("s-1", **more)
        [line] = server_log.events("fsm.refused")
        assert line == {**refusal.detail, "sqlstate": sqlstate, "message": refusal.message}
    server_log.mark()
    with refused("SM051"):
        s.rows("extend_turn", session_id="s-1", turn=1, ttl="1 second")
    s.rows("end_turn", session_id="s-1", turn=1)
    s.rows("end_turn", session_id="s-1", turn=turn)
    assert [line["sqlstate"] for line in server_log.events("fsm.refused")] == ["SM051"]
