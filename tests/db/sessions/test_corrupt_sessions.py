"""SM060: what only an edit of the tables by hand, or a broken disk, can bring about."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api, case, refused

REQUEST, LAST = UUID(int=9), UUID(int=10)


@pytest.fixture
def s(api: Api) -> Api:
    """Session s-1 has versions 1 to 5, s-2 is sound."""
    for session_id in ("s-1", "s-2"):
        api.create(session_id, context={"n": 1})
        for number in range(2, 6):
            request_id = {2: REQUEST, 5: LAST}.get(number)
            api.send(session_id, "KNOCK", patch={"n": number}, request_id=request_id)
    return api


CALLS: list[Callable[[Api], Any]] = [
    lambda api: api.load("s-1"),
    lambda api: api.rows("load_sessions", session_ids=["s-2", "s-1"]),
    lambda api: api.save("s-1", "closed"),
    lambda api: api.save("s-1", "open", {}, 5),
    lambda api: api.send("s-1", "KNOCK"),
    lambda api: api.update("s-1"),
    lambda api: api.rows("allowed_events", session_id="s-1"),
]


def test_a_state_that_the_machine_does_not_have(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 's-1'")
    facts = {"machine": "door", "machine_version": 1, "state": "nowhere"}
    for number, call in enumerate(CALLS):
        with case(number), refused("SM060") as refusal:
            call(s)
        assert refusal.detail == {"session_id": "s-1", "code": "unknown_state", **facts}
    assert s.load("s-2").version == 5


def test_a_version_in_a_state_that_the_machine_does_not_have(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.history set to_state = 'nowhere' where session_id = 's-1' and version = 3")
    with refused("SM060") as refusal:
        s.at("s-1", 3)
    assert refusal.detail["code"] == "unknown_state"
    assert s.at("s-1", 4).context == {"n": 4}


@pytest.mark.parametrize("missing", [3, 4, 5])
def test_a_gap_in_history_is_told_instead_of_guessed_over(s: Api, db: psycopg.Connection[Any], missing: int) -> None:
    db.execute("delete from fsm_internal.history where session_id = 's-1' and version = %s", (missing,))
    for version in range(1, missing):
        with refused("SM060") as refusal:
            s.at("s-1", version)
        assert refusal.detail == {"session_id": "s-1", "code": "history_gap", "version": missing}
    assert s.at("s-1", missing) is None
    for version in range(missing + 1, 6):
        assert s.at("s-1", version).context == {"n": version}
    assert s.at("s-2", 1).context == {"n": 1}


def test_a_replay_does_not_guess_over_a_gap_either(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("delete from fsm_internal.history where session_id = 's-1' and version = 4")
    with refused("SM060"):
        s.send("s-1", "KNOCK", request_id=REQUEST)
    assert s.update("s-1", request_id=REQUEST).version == 2


def test_history_that_runs_ahead_of_the_session(s: Api, db: psycopg.Connection[Any]) -> None:
    """As after a restore of one table alone. Nothing is written over it."""
    db.execute("update fsm_internal.sessions set version = 4 where session_id = 's-1'")
    for version in (1, 2, 3):
        with refused("SM060"):
            s.at("s-1", version)
    assert s.at("s-1", 5) is None
    replayed = s.send("s-1", "KNOCK", request_id=LAST)
    assert (replayed.version, replayed.replayed, replayed.context) == (5, True, None)
    calls = [partial(s.update, "s-1"), partial(s.save, "s-1", "open"), partial(s.send, "s-1", "KNOCK")]
    for call in calls:
        with refused("SM030"):
            call()
    row = db.execute("select version from fsm_internal.sessions where session_id = 's-1'").fetchone()
    assert row == (4,)


def test_history_without_its_session_does_not_become_another_ones(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("delete from fsm_internal.sessions where session_id = 's-1'")
    with refused("SM060") as refusal:
        s.create("s-1")
    assert refusal.detail == {"session_id": "s-1", "code": "history_without_session", "version": 1}
    assert s.load("s-1") is None
