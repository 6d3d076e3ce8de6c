"""A crash of the server ends all turns; the tokens go on rising, and what was written stays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest

from fsmstore import migrate
from fsmstore.devdb import Server
from support.api import Api, refused
from support.machines import DOOR
from support.servers import own_server
from support.stored import problems
from support.waiting import wait_until

REQUEST = UUID(int=1)


@pytest.fixture
def sound() -> None:
    """Without the run's own database: each test looks by itself."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, with the schema."""
    with own_server() as one:
        assert migrate.apply(one.dsn())
        yield one


def _answers(server: Server) -> bool:
    try:
        with psycopg.connect(server.dsn(), connect_timeout=5) as conn:
            conn.execute("select 1")
    except psycopg.OperationalError:
        return False
    return True


def _crash(server: Server) -> None:
    """Kill a backend hard, so that the server throws out all the others and recovers from its log."""
    with psycopg.connect(server.dsn(), autocommit=True) as victim, psycopg.connect(server.dsn()) as other:
        os.kill(victim.info.backend_pid, signal.SIGKILL)

        def thrown_out() -> bool:
            try:
                other.execute("select 1")
            except psycopg.OperationalError:
                return True
            return False

        wait_until(thrown_out, "the server throws everybody out", timeout=60)
    wait_until(lambda: _answers(server), "the server has recovered", timeout=60)


def test_turns_are_void_and_the_counter_is_not(server: Server) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        api = Api(conn)
        api.one("define_machine", definition=DOOR)
        api.create("s-1")
        api.create("s-2")
        first = api.begin("s-1", "me", ttl="1 hour", request_id=REQUEST)
        api.update("s-1", turn=first.turn)
    _crash(server)
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        api = Api(conn)
        assert conn.execute("select * from fsm.active_turns").fetchall() == []
        assert api.load("s-1").version == 2
        with refused("SM051") as refusal:
            api.update("s-1", turn=first.turn)
        assert refusal.detail == {"session_id": "s-1", "turn": first.turn, "held_turn": None}
        with refused("SM051"):
            api.rows("extend_turn", session_id="s-1", turn=first.turn, ttl="1 minute")
        assert api.one("end_turn", session_id="s-1", turn=first.turn) == (False,)
        assert api.update("s-1").version == 3
        # The request that began it was forgotten with it: it begins another, above.
        again = api.begin("s-1", "me", request_id=REQUEST)
        assert (again.turn, again.version) == (first.turn + 1, 3)
        assert api.update("s-1", turn=again.turn).version == 4
        assert problems(conn) == []
