"""Turns whose connections break, that are part of the caller's transaction, or whose process forks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

import fsmstore
from fsmstore import Outcome, held_turn, outcome_of
from support.clients import Flavour
from support.proxy import Proxy
from support.together import holding, running, waiting_backend
from support.waiting import wait_until

from .conftest import Turns
from .turns import Connection, Held, expired, extensions, write


@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_it_begins_once_and_ends_once(flavour: Flavour, proxy: Proxy, in_turn: Turns, held: Held, when: str) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door", {"n": 0})
    proxy.cut("fsm.begin_turn", when)
    with in_turn(store, "s-1", "ann") as turn:
        assert proxy.made == 1
        assert turn.session == store.load("s-1")
        assert held() == [("s-1", "ann")]
        proxy.cut("fsm.send_event", when)
        assert turn.send("OPEN", {"n": 1}).result.replayed is (when == "after")
        assert turn.session == store.load("s-1")
        proxy.cut("fsm.end_turn", when)
    assert proxy.made == 3
    assert held() == []


@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_an_extension_whose_connection_breaks(
    flavour: Flavour, proxy: Proxy, in_turn: Turns, db: Connection, app: Connection, when: str
) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "door")
    with in_turn(store, "s-1", "ann", 1.5) as turn:
        first = turn.expires_at
        for _ in range(2):
            proxy.cut("fsm.extend_turn", when)
        wait_until(lambda: proxy.made == 2, "two extensions were cut")
        wait_until(lambda: expired(db, first), "the ttl is over")
        assert write(app) == "SM050"
        assert turn.send("OPEN").version == 2
    assert turn.lost is False


def test_a_database_that_was_away_for_longer_than_the_ttl(
    flavour: Flavour, proxy: Proxy, in_turn: Turns, db: Connection, held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    store = flavour.store(proxy.dsn, timeout=10)
    store.create("s-1", "door")
    with in_turn(store, "s-1", "ann", 0.3) as turn:
        proxy.stop()
        wait_until(lambda: not held(), "the turn expires")
        wait_until(lambda: "is not extended" in caplog.text, "the extension gives up for this time")
        assert turn.lost is False
        proxy.refuse = False
        wait_until(lambda: turn.lost, "the extension is told")
        with pytest.raises(fsmstore.TurnExpired):
            turn.send("OPEN")


def test_all_backends_are_killed(store: Any, app_dsn: str, in_turn: Turns, db: Connection, app: Connection) -> None:
    store.create("s-1", "door")
    with in_turn(store, "s-1", "ann", 1.5) as turn:
        for _ in range(3):
            before = turn.expires_at
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'test_app' and datname = current_database() and pid <> %s",
                (app.info.backend_pid,),
            )
            wait_until(lambda before=before: turn.expires_at != before, "it is extended")  # type: ignore[misc]
            assert write(app) == "SM050"
        assert turn.send("OPEN").version == 2


def test_an_error_in_ending_it_is_raised(flavour: Flavour, proxy: Proxy, in_turn: Turns) -> None:
    store = flavour.store(proxy.dsn, timeout=0.5)
    store.create("s-1", "door")
    with pytest.raises(psycopg.OperationalError) as caught, in_turn(store, "s-1", "ann", 30):
        proxy.stop()
    assert outcome_of(caught.value) in (Outcome.UNKNOWN, Outcome.NOT_DONE)
    assert extensions() == []


def test_an_error_in_ending_it_does_not_hide_the_blocks_own(
    flavour: Flavour, proxy: Proxy, in_turn: Turns, caplog: pytest.LogCaptureFixture
) -> None:
    store = flavour.store(proxy.dsn, timeout=0.5)
    store.create("s-1", "door")

    def stop() -> None:
        proxy.stop()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), in_turn(store, "s-1", "ann", 30):
        stop()
    assert "is not ended, and expires" in caplog.text
    assert extensions() == []


def test_a_store_that_is_closed_in_the_block(flavour: Flavour, app_dsn: str, in_turn: Turns) -> None:
    store = flavour.store(app_dsn)
    store.create("s-1", "door")

    def close() -> None:
        store.close()
        wait_until(lambda: not extensions(), "there is nothing to extend with")

    with pytest.raises(psycopg.OperationalError, match="closed"), in_turn(store, "s-1", "ann", 0.15):
        close()


def test_an_update_is_done_although_the_session_could_not_be_loaded(
    flavour: Flavour, proxy: Proxy, in_turn: Turns, caplog: pytest.LogCaptureFixture
) -> None:
    store = flavour.store(proxy.dsn, timeout=0.5)
    store.create("s-1", "door", {"n": 0})
    with in_turn(store, "s-1", "ann", 30) as turn:
        for _ in range(50):
            proxy.cut("fsm.load_session(", "before")
        assert turn.update({"n": 1}).version == 2
        assert turn.session.version == 1
        assert "is not loaded after its update" in caplog.text
        with proxy._lock:
            proxy._cuts.clear()
        with pytest.raises(fsmstore.VersionConflict):
            turn.save(turn.session.evolve(context={"n": 2}))
        assert turn.load().version == 2


def test_the_pool_gets_its_connections_back(flavour: Flavour, app_dsn: str, in_turn: Turns) -> None:
    store = flavour.store(app_dsn, max_size=1)
    store.create("s-1", "door")
    for _ in range(3):
        with in_turn(store, "s-1", "ann", 0.6) as turn:
            first = turn.expires_at
            wait_until(lambda first=first: turn.expires_at != first, "it is extended")  # type: ignore[misc]
            turn.update({"n": 1})
    stats = store.wrapped._connections._own.get_stats()
    assert (stats["pool_size"], stats["pool_available"], stats["requests_waiting"]) == (1, 1, 0)


def test_an_extension_waits_for_whoever_has_the_lock(
    flavour: Flavour, app_dsn: str, in_turn: Turns, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    store = flavour.store(app_dsn)
    store.create("s-1", "door")
    with in_turn(store, "s-1", "ann", 3) as turn:
        other = connect_as("test_app")
        other.execute("begin")
        other.execute("select fsm.extend_turn('s-1', %s, '3 seconds')", (turn.turn,))
        with running(turn.extend) as extending:
            wait_until(lambda: waiting_backend(db) is not None, "the extension waits")
            other.execute("commit")
        assert extending.result() == turn.expires_at


# On the caller's connection.


def test_on_the_callers_connection_it_is_part_of_the_transaction(
    flavour: Flavour, app_dsn: str, in_turn: Turns, app: Connection, held: Held
) -> None:
    connection = flavour.connect(app_dsn)
    store = flavour.store(connection)
    store.create("s-1", "door", {"n": 0})
    connection.commit()
    with in_turn(store, "s-1", "ann", 0.3) as turn:
        assert extensions() == []
        assert held() == []
        connection.commit()
        assert held() == [("s-1", "ann")]
        assert write(app) == "SM050"
        assert turn.extend(60) == turn.expires_at
        turn.update({"n": 1})
        assert turn.session.context == {"n": 1}
    connection.rollback()
    assert held() == [("s-1", "ann")]  # its end was rolled back, and the extension too
    assert store.load("s-1").context == {"n": 0}


def test_on_the_callers_connection_a_refusal_is_what_is_raised(
    flavour: Flavour, app_dsn: str, in_turn: Turns, held: Held
) -> None:
    connection = flavour.connect(app_dsn)
    store = flavour.store(connection)
    store.create("s-1", "door")
    connection.commit()
    with pytest.raises(fsmstore.TransitionNotAllowed), in_turn(store, "s-1", "ann") as turn:
        turn.send("CLOSE")
    connection.rollback()
    assert held() == []


# Other places where a block may end.

FORKING = """
import os, sys
import fsmstore

store = fsmstore.SessionStore(sys.argv[1])
store.create("s-1", "door")
with store.turn("s-1", "ann", 30) as turn:
    child = os.fork()
    if child == 0:
        try:
            with turn:
                pass
        except RuntimeError:
            pass
        sys.exit(0)
    os.waitpid(child, 0)
    print(turn.send("OPEN").version, turn.lost)
store.close()
"""


def test_a_child_that_was_forked_in_the_block_does_not_end_it(app_dsn: str, held: Held) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, app_dsn],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 False\n", "")
    assert held() == []


def test_nothing_is_extended_more_often_than_makes_sense(store: Any) -> None:
    store.create("s-1", "door")
    turn = store.turn("s-1", "ann", 0.001)
    assert turn._period == held_turn._SHORTEST_PERIOD
    assert store.turn("s-1", "ann", timedelta(seconds=90))._period == 30
    assert store.turn("s-1", "ann", 3600)._attempt == held_turn._LONGEST_ATTEMPT


def test_a_turn_while_the_lock_is_held(
    flavour: Flavour, app_dsn: str, in_turn: Turns, db: Connection, connect_as: Callable[..., Connection]
) -> None:
    store = flavour.store(app_dsn)
    store.create("s-1", "door", {"n": 0})

    def take() -> int:
        with in_turn(store, "s-1", "ann") as turn:
            version: int = turn.session.version
            return version

    with holding(connect_as("test_app"), "s-1", update=True) as release:
        with running(take) as taken:
            wait_until(lambda: waiting_backend(db) is not None, "the turn waits for the lock")
            release()
        assert taken.result() == 2
