"""fsm.begin_turn: one holder at a time, and a token that only rises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from support.api import Api, case, refused
from support.stored import expire_turn

REQUEST = UUID(int=1)


def _stored(db: psycopg.Connection[Any], session_id: str = "s-1") -> Any:
    return db.execute(
        "select turn, holder, request_id, expires_at - begun_at from fsm_internal.turns where session_id = %s",
        (session_id,),
    ).fetchone()


def _again(api: Api, request_id: UUID) -> Any:
    """What the request that began a turn answers now."""
    query = "select turn, expires_at, version from fsm.begin_turn('s-1', 'me', p_request_id => %s)"
    return api.conn.execute(query, (request_id,)).fetchone()


def test_it_answers_with_token_expiry_and_the_session(s: Api, db: psycopg.Connection[Any]) -> None:
    s.send("s-1", "OPEN", patch={"n": 1})
    begun = s.begin("s-1", "worker 7", ttl="90 seconds")
    assert begun[2:] == s.load("s-1")[:-1]
    assert _stored(db) == (begun.turn, "worker 7", None, timedelta(seconds=90))
    rows = db.execute("select session_id, holder, turn, expires_at from fsm.active_turns").fetchall()
    assert rows == [("s-1", "worker 7", begun.turn, begun.expires_at)]


def test_it_lasts_60_seconds_unless_said_otherwise(s: Api, db: psycopg.Connection[Any]) -> None:
    s.begin()
    assert _stored(db)[3] == timedelta(seconds=60)


def test_it_is_no_write(s: Api) -> None:
    before, history = s.load("s-1"), s.history("s-1")
    turn = s.begin().turn
    s.rows("extend_turn", session_id="s-1", turn=turn, ttl="2 minutes")
    s.rows("end_turn", session_id="s-1", turn=turn)
    assert (s.load("s-1"), s.history("s-1")) == (before, history)


def test_the_token_starts_above_the_microseconds_of_creation_and_rises_by_one(
    s: Api, db: psycopg.Connection[Any]
) -> None:
    query = "select (extract(epoch from created_at) * 1000000)::bigint from fsm.sessions where session_id = 's-1'"
    [(epoch,)] = db.execute(query).fetchall()
    turns = []
    for _ in range(3):
        turns.append(s.begin().turn)
        expire_turn(db, "s-1")
    assert turns == [epoch + 1, epoch + 2, epoch + 3]
    [(stored,)] = db.execute("select turn from fsm_internal.sessions where session_id = 's-1'").fetchall()
    assert stored == epoch + 3


def test_while_one_is_held_nobody_else_gets_one(s: Api, other: Api, db: psycopg.Connection[Any]) -> None:
    begun = s.begin("s-1", "first")
    [(expires_at,)] = db.execute("select to_jsonb(expires_at) from fsm.active_turns").fetchall()
    for caller, request in ((other, None), (s, None), (other, REQUEST)):
        with refused("SM050") as refusal:
            caller.begin("s-1", "second", request_id=request)
        assert refusal.detail == {"session_id": "s-1", "holder": "first", "expires_at": expires_at}
    assert other.begin("s-2", "second").turn > 0
    assert _stored(db)[0] == begun.turn


def test_after_its_end_the_next_may_begin(s: Api, other: Api) -> None:
    first = s.begin().turn
    assert s.one("end_turn", session_id="s-1", turn=first) == (True,)
    assert other.begin("s-1", "next").turn == first + 1


def test_the_same_request_gives_the_same_turn(s: Api, other: Api, db: psycopg.Connection[Any]) -> None:
    first = s.begin("s-1", "me", request_id=REQUEST, ttl="5 minutes")
    stored = _stored(db)
    for caller in (s, other):
        assert caller.begin("s-1", "somebody else", request_id=REQUEST, ttl="1 second") == first
    assert _stored(db) == stored
    s.send("s-1", "OPEN", turn=first.turn)
    again = s.begin("s-1", "me", request_id=REQUEST)
    assert (again.turn, again.expires_at, again.state, again.version) == (first.turn, first.expires_at, "open", 2)


def test_the_same_request_gives_the_same_turn_after_its_end(s: Api) -> None:
    turn = s.begin("s-1", "me", request_id=REQUEST).turn
    s.rows("end_turn", session_id="s-1", turn=turn)
    for _ in range(2):
        assert _again(s, REQUEST) == (turn, None, 1)
    assert s.update("s-1").version == 2  # that is, it is not held again


def test_the_same_request_gives_the_same_turn_after_it_expired(s: Api, db: psycopg.Connection[Any]) -> None:
    turn = s.begin("s-1", "me", request_id=REQUEST).turn
    expire_turn(db, "s-1")
    again = s.begin("s-1", "me", request_id=REQUEST)
    assert again.turn == turn
    assert db.execute("select %s < clock_timestamp()", (again.expires_at,)).fetchone() == (True,)
    assert s.update("s-1").version == 2


def test_a_request_is_remembered_until_another_turn_is_begun(s: Api) -> None:
    """Then its turn is over, and asking again is asking for another one."""
    first = s.begin("s-1", "me", request_id=REQUEST).turn
    s.rows("end_turn", session_id="s-1", turn=first)
    second = s.begin("s-1", "other").turn
    with refused("SM050"):
        s.begin("s-1", "me", request_id=REQUEST)
    s.rows("end_turn", session_id="s-1", turn=second)
    assert s.begin("s-1", "me", request_id=REQUEST).turn == second + 1


def test_a_request_belongs_to_its_session(s: Api) -> None:
    assert s.begin("s-1", request_id=REQUEST).session_id == "s-1"
    assert s.begin("s-2", request_id=REQUEST).session_id == "s-2"
    assert s.update("s-1", turn=s.begin("s-1", request_id=REQUEST).turn, request_id=REQUEST).replayed is False


def test_without_a_request_nothing_is_repeated(s: Api, db: psycopg.Connection[Any]) -> None:
    first = s.begin(request_id=None).turn
    with refused("SM050"):
        s.begin(request_id=None)
    expire_turn(db, "s-1")
    assert s.begin(request_id=None).turn == first + 1


def test_a_session_made_anew_goes_on_above(s: Api, db: psycopg.Connection[Any]) -> None:
    """Also when the clock went back since: what the erasure left says how far it had come."""
    db.execute("update fsm_internal.sessions set turn = 9000000000000000 where session_id = 's-1'")
    last = s.begin().turn
    assert last == 9000000000000001
    admin = Api(db)
    assert admin.one("delete_session", session_id="s-1") == (True,)
    s.create("s-1")
    assert s.begin().turn == last + 1
    assert s.update("s-1", turn=last + 1).version == 2
    # Erased and made anew without a turn between, and that once more.
    for _ in range(2):
        assert admin.one("delete_session", session_id="s-1") == (True,)
        s.create("s-1")
    with refused("SM051"):
        s.update("s-1", turn=last + 1)
    assert s.begin().turn == last + 2


def test_a_session_made_anew_goes_on_above_by_the_clock_alone(s: Api, db: psycopg.Connection[Any]) -> None:
    turn = s.begin().turn
    Api(db).one("delete_session", session_id="s-1")
    db.execute("truncate fsm_internal.deleted_sessions")
    s.create("s-1")
    with refused("SM051"):
        s.update("s-1", turn=turn)
    assert s.begin().turn > turn


def test_a_turn_of_a_finished_session(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"END": "z"}}, "z": {"type": "final"}})
    api.create("s-1", "m")
    api.send("s-1", "END")
    begun = api.begin()
    assert (begun.state, begun.is_final) == ("z", True)
    with refused("SM050"):
        api.update("s-1")
    with refused("SM012"):
        api.update("s-1", turn=begun.turn)
    assert api.rollback("s-1", 1, turn=begun.turn).is_final is False
    assert api.one("end_turn", session_id="s-1", turn=begun.turn) == (True,)


def test_a_rolled_back_turn_was_never_there(s: Api, other: Api, db: psycopg.Connection[Any]) -> None:
    s.conn.execute("begin")
    rolled_back = s.begin(request_id=REQUEST).turn
    s.update("s-1", turn=rolled_back)
    s.conn.execute("rollback")
    assert _stored(db) is None
    with refused("SM051"):
        s.update("s-1", turn=rolled_back)
    again = other.begin("s-1", "next", request_id=uuid4())
    assert (again.turn, again.version) == (rolled_back, 1)  # nobody can have seen the other one committed


def test_it_outlives_its_transaction_and_its_connection(s: Api, connect_as: Callable[..., Any]) -> None:
    first, second = Api(connect_as("test_app")), Api(connect_as("test_app"))
    with first.conn.transaction():
        turn = first.begin("s-1", "gone").turn
    first.conn.close()
    with refused("SM050") as refusal:
        second.update("s-1")
    assert refusal.detail["holder"] == "gone"
    assert second.update("s-1", turn=turn).version == 2
    assert second.one("end_turn", session_id="s-1", turn=turn) == (True,)


def test_how_long_it_may_last(s: Api, db: psycopg.Connection[Any]) -> None:
    turn = 0
    for ttl, seconds in (("1 hour", 3600.0), ("1 microsecond", 1e-6), ("1 month -30 days 2 minutes", 120.0)):
        turn = s.begin(ttl=ttl).turn
        assert _stored(db)[3] == timedelta(seconds=seconds)
        expire_turn(db, "s-1")
    unlimited = ["infinity", "-infinity"] if s.conn.info.server_version >= 170000 else []
    for ttl in [
        "0", "-1 microsecond", "-1 hour", "1 hour 1 microsecond", "1 month", "1 month -30 days", "1000000 years",
        *unlimited,
    ]:  # fmt: skip
        for function, arguments in (
            ("begin_turn", {"session_id": "s-1", "holder": "me"}),
            ("extend_turn", {"session_id": "s-1", "turn": turn}),
        ):
            with case((function, ttl)), refused("22023") as refusal:
                s.rows(function, **arguments, ttl=ttl)
            assert (refusal.message, refusal.detail["argument"]) == ("interval out of range", "p_ttl")
            assert refusal.detail["max_seconds"] == 3600
    for function, arguments in (
        ("begin_turn", {"session_id": "s-1", "holder": "me"}),
        ("extend_turn", {"session_id": "s-1", "turn": turn}),
    ):
        with refused("22004") as refusal:
            s.rows(function, **arguments, ttl=None)
        assert refusal.detail == {"argument": "p_ttl"}


def test_who_holds_it_is_a_text_of_1_to_512_bytes(s: Api, db: psycopg.Connection[Any]) -> None:
    with refused("22004") as refusal:
        s.begin(holder=None)
    assert refusal.detail == {"argument": "p_holder"}
    for holder in ("", "x" * 513, "é" * 256 + "x"):
        with refused("22023") as refusal:
            s.begin(holder=holder)
        assert refusal.detail == {"argument": "p_holder", "bytes": len(holder.encode()), "max_bytes": 512}
    for holder in ("x", "é" * 256, 'a"\n\u2028 b'):
        s.begin(holder=holder)
        assert _stored(db)[1] == holder
        expire_turn(db, "s-1")


FUNCTIONS: dict[str, dict[str, Any]] = {
    "begin_turn": {"holder": "me"},
    "extend_turn": {"turn": 1, "ttl": "1 second"},
    "end_turn": {"turn": 1},
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_of_which_session(s: Api, function: str) -> None:
    arguments = FUNCTIONS[function]
    with refused("SM010") as refusal:
        s.rows(function, session_id="nobody", **arguments)
    assert refusal.detail == {"session_id": "nobody"}
    with refused("22004"):
        s.rows(function, session_id=None, **arguments)
    for session_id in ("", "x" * 513):
        with refused("22023"):
            s.rows(function, session_id=session_id, **arguments)
    if "turn" in arguments:
        with refused("22004") as refusal:
            s.rows(function, session_id="s-1", **{**arguments, "turn": None})
        assert refusal.detail == {"argument": "p_turn"}


def test_a_corrupt_session_has_no_turns(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 's-1'")
    with refused("SM060") as refusal:
        s.begin()
    assert refusal.detail["code"] == "unknown_state"
    assert _stored(db) is None
    db.execute("update fsm_internal.sessions set state = 'closed' where session_id = 's-1'")
