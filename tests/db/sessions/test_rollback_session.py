"""fsm.rollback_session: state and context of an earlier version, as a new version; history only grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from support.api import Api, case, refused
from support.serverlog import ServerLog
from support.stored import problems

REQUEST = UUID(int=1)
STATES: dict[str, Any] = {
    "a": {"on": {"GO": "b", "NEVER": {"target": "c", "guard": "$.never == true"}}},
    "b": {"on": {"BACK": "a", "END": "z"}, "meta": {"invariant": "$.n > 0"}},
    "c": {"on": {"BACK": "a"}},
    "z": {"type": "final"},
}
META: dict[str, Any] = {
    "loop": {"limit": 1, "window": "1 hour", "action": "block"},
    "context_schema": {"properties": {"n": {"type": "integer"}}},
    "max_context_bytes": 2000,
}


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 has four versions: a, b, b and z, which is final."""
    define(STATES, **META)
    api.create("s-1", "m", context={"n": 1, "log": ["x"]})
    api.send("s-1", "GO", patch={"n": 2}, request_id=REQUEST)
    api.update("s-1", patch={"n": 3, "more": {"é": None}}, append={"log": ["y", "z"]})
    api.send("s-1", "END", patch={"n": 4, "log": None})
    return api


def _states(api: Api) -> list[tuple[int, str, str | None, str]]:
    return [(entry.version, entry.kind, entry.from_state, entry.to_state) for entry in api.history("s-1")]


def test_to_each_version(s: Api, db: psycopg.Connection[Any]) -> None:
    """Also out of a final state, along no edge, through no guard, and whatever loops there were."""
    for to_version in (1, 2, 3, 4, 2, 1, 4):
        before, then = s.load("s-1"), s.at("s-1", to_version)
        done = s.rollback("s-1", to_version, before.version, reason="so that", actor="me")
        assert done[:11] == (
            "s-1", "m", 1, before.version + 1, then.state, before.state, then.state != before.state, False, False,
            then.state == "z", 1,
        )  # fmt: skip
        assert done.context == then.context
        assert done.entered_at == (done.saved_at if then.state != before.state else before.entered_at)
        assert done.created_at == before.created_at
        assert s.text("s-1") == s.text("s-1", to_version) == s.text("s-1", done.version)
        entry = s.history("s-1")[0]
        assert entry == (
            done.version, "rollback", before.state, then.state, None, "me", "test_app",
            {"to_version": to_version, "reason": "so that"}, False, done.saved_at,
        )  # fmt: skip
    assert problems(db) == []


def test_history_only_grows(s: Api) -> None:
    before = s.history("s-1")
    contexts = [s.text("s-1", version) for version in range(1, 5)]
    s.rollback("s-1", 1)
    assert s.history("s-1")[1:] == before
    assert [s.text("s-1", version) for version in range(1, 5)] == contexts


def test_a_rollback_of_a_rollback_restores(s: Api) -> None:
    before = s.text("s-1")
    s.rollback("s-1", 1)
    again = s.rollback("s-1", 4)
    assert (again.state, again.version, s.text("s-1")) == ("z", 6, before)
    assert s.rollback("s-1", 5).state == "a"
    assert _states(s)[:3] == [(7, "rollback", "z", "a"), (6, "rollback", "a", "z"), (5, "rollback", "z", "a")]


def test_to_the_present_version(s: Api) -> None:
    """It is a version like any other, though nothing differs."""
    before = s.load("s-1")
    done = s.rollback("s-1", 4, 4)
    assert (done.version, done.changed_state, done.context) == (5, False, before.context)
    assert s.at("s-1", 5).context == before.context


def test_a_final_state_is_open_again(s: Api) -> None:
    with refused("SM012"):
        s.update("s-1")
    assert s.rollback("s-1", 3).is_final is False
    assert s.send("s-1", "BACK").state == "a"


def test_it_counts_for_no_loop(s: Api) -> None:
    """a -> b was passed once, which is as often as it may be: only a passage of its own is one too many."""
    s.rollback("s-1", 1)
    for _ in range(3):
        s.rollback("s-1", 2)
        s.rollback("s-1", 1)
    assert s.rows("detect_loop", session_id="s-1") == []
    with refused("SM040"):
        s.send("s-1", "GO")


def test_without_reason_actor_and_version(s: Api) -> None:
    s.rollback("s-1", 1)
    entry = s.history("s-1")[0]
    assert (entry.actor, entry.note) == (None, {"to_version": 1, "reason": None})


def test_a_reason_has_at_most_4096_bytes(s: Api) -> None:
    for reason in ("", "x" * 4096, "é" * 2048, 'a"\n\\'):
        s.rollback("s-1", 1, reason=reason)
        assert s.history("s-1")[0].note["reason"] == reason
    for reason in ("x" * 4097, "é" * 2048 + "x"):
        with refused("22023") as refusal:
            s.rollback("s-1", 1, reason=reason)
        assert refusal.detail == {"argument": "p_reason", "bytes": 4097, "limit": 4096}


def test_a_retry_gives_the_first_answer_again(s: Api, db: psycopg.Connection[Any]) -> None:
    request = uuid4()
    first = s.rollback("s-1", 1, 4, request_id=request)
    assert (first.version, first.replayed) == (5, False)
    s.send("s-1", "BACK") if first.state == "b" else s.update("s-1", patch={"n": 9})
    for to_version, version in ((1, 4), (99, 99), (2, None)):
        assert s.rollback("s-1", to_version, version, request_id=request, turn=7) == first._replace(replayed=True)
    assert s.load("s-1").version == 6
    assert s.rollback("s-1", 1, request_id=REQUEST).version == 2  # an id of another write is that write
    db.execute("delete from fsm_internal.history where version < 3")
    assert s.rollback("s-1", 1, request_id=request).context == first.context


@pytest.mark.parametrize("to_version", [0, -1, 5, 9223372036854775807, -9223372036854775808])
def test_a_version_that_was_never_made(s: Api, to_version: int) -> None:
    with refused("22023") as refusal:
        s.rollback("s-1", to_version)
    assert refusal.message == "version never made or no longer retained"
    assert refusal.detail == {
        "argument": "p_to_version", "session_id": "s-1", "version": to_version,
        "oldest_version": 1, "newest_version": 4,
    }  # fmt: skip


def test_a_version_that_is_no_longer_retained(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("delete from fsm_internal.history where version < 3")
    with refused("22023") as refusal:
        s.rollback("s-1", 2)
    assert refusal.detail["oldest_version"] == 3
    assert s.rollback("s-1", 3).version == 5


ORDER: list[tuple[str, str | None, int | None, dict[str, Any]]] = [
    ("22004", None, 1, {}),
    ("22004", "nobody", None, {}),
    ("22023", "", 1, {}),
    ("22023", "x" * 513, 1, {}),
    ("22023", "nobody", 1, {"actor": "x" * 513}),
    ("22023", "s-1", 1, {"reason": "x" * 4097, "request_id": REQUEST}),
    ("SM010", "nobody", 99, {"version": 9, "turn": 1}),
    ("SM051", "s-1", 99, {"version": 9, "turn": 1}),
    ("SM030", "s-1", 99, {"version": 3}),
    ("22023", "s-1", 99, {"version": 4}),
]


def test_the_order_of_checks(s: Api) -> None:
    before = s.load("s-1")
    for sqlstate, session_id, to_version, more in ORDER:
        with case((sqlstate, session_id, to_version)), refused(sqlstate):
            s.rollback(session_id, to_version, **more)
    s.begin("s-1", "somebody")
    with refused("SM050"):
        s.rollback("s-1", 99, 3)
    assert s.load("s-1") == before


def _upgraded(api: Api, db: psycopg.Connection[Any], define: Callable[..., int], **changes: Any) -> Api:
    """Session s-1 as above, and then on a second version of the machine."""
    api.rollback("s-1", 3)
    meta = {**META, **changes.pop("meta", {})}
    states = {name: body for name, body in {**STATES, **changes}.items() if body is not None}
    define(states, **meta)
    rows = Api(db).rows("upgrade_sessions", machine="m", from_version=1, to_version=2, dry_run=False)
    assert [(row.sessions, row.code) for row in rows] == [(1, None)]
    return api


def test_on_the_present_machine_version(s: Api, db: psycopg.Connection[Any], define: Callable[..., int]) -> None:
    _upgraded(s, db, define, meta={"context_version": 2})
    done = s.rollback("s-1", 1)
    assert (done.machine_version, done.context_version, done.state) == (2, 2, "a")
    assert (s.at("s-1", 1).machine_version, s.at("s-1", done.version).machine_version) == (1, 2)
    assert problems(db) == []


def test_a_state_that_the_present_machine_version_does_not_have(
    s: Api, db: psycopg.Connection[Any], define: Callable[..., int]
) -> None:
    without = {"b": {"on": {"BACK": "a"}, "meta": STATES["b"]["meta"]}, "c": None, "z": None}
    _upgraded(s, db, define, a={"on": {"GO": "b"}}, **without)
    with refused("SM020") as refusal:
        s.rollback("s-1", 4)
    assert refusal.detail == {
        "session_id": "s-1", "machine": "m", "machine_version": 2, "state": "b", "to_state": "z", "version": 6,
        "to_version": 4,
    }  # fmt: skip
    assert s.rollback("s-1", 1).state == "a"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"meta": {"context_schema": {"properties": {"n": {"minimum": 2}}}}}, "minimum"),
        ({"a": {**STATES["a"], "meta": {"invariant": "$.n > 1"}}}, "invariant"),
        ({"meta": {"max_context_bytes": 20}}, "too_large"),
    ],
)
def test_what_the_present_version_does_not_admit(
    s: Api, db: psycopg.Connection[Any], define: Callable[..., int], changes: Any, code: str
) -> None:
    """Version 1 holds {"n": 1, "log": ["x"]}."""
    s.rollback("s-1", 3)
    s.save("s-1", "b", {"n": 3})
    states = {**STATES, **{key: value for key, value in changes.items() if key != "meta"}}
    define(states, **{**META, **changes.get("meta", {})})
    rows = Api(db).rows("upgrade_sessions", machine="m", from_version=1, to_version=2, dry_run=False)
    assert [row.code for row in rows] == [None]
    before = s.load("s-1")
    with refused("SM021") as refusal:
        s.rollback("s-1", 1)
    assert (refusal.detail["code"], refusal.detail["state"]) == (code, "a")
    assert s.load("s-1") == before


def test_a_gap_in_history(s: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("delete from fsm_internal.history where version = 3")
    with refused("SM060") as refusal:
        s.rollback("s-1", 2)
    assert refusal.detail == {"session_id": "s-1", "code": "history_gap", "version": 3}


def test_history_that_runs_ahead_of_the_session(s: Api, db: psycopg.Connection[Any]) -> None:
    """As after a restore of one table alone."""
    db.execute("update fsm_internal.sessions set version = 3, state = 'b' where session_id = 's-1'")
    for to_version in (4, 2):
        with refused("SM060") as refusal:
            s.rollback("s-1", to_version)
        assert refusal.detail["session_id"] == "s-1"
    assert s.load("s-1").version == 3


def test_it_mends_a_state_that_the_machine_does_not_have(
    s: Api, db: psycopg.Connection[Any], server_log: ServerLog
) -> None:
    """Every other write is SM060."""
    db.execute("update fsm_internal.sessions set state = 'nowhere' where session_id = 's-1'")
    with refused("SM060"):
        s.update("s-1")
    done = s.rollback("s-1", 3)
    assert (done.previous_state, done.state) == ("nowhere", "b")
    assert s.send("s-1", "BACK").state == "a"


def test_the_hash_chain_goes_on(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define(STATES, audit="chain")
    api.create("s-1", "m", context={"n": 1})
    api.send("s-1", "GO")
    heads = [Api(db).one("audit_head", session_id="s-1")]
    api.rollback("s-1", 1, reason="é", actor="me", request_id=REQUEST)
    heads.append(Api(db).one("audit_head", session_id="s-1"))
    api.rollback("s-1", 2)
    heads.append(Api(db).one("audit_head", session_id="s-1"))
    assert [head.version for head in heads] == [2, 3, 4]
    assert len({head.hash for head in heads}) == 3
    assert problems(db) == []
    db.execute("""update fsm_internal.history set note = '{"to_version": 2, "reason": "é"}' where version = 3""")
    assert [(row[1], row[2]) for row in problems(db)] == [("chain_broken", {"version": 3})]


def test_a_refused_one_stands_in_the_log(s: Api, server_log: ServerLog) -> None:
    server_log.mark()
    with refused("SM030") as refusal:
        s.rollback("s-1", 1, 3)
    [line] = server_log.events("fsm.refused")
    assert line == {**refusal.detail, "sqlstate": "SM030", "message": "version conflict"}


def test_it_is_durable(s: Api) -> None:
    s.conn.execute("set synchronous_commit = off")
    with s.conn.transaction():
        s.rollback("s-1", 1)
        assert s.conn.execute("show synchronous_commit").fetchone() == ("on",)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_snapshot_from_before_a_write_is_not_believed(s: Api, connect_as: Callable[..., Any], level: str) -> None:
    late = Api(connect_as("test_app"))
    late.conn.execute(f"begin isolation level {level}")
    late.load("s-1")
    s.rollback("s-1", 3)
    with pytest.raises(psycopg.errors.SerializationFailure):
        late.rollback("s-1", 1)
    late.conn.execute("rollback")
    assert s.load("s-1").version == 5
