"""fsm.fork_session: a new session that starts as another one was at a version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from support.api import Api, case, refused
from support.machines import DOOR
from support.stored import problems

REQUEST = UUID(int=1)
OTHER_DOOR = {**DOOR, "states": {**DOOR["states"], "open": {"on": {"CLOSE": "closed", "SLAM": "closed"}}}}


@pytest.fixture
def s(api: Api) -> Api:
    """Session s-1 has five versions: closed, open, closed, open, open."""
    api.create("s-1", context={"n": 1, "log": []})
    api.send("s-1", "OPEN", patch={"n": 2}, append={"log": [2]})
    api.save("s-1", "closed", '{"n": 3.0}')
    api.send("s-1", "OPEN", request_id=REQUEST)
    api.update("s-1", patch={"n": 5})
    return api


def test_it_starts_as_each_version_was(s: Api, db: psycopg.Connection[Any]) -> None:
    for version in range(1, 6):
        source = s.at("s-1", version)
        forked = s.fork("s-1", version, f"f-{version}", actor="me")
        assert forked[:11] == (
            f"f-{version}", "door", 1, 1, source.state, None, True, False, False, False, source.context_version,
        )  # fmt: skip
        assert forked.entered_at == forked.created_at == forked.saved_at > s.load("s-1").updated_at
        assert s.text(f"f-{version}") == s.text("s-1", version)
        assert s.history(f"f-{version}") == [
            (1, "fork", None, source.state, None, "me", "test_app", {"session_id": "s-1", "version": version}, False,
             forked.saved_at),
        ]  # fmt: skip
    assert problems(db) == []


def test_the_source_stays_as_it_is_and_both_go_their_ways(s: Api) -> None:
    before, history = s.load("s-1"), s.history("s-1")
    s.fork("s-1", 3, "f-1")
    s.send("f-1", "OPEN", patch={"n": "other"})
    assert (s.load("s-1"), s.history("s-1")) == (before, history)
    s.send("s-1", "CLOSE")
    assert s.load("f-1").state == "open"
    assert s.rollback("f-1", 1).state == "closed"


def test_a_fork_of_a_fork(s: Api, db: psycopg.Connection[Any]) -> None:
    s.fork("s-1", 3, "f-1")
    s.send("f-1", "OPEN")
    s.fork("f-1", 2, "f-2")
    assert s.history("f-2")[0].note == {"session_id": "f-1", "version": 2}
    assert s.text("f-2") == '{"n": 3.0}'
    assert problems(db) == []


def test_of_a_final_state(api: Api, define: Callable[..., int]) -> None:
    define({"a": {"on": {"END": "z"}}, "z": {"type": "final"}})
    api.create("s-1", "m")
    api.send("s-1", "END")
    assert api.fork("s-1", 2, "f-2").is_final is True
    with refused("SM012"):
        api.update("f-2")
    assert api.fork("s-1", 1, "f-1").is_final is False


def test_loops_of_the_source_are_not_its_own(api: Api) -> None:
    """Passages are counted in a session's own history."""
    api.create("s-1", "blocking")
    api.move("s-1", "OPEN", "CLOSE")
    with refused("SM040"):
        api.send("s-1", "OPEN")
    api.fork("s-1", 3, "f-1")
    assert api.rows("detect_loop", session_id="f-1") == []
    assert api.send("f-1", "OPEN").version == 2


def test_on_the_machine_version_of_that_version(
    s: Api, db: psycopg.Connection[Any], define: Callable[..., int]
) -> None:
    define(OTHER_DOOR)
    Api(db).rows("upgrade_sessions", machine="door", from_version=1, to_version=2, dry_run=False)
    assert s.load("s-1").machine_version == 2
    assert s.fork("s-1", 4, "f-4").machine_version == 1
    assert s.fork("s-1", 6, "f-6").machine_version == 2
    with refused("SM020"):
        s.send("f-4", "SLAM")
    assert s.send("f-6", "SLAM").version == 2
    assert problems(db) == []


def test_not_on_a_retired_version(s: Api, db: psycopg.Connection[Any], define: Callable[..., int]) -> None:
    define(OTHER_DOOR)
    Api(db).one("retire_machine", machine="door", machine_version=1)
    with refused("SM001") as refusal:
        s.fork("s-1", 1, "f-1")
    assert (refusal.detail["machine"], refusal.detail["machine_version"]) == ("door", 1)
    assert s.load("f-1") is None
    Api(db).rows("upgrade_sessions", machine="door", from_version=1, to_version=2, dry_run=False)
    assert s.fork("s-1", 6, "f-6").machine_version == 2


def test_a_retry_gives_the_first_answer_again(s: Api, db: psycopg.Connection[Any], define: Callable[..., int]) -> None:
    """Before anything else is looked at, and whatever became of either session."""
    first = s.fork("s-1", 2, "f-1", request_id=REQUEST)
    assert first.replayed is False
    s.send("f-1", "CLOSE")
    s.send("s-1", "CLOSE")
    for source, version in (("s-1", 2), ("s-1", 99), ("nobody", 1)):
        assert s.fork(source, version, "f-1", request_id=REQUEST) == first._replace(replayed=True)
    assert s.create("f-1", "no machine", request_id=REQUEST) == first._replace(replayed=True)
    Api(db).rows("delete_session", session_id="s-1")
    assert s.fork("s-1", 2, "f-1", request_id=REQUEST).replayed is True
    assert len(s.history("f-1")) == 2


def test_the_id_is_taken(s: Api) -> None:
    s.create("s-2")
    for new_id in ("s-1", "s-2"):
        for request in (None, uuid4()):
            with refused("SM011") as refusal:
                s.fork("s-1", 1, new_id, request_id=request)
            assert refusal.detail["session_id"] == new_id


def test_a_request_id_of_the_source_is_no_replay(s: Api) -> None:
    assert s.fork("s-1", 4, "f-1", request_id=REQUEST).replayed is False


@pytest.mark.parametrize("version", [0, -1, 6, 9223372036854775807, -9223372036854775808])
def test_a_version_that_was_never_made(s: Api, version: int) -> None:
    with refused("22023") as refusal:
        s.fork("s-1", version, "f-1")
    assert refusal.message == "version never made or no longer retained"
    assert refusal.detail == {
        "argument": "p_version", "session_id": "s-1", "version": version, "oldest_version": 1, "newest_version": 5,
    }  # fmt: skip
    assert s.load("f-1") is None


def test_a_version_that_is_no_longer_retained(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("delete from fsm_internal.history where version < 3")
    with refused("22023") as refusal:
        s.fork("s-1", 2, "f-1")
    assert refusal.detail["oldest_version"] == 3
    assert s.fork("s-1", 3, "f-1").state == "closed"


ORDER: list[tuple[str, str | None, int | None, str | None, dict[str, Any]]] = [
    ("22004", None, 1, "f-1", {}),
    ("22004", "s-1", None, "f-1", {}),
    ("22004", "s-1", 1, None, {}),
    ("22023", "", 1, "f-1", {}),
    ("22023", "x" * 513, 1, "f-1", {}),
    ("22023", "s-1", 1, "", {}),
    ("22023", "s-1", 1, "é" * 257, {}),
    ("22023", "s-1", 1, "f-1", {"actor": "x" * 513}),
    ("22023", "nobody", 1, "f-1", {"actor": "x" * 513, "request_id": REQUEST}),
    ("SM011", "nobody", 1, "s-1", {}),
    ("SM011", "s-1", 99, "s-1", {}),
    ("SM010", "nobody", 99, "f-1", {}),
    ("SM010", "f-1", 1, "f-1", {}),
]


def test_the_order_of_checks(s: Api) -> None:
    for sqlstate, source, version, new_id, more in ORDER:
        with case((sqlstate, source, version, new_id)), refused(sqlstate):
            s.fork(source, version, new_id, **more)
    assert [row.session_id for row in s.rows("list_sessions")] == ["s-1"]


def test_a_corrupt_source(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("update fsm_internal.history set to_state = 'nowhere' where version = 2")
    with refused("SM060") as refusal:
        s.fork("s-1", 2, "f-1")
    assert (refusal.detail["code"], refusal.detail["session_id"]) == ("unknown_state", "s-1")
    db.execute("delete from fsm_internal.history where version = 4")
    with refused("SM060") as refusal:
        s.fork("s-1", 3, "f-1")
    assert (refusal.detail["code"], refusal.detail["version"]) == ("history_gap", 4)
    assert s.fork("s-1", 5, "f-1").version == 1


def test_history_that_runs_ahead_of_the_source(s: Api, db: psycopg.Connection[Any]) -> None:
    """As after a restore of one table alone: what version 5 held is not known."""
    db.execute("update fsm_internal.sessions set version = 4 where session_id = 's-1'")
    for version in (5, 3):
        with refused("SM060") as refusal:
            s.fork("s-1", version, "f-1")
        assert refusal.detail["session_id"] == "s-1"
    assert s.load("f-1") is None


def test_it_locks_its_own_id_only(s: Api, connect_as: Callable[..., Any]) -> None:
    """A busy source is read as it was committed last."""
    other = Api(connect_as("test_app"))
    other.conn.execute("set lock_timeout = '1s'")
    s.conn.execute("begin")
    s.send("s-1", "CLOSE", patch={"n": 6})
    assert other.fork("s-1", 5, "f-1").state == "open"
    with refused("22023"):
        other.fork("s-1", 6, "f-2")
    s.fork("s-1", 6, "f-3")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        other.fork("s-1", 1, "f-3")
    s.conn.execute("commit")
    assert other.load("f-3").context["n"] == 6


def test_a_held_turn_of_the_source_does_not_matter(s: Api) -> None:
    s.begin("s-1", "somebody")
    assert s.fork("s-1", 5, "f-1").version == 1
    assert s.update("f-1").version == 2


def test_its_hash_chain_begins_with_it(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define({"a": {"on": {"GO": "b"}}, "b": {"on": {"GO": "a"}}}, audit="chain")
    api.create("s-1", "m", context={"n": 1})
    api.send("s-1", "GO", patch={"n": 2})
    api.fork("s-1", 1, "f-1")
    api.send("f-1", "GO")
    hashes = [Api(db).one("audit_head", session_id=one) for one in ("s-1", "f-1")]
    assert [row.version for row in hashes] == [2, 2]
    assert problems(db) == []
    db.execute(
        """update fsm_internal.history set note = '{"session_id": "x"}' where session_id = 'f-1' and version = 1"""
    )
    assert [(row[0], row[1]) for row in problems(db)] == [("f-1", "chain_broken")]


def test_it_is_durable(s: Api) -> None:
    s.conn.execute("set synchronous_commit = off")
    with s.conn.transaction():
        s.fork("s-1", 1, "f-1")
        assert s.conn.execute("show synchronous_commit").fetchone() == ("on",)
