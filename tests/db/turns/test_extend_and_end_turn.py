"""fsm.extend_turn and fsm.end_turn: only the token of the turn that is held counts, by the database's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg

from support.api import Api, case, refused
from support.stored import expire_turn
from support.waiting import wait_until


def _extend(api: Api, turn: int, ttl: str = "60 seconds", session_id: str = "s-1") -> datetime:
    return api.one("extend_turn", session_id=session_id, turn=turn, ttl=ttl)[0]  # type: ignore[no-any-return]


def _end(api: Api, turn: int, session_id: str = "s-1") -> bool:
    return api.one("end_turn", session_id=session_id, turn=turn)[0]  # type: ignore[no-any-return]


def _clock(db: psycopg.Connection[Any]) -> datetime:
    [(now,)] = db.execute("select clock_timestamp()").fetchall()
    assert isinstance(now, datetime)
    return now


def _active(db: psycopg.Connection[Any]) -> list[Any]:
    return db.execute("select session_id, turn, expires_at from fsm.active_turns order by 1").fetchall()


def test_it_counts_from_now(s: Api, db: psycopg.Connection[Any]) -> None:
    """Longer or shorter than it was: the token and who holds it stay."""
    begun = s.begin("s-1", "me", ttl="10 minutes")
    for ttl, span in (("1 hour", timedelta(hours=1)), ("5 seconds", timedelta(seconds=5))):
        before = _clock(db)
        expires_at = _extend(s, begun.turn, ttl)
        assert before + span <= expires_at <= _clock(db) + span
        assert _active(db) == [("s-1", begun.turn, expires_at)]
    assert s.update("s-1", turn=begun.turn).version == 2


def test_another_caller_may_extend_and_end_it_with_the_token(s: Api, other: Api, db: psycopg.Connection[Any]) -> None:
    turn = s.begin().turn
    assert _extend(other, turn) == _active(db)[0][2]
    assert _end(other, turn) is True
    assert _active(db) == []


def test_ended_twice(s: Api) -> None:
    turn = s.begin().turn
    assert [_end(s, turn) for _ in range(3)] == [True, False, False]


def test_a_token_that_is_not_the_held_one(s: Api, db: psycopg.Connection[Any]) -> None:
    foreign = s.begin("s-2").turn
    ended = s.begin().turn
    _end(s, ended)
    expired = s.begin().turn
    expire_turn(db, "s-1")
    held = s.begin().turn
    before = _active(db)
    for token in (foreign, ended, expired, held + 1, 0, -1, 9223372036854775807, -9223372036854775808):
        with case(token):
            with refused("SM051") as refusal:
                _extend(s, token)
            assert refusal.detail == {"session_id": "s-1", "turn": token, "held_turn": held}
            with refused("SM051") as refusal:
                s.update("s-1", turn=token)
            assert refusal.detail == {"session_id": "s-1", "turn": token, "held_turn": held}
            assert _end(s, token) is False
    assert _active(db) == before
    assert s.update("s-1", turn=held).version == 2


def test_no_token_counts_when_no_turn_is_held(s: Api, db: psycopg.Connection[Any]) -> None:
    """Never begun, ended, expired."""
    ended = 0
    for token in range(3):
        turn = {0: 1, 1: ended}.get(token, 0)
        if token == 1:
            turn = ended = s.begin().turn
            assert _end(s, turn) is True
        if token == 2:
            turn = s.begin().turn
            expire_turn(db, "s-1")
        with case(token):
            with refused("SM051") as refusal:
                _extend(s, turn)
            assert refusal.detail == {"session_id": "s-1", "turn": turn, "held_turn": None}
            with refused("SM051") as refusal:
                s.send("s-1", "KNOCK", turn=turn)
            assert refusal.detail == {"session_id": "s-1", "turn": turn, "held_turn": None}
            assert _end(s, turn) is False
    assert s.send("s-1", "KNOCK").version == 2


def test_it_expires_without_anybody_coming(s: Api, other: Api, db: psycopg.Connection[Any]) -> None:
    """A turn of 0.1 seconds; nothing but the clock ends it."""
    turn = s.begin("s-1", "me", ttl="0.1 seconds").turn
    wait_until(lambda: _active(db) == [], "the turn expires")
    assert other.update("s-1").version == 2
    with refused("SM051") as refusal:
        s.update("s-1", turn=turn)
    assert refusal.detail["held_turn"] is None
    assert _end(s, turn) is False
    assert other.begin("s-1", "next").turn == turn + 1


def test_inside_one_transaction_the_clock_goes_on(s: Api, db: psycopg.Connection[Any]) -> None:
    """The transaction's own now() stands still."""
    with s.conn.transaction():
        begun = s.begin("s-1", "me", ttl="0.1 seconds")
        wait_until(lambda: _clock(db) > begun.expires_at, "the turn expires")
        with refused("SM051"), s.conn.transaction():
            s.update("s-1", turn=begun.turn)
        assert s.update("s-1").version == 2
