"""A turn keeps a session to one holder while a block runs, is kept alive meanwhile, and is ended with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import fsmstore
from support.clients import Flavour
from support.waiting import wait_until

from .conftest import Turns
from .turns import Connection, Held, expired, extensions, write


def test_others_are_kept_out_while_it_lasts(store: Any, in_turn: Turns, app: Connection, held: Held) -> None:
    created = store.create("s-1", "door", {"n": 0})
    with in_turn(store, "s-1", "ann", ttl=30) as turn:
        assert turn.session == created
        assert (turn.session_id, turn.holder, turn.lost) == ("s-1", "ann", False)
        assert held() == [("s-1", "ann")]
        assert write(app) == "SM050"
        with pytest.raises(fsmstore.TurnHeld) as refused:
            store.send("s-1", "OPEN")
        with pytest.raises(fsmstore.TurnHeld) as kept_out, in_turn(store, "s-1", "bob"):
            pass
        for caught in (refused, kept_out):
            assert (caught.value.holder, caught.value.expires_at) == ("ann", turn.expires_at)
            assert isinstance(caught.value.expires_at, datetime)
        assert turn.send("OPEN").state == "open"
    assert held() == []
    assert write(app) is None


def test_its_methods_write_with_the_token_and_keep_the_session_current(store: Any, in_turn: Turns) -> None:
    store.create("s-1", "door", {"n": 0})
    with in_turn(store, "s-1", "ann") as turn:
        saved = turn.save(turn.session.evolve(state="open", context={"n": 1}), actor="x", note={"y": 1})
        assert turn.session == saved == store.load("s-1")
        sent = turn.send("CLOSE", {"n": 2}, append={"log": [1]}, expected_version=2)
        assert turn.session == sent == store.load("s-1")
        result = turn.update({"n": 3}, append={"log": [2]}, actor="z")
        assert (result.version, turn.session.version) == (4, 4)
        assert turn.session.context == {"n": 3, "log": [1, 2]}
        assert turn.session == store.load("s-1")
        back = turn.rollback(1, reason="again")
        assert (back.context, back.result.version) == ({"n": 0}, 5)
        assert turn.session == back == store.load("s-1")
        assert turn.rollback(2, expected_version=None).state == "open"
        store.update("s-1", {"n": 9}, turn=turn.turn)
        assert turn.session.context == {"n": 1}
        assert turn.load().context == {"n": 9}
        assert turn.session.version == 7
        with pytest.raises(fsmstore.VersionConflict):
            turn.save(turn.session, expected_version=3)
        assert turn.lost is False
    history = store.history("s-1")
    assert [one.kind for one in history] == [
        "update", "rollback", "rollback", "update", "transition", "transition", "create",
    ]  # fmt: skip
    assert history[2].note == {"to_version": 1, "reason": "again"}


def test_the_token_is_taken_by_the_stores_methods(store: Any, in_turn: Turns) -> None:
    session = store.create("s-1", "door")
    with in_turn(store, "s-1", "ann") as turn:
        session = store.save(session.evolve(state="open"), turn=turn.turn)
        assert store.send("s-1", "CLOSE", turn=turn.turn).version == 3
        assert store.update("s-1", {"n": 1}, turn=turn.turn).version == 4
        assert store.rollback("s-1", 2, expected_version=4, turn=turn.turn).state == "open"
        (outcome,) = store.save_many([{"session": store.load("s-1"), "turn": turn.turn}])
        assert outcome.ok
        with pytest.raises(fsmstore.TurnExpired) as caught:
            store.send("s-1", "CLOSE", turn=turn.turn + 1)
        assert (caught.value.turn, caught.value.held_turn) == (turn.turn + 1, turn.turn)


@pytest.mark.parametrize("ttl", [0.9, timedelta(milliseconds=900)])
def test_a_block_that_takes_longer_than_the_ttl(
    store: Any, in_turn: Turns, db: Connection, app: Connection, ttl: Any
) -> None:
    store.create("s-1", "door")
    with in_turn(store, "s-1", "ann", ttl) as turn:
        first = turn.expires_at
        wait_until(lambda: expired(db, first + timedelta(seconds=0.5)), "the ttl is over")
        assert write(app) == "SM050"
        assert turn.expires_at > first
        assert turn.send("OPEN").version == 2
        assert turn.lost is False
    assert extensions() == []


def test_extending_by_hand_counts_from_then_on(store: Any, in_turn: Turns, db: Connection) -> None:
    store.create("s-1", "door")
    with in_turn(store, "s-1", "ann", 0.6) as turn:
        expires_at = turn.extend(30)
        assert turn.expires_at == expires_at
        assert expires_at > datetime.now(timezone.utc) + timedelta(seconds=20)
        wait_until(lambda: turn.expires_at != expires_at, "it is extended in the background")
        assert turn.expires_at > expires_at
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            turn.extend(timedelta(hours=2))
        assert turn.extend(timedelta(seconds=10)) == turn.expires_at


@pytest.mark.parametrize("writing", ["save", "send", "update", "rollback", "extend"])
def test_a_turn_that_was_taken_away_is_noticed_by_the_next_write(
    store: Any, in_turn: Turns, app: Connection, writing: str
) -> None:
    store.create("s-1", "door", {"n": 0})
    with in_turn(store, "s-1", "ann") as turn:
        assert app.execute("select fsm.end_turn('s-1', %s)", (turn.turn,)).fetchone() == (True,)
        assert write(app) is None
        calls: dict[str, Callable[[], Any]] = {
            "save": lambda: turn.save(turn.session.evolve(state="open")),
            "send": lambda: turn.send("OPEN"),
            "update": lambda: turn.update({"n": 1}),
            "rollback": lambda: turn.rollback(1),
            "extend": turn.extend,
        }
        assert turn.lost is False
        with pytest.raises(fsmstore.TurnExpired) as caught:
            calls[writing]()
        assert (caught.value.turn, caught.value.session_id) == (turn.turn, "s-1")
        assert turn.lost is True
    assert store.load("s-1").context == {"n": 0, "by": "another"}


def test_a_turn_that_was_taken_away_is_noticed_in_the_background(
    store: Any, in_turn: Turns, app: Connection, held: Held
) -> None:
    store.create("s-1", "door")
    with in_turn(store, "s-1", "ann", 0.5) as turn:
        app.execute("select fsm.end_turn('s-1', %s)", (turn.turn,))
        with in_turn(store, "s-1", "bob") as other:
            assert other.turn > turn.turn
            wait_until(lambda: turn.lost, "the extension is told")
            wait_until(lambda: len(extensions()) <= 1, "it does not go on")
            with pytest.raises(fsmstore.TurnExpired) as caught:
                turn.send("OPEN")
            assert caught.value.held_turn == other.turn
            assert other.send("OPEN").version == 2
    assert held() == []


def test_a_session_that_is_deleted_under_it(store: Any, in_turn: Turns, db: Connection) -> None:
    store.create("s-1", "door", {"n": 0})
    with in_turn(store, "s-1", "ann", 0.3) as turn:
        db.execute("select fsm.delete_session('s-1')")
        wait_until(lambda: turn.lost, "the extension is told")
        assert turn.load() is None
        assert turn.session.context == {"n": 0}
        with pytest.raises(fsmstore.SessionNotFound):
            turn.send("OPEN")


def test_what_the_block_raises_is_raised_and_the_turn_is_ended(store: Any, in_turn: Turns, held: Held) -> None:
    store.create("s-1", "door")
    with pytest.raises(KeyError, match="mine"), in_turn(store, "s-1", "ann"):
        raise KeyError("mine")
    assert held() == []
    assert extensions() == []
    with pytest.raises(fsmstore.TransitionNotAllowed), in_turn(store, "s-1", "ann") as turn:
        turn.send("CLOSE")
    assert held() == []


def test_it_is_begun_once(flavour: Flavour, store: Any, held: Held) -> None:
    store.create("s-1", "door")
    turn = store.turn("s-1", "ann")
    with pytest.raises(RuntimeError, match="has not begun"):
        turn.session  # noqa: B018
    enter, leave = (turn.__enter__, turn.__exit__) if flavour.name == "sync" else (turn.__aenter__, turn.__aexit__)
    flavour.run(enter)
    with pytest.raises(RuntimeError, match="begun once"):
        flavour.run(enter)
    flavour.run(lambda: leave(None, None, None))
    assert held() == []


def test_what_cannot_be_begun(store: Any, in_turn: Turns) -> None:
    with pytest.raises(fsmstore.SessionNotFound), in_turn(store, "s-1", "ann"):
        pass
    store.create("s-1", "door")
    for ttl in (0, -1, 3601, float("inf"), 1e300):
        with pytest.raises(psycopg.errors.InvalidParameterValue), in_turn(store, "s-1", "ann", ttl):
            pass
    for wrong in (True, "60"):
        with pytest.raises(TypeError, match="ttl must be seconds"), in_turn(store, "s-1", "ann", wrong):
            pass
    with pytest.raises(psycopg.errors.InvalidParameterValue), in_turn(store, "s-1", ""):
        pass
    assert extensions() == []


def test_the_same_request_gives_the_same_turn(store: Any, in_turn: Turns) -> None:
    store.create("s-1", "door")
    request = uuid4()
    with in_turn(store, "s-1", "ann", request_id=request) as one:
        with in_turn(store, "s-1", "ann", request_id=str(request)) as same:
            assert (same.turn, same.expires_at) == (one.turn, one.expires_at)
        with pytest.raises(fsmstore.TurnExpired):
            one.send("OPEN")
    with in_turn(store, "s-1", "ann", 0.3, request_id=request) as ended:
        assert (ended.turn, ended.expires_at) == (one.turn, None)
        wait_until(lambda: ended.lost, "the extension is told")


def test_a_replayed_write_is_not_what_the_session_is(store: Any, in_turn: Turns) -> None:
    store.create("s-1", "door", {"n": 0})
    with in_turn(store, "s-1", "ann") as turn:
        request = uuid4()
        turn.send("OPEN", {"n": 1}, request_id=request)
        turn.update({"n": 2})
        again = turn.send("OPEN", {"n": 1}, request_id=request)
        assert (again.version, again.result.replayed) == (2, True)
        assert (turn.session.version, turn.session.context) == (3, {"n": 2})


def test_a_turn_that_could_not_be_extended_is_not_begun(
    app_dsn: str, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with fsmstore.SessionStore(app_dsn) as store:
        store.create("s-1", "door")
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="new thread"), store.turn("s-1", "ann"):
            pass
    assert held() == []


def test_the_end_waits_for_the_extension(app_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def keep_extending(turn: fsmstore.Turn) -> None:
        turn._over.wait(10)
        never.wait(0.2)

    monkeypatch.setattr(fsmstore.Turn, "_keep_extending", keep_extending)
    with fsmstore.SessionStore(app_dsn) as store:
        store.create("s-1", "door")
        with store.turn("s-1", "ann"):
            assert len(extensions()) == 1
        assert extensions() == []
