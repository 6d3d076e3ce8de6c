"""Deadlines, upgrades, the feed, verification, numbers, and keeping a database in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

import fsmstore
from fsmstore import LoopingSession, Outcome, outcome_of
from support.clients import Flavour
from support.machines import DOOR, machine
from support.proxy import Proxy
from support.waiting import wait_until

from .conftest import Turns

Connection = psycopg.Connection[Any]

HASTY = machine(
    {
        "a": {"on": {"GO": "b"}, "after": {"1": "b"}},
        "b": {"on": {"BACK": "a"}, "meta": {"invariant": "!exists($.bad)"}},
    },
    "hasty",
)


@pytest.fixture
def admin(flavour: Flavour, dsn: Callable[..., str], db: Connection) -> Any:
    """A store of an administrator's, with machine hasty."""
    db.execute("select fsm.define_machine(%s)", (json.dumps(HASTY),))
    return flavour.store(dsn("test_admin"))


def until_due(db: Connection) -> None:
    def due() -> bool:
        row = db.execute("select count(*) from fsm_internal.deadlines where wake_at > clock_timestamp()").fetchone()
        return row == (0,)

    wait_until(due, "the deadlines are due")


# Deadlines.


def test_deadlines_are_fired(admin: Any, in_turn: Turns, db: Connection) -> None:
    for name, context in (("s-1", {}), ("s-2", {"bad": 1}), ("s-3", {})):
        admin.create(name, "hasty", context)
    until_due(db)
    with in_turn(admin, "s-3", "ann"):
        fired = {one.session_id: one for one in admin.fire_deadlines()}
    assert (fired["s-1"].from_state, fired["s-1"].to_state, fired["s-1"].version) == ("a", "b", 2)
    assert (fired["s-1"].sqlstate, fired["s-1"].message) == (None, None)
    assert (fired["s-2"].version, fired["s-2"].sqlstate) == (None, "SM021")
    assert (fired["s-3"].version, fired["s-3"].sqlstate, fired["s-3"].message) == (
        None,
        "SM050",
        "turn held by another",
    )
    assert [one.session_id for one in admin.fire_deadlines(1)] == ["s-3"]
    assert admin.fire_deadlines(limit=None) == []
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        admin.fire_deadlines(0)


def test_what_a_deadline_changed_is_not_held_any_more(admin: Any, db: Connection) -> None:
    session = admin.create("s-1", "hasty")
    other = admin.create("s-2", "door")
    until_due(db)
    assert admin.load("s-1", max_age=1000) == session
    assert len(admin.fire_deadlines()) == 1
    assert admin.load("s-1", max_age=1000).state == "b"
    assert admin.wrapped._cache.fresh("s-2", 1000).version == other.version


@pytest.mark.parametrize("when", ["before", "after"])
def test_deadlines_whose_answer_is_lost(flavour: Flavour, proxy: Proxy, admin: Any, db: Connection, when: str) -> None:
    store = flavour.store(proxy.dsn)
    store.create("s-1", "hasty")
    until_due(db)
    proxy.cut("fsm.fire_deadlines", when)
    with pytest.raises(psycopg.OperationalError) as caught:
        store.fire_deadlines()
    assert outcome_of(caught.value) is Outcome.UNKNOWN
    assert store.load("s-1", max_age=1000).state == ("b" if when == "after" else "a")
    assert len(store.fire_deadlines()) == (when == "before")
    assert store.load("s-1").state == "b"


# Machines.


def test_sessions_are_upgraded(admin: Any, db: Connection, in_turn: Turns) -> None:
    for number in range(3):
        admin.create(f"s-{number}", "door", {"n": number})
    admin.send("s-2", "OPEN")
    admin.create("s-3", "door")
    changed = machine(
        {"shut": {"on": {"OPEN": "open"}}, "open": {"on": {"CLOSE": "shut"}, "meta": {"invariant": "$.n > 5"}}}, "door"
    )
    assert admin.define_machine(changed).machine_version == 2
    admin.load_many(["s-0", "s-1", "s-2"])
    with in_turn(admin, "s-3", "ann"):
        for dry_run in (True, False):
            rows = admin.upgrade("door", 1, 2, state_map={"closed": "shut"}, patch={"x": 1}, dry_run=dry_run)
            assert [(one.from_state, one.to_state, one.sessions, one.code, one.last_session_id) for one in rows] == [
                ("closed", "shut", 2, None, "s-3"),
                ("closed", rows[1].to_state, 1, "turn_held", "s-3"),
                ("open", "open", 1, "context_rejected", "s-3"),
            ]
            assert rows[0].message is None
            assert "s-3" in rows[1].message
            assert admin.load("s-0", max_age=1000).machine_version == (1 if dry_run else 2)
    moved = admin.load("s-1")
    assert (moved.state, moved.context, moved.version) == ("shut", {"n": 1, "x": 1}, 2)
    assert admin.upgrade("door", 1, 2, after="s-3") == []
    assert [one.code for one in admin.upgrade("door", 1, 2, limit=1)] == ["context_rejected"]
    with pytest.raises(fsmstore.MachineNotFound):
        admin.upgrade("door", 1, 9)
    with pytest.raises(fsmstore.InvalidContext):
        admin.upgrade("door", 1, 2, patch={"session_id": "x"})


def test_a_machine_is_drawn(store: Any) -> None:
    mermaid = store.diagram("door")
    assert mermaid.startswith("stateDiagram-v2")
    assert "closed --> open : OPEN" in mermaid
    store.create("s-1", "door")
    store.send("s-1", "OPEN")
    assert "class open present" in store.diagram("door", session_id="s-1")
    dot = store.diagram("door", 1, "dot")
    assert dot.startswith("digraph")
    with pytest.raises(fsmstore.MachineNotFound):
        store.diagram("nothing")
    with pytest.raises(fsmstore.SessionNotFound):
        store.diagram("door", session_id="s-9")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.diagram("door", format="png")


# The feed.


def feed(store: Any, **arguments: Any) -> list[tuple[str, int, str]]:
    return [(one.session_id, one.version, one.kind) for one in store.changes(**arguments)]


def test_the_feed_of_changes(admin: Any) -> None:
    admin.create("s-1", "door")
    admin.send("s-1", "OPEN")
    admin.create("s-2", "door")
    admin.delete("s-1")

    def complete() -> bool:  # an older transaction elsewhere on the server delays it
        return len(admin.changes()) == 2

    wait_until(complete, "the feed shows it all")
    changes = admin.changes()
    assert feed(admin) == [("s-2", 1, "create"), ("s-1", 2, "delete")]
    assert (changes[0].from_state, changes[0].to_state, changes[0].event) == (None, "closed", None)
    assert changes[0].at == admin.load("s-2").created_at
    assert feed(admin, after=changes[0].cursor) == [("s-1", 2, "delete")]
    assert feed(admin, limit=1) == [("s-2", 1, "create")]
    assert admin.changes(changes[1].cursor) == []
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        admin.changes("x")
    assert admin.new_feed_epoch() != ""
    assert admin.changes(changes[1].cursor) == []
    admin.update("s-2", {"n": 1})
    wait_until(lambda: feed(admin, after=changes[1].cursor) == [("s-2", 2, "update")], "the feed goes on")


# What reports there are.


def test_what_is_stored_is_verified(admin: Any, db: Connection) -> None:
    for number in range(4):
        admin.create(f"s-{number}", "door", {"n": number})
    assert admin.verify() == []
    assert admin.verify("s-1") == []
    for number in (1, 3):
        db.execute("delete from fsm_internal.history where session_id = %s", (f"s-{number}",))
    found = admin.verify()
    assert {one.session_id for one in found} == {"s-1", "s-3"}
    assert all(isinstance(one.detail, dict) and one.code for one in found)
    assert {one.session_id for one in admin.verify(limit=2)} == {"s-1"}
    assert {one.session_id for one in admin.verify(after="s-1")} == {"s-3"}
    assert {one.session_id for one in admin.verify("s-3")} == {"s-3"}
    with pytest.raises(fsmstore.SessionNotFound):
        admin.verify("s-9")


def test_loops_and_stuck_sessions(admin: Any, db: Connection) -> None:
    circling = machine({"a": {"on": {"GO": "b"}}, "b": {"on": {"GO": "a"}}}, "circling", loop={"limit": 1})
    db.execute("select fsm.define_machine(%s)", (json.dumps(circling),))
    admin.create("s-1", "circling")
    admin.create("s-2", "circling")
    for _ in range(3):
        admin.send("s-1", "GO")
    (loop,) = admin.looping_sessions()
    (same,) = admin.detect_loop("s-1")
    assert isinstance(loop, LoopingSession)
    assert (loop.session_id, loop.from_state, loop.to_state, loop.occurrences, loop.loop_limit) == (
        "s-1", "a", "b", 2, 1,
    )  # fmt: skip
    for name in same.__slots__:
        assert getattr(loop, name) == getattr(same, name)
    stuck = admin.stuck_sessions(0)
    assert [(one.session_id, one.machine, one.state, one.version) for one in stuck] == [
        ("s-2", "circling", "a", 1),
        ("s-1", "circling", "b", 4),
    ]
    assert stuck[1].updated_at == admin.load("s-1").updated_at
    assert admin.stuck_sessions(timedelta(hours=1)) == []
    assert len(admin.stuck_sessions(0.0, limit=1)) == 1
    assert admin.looping_sessions(limit=None) == [loop]


def test_the_head_of_an_audit_chain(admin: Any, db: Connection) -> None:
    db.execute("select fsm.define_machine(%s)", (json.dumps({**DOOR, "id": "kept", "meta": {"audit": "chain"}}),))
    admin.create("s-1", "kept")
    one = admin.audit_head("s-1")
    admin.send("s-1", "OPEN")
    two = admin.audit_head("s-1")
    assert (one.version, two.version) == (1, 2)
    assert one.hash != two.hash
    assert len(bytes.fromhex(two.hash)) == 32
    admin.create("s-2", "door")
    assert (admin.audit_head("s-2").version, admin.audit_head("s-2").hash) == (1, None)
    with pytest.raises(fsmstore.SessionNotFound):
        admin.audit_head("s-9")


def test_the_numbers_and_the_doctor(flavour: Flavour, admin: Any, dsn: Callable[..., str], db: Connection) -> None:
    admin.create("s-1", "door")
    monitor = flavour.store(dsn("test_monitor"))
    metrics = monitor.metrics()
    assert metrics["sessions"]["total"] == 1
    assert metrics["release"] == monitor.schema_release()
    db.execute("grant connect on database %s to public" % db.info.dbname)  # noqa: UP031
    findings = {one.check_name: one for one in monitor.doctor()}
    assert findings["public_connect"].severity == "warning"
    assert findings["public_connect"].hint.startswith("revoke connect")
    assert db.info.dbname in findings["public_connect"].message


# Keeping a database in order.


def test_old_sessions_are_purged(admin: Any, in_turn: Turns) -> None:
    for number in range(4):
        admin.create(f"s-{number}", "purchase_item")
    for number in (0, 1):
        admin.send(f"s-{number}", "CANCEL")
    admin.load_many([f"s-{number}" for number in range(4)])
    assert admin.purge(timedelta(hours=1)) == 0
    assert admin.purge(0, limit=1) == 1
    assert admin.purge(0.0) == 1
    assert admin.purge(0) == 0
    assert admin.load("s-0", max_age=1000) is None
    with in_turn(admin, "s-2", "ann"):
        assert admin.purge(0, only_final=False) == 1
    assert [one.session_id for one in admin.list_sessions()] == ["s-2"]
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        admin.purge(-1)


def test_history_is_trimmed(admin: Any) -> None:
    admin.create("s-1", "door", {"n": 0})
    for number in range(5):
        admin.update("s-1", {"n": number})
    assert admin.trim_history(2) == 0
    assert admin.trim_history(2, limit=3, keep_for=0) == 3
    assert admin.trim_history(2, keep_for=timedelta(0)) == 1
    assert admin.trim_history(2, None, 0.0) == 0
    assert [one.version for one in admin.history("s-1")] == [6, 5]
    assert admin.load_at("s-1", 4) is None
    assert admin.verify() == []


def test_what_is_not_safe_to_repeat_is_not_repeated(flavour: Flavour, proxy: Proxy, dsn: Callable[..., str]) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(dsn("test_admin"))
    admin = flavour.store(
        psycopg.conninfo.make_conninfo(proxy.dsn, user=parts["user"], password=parts["password"]), timeout=5
    )
    admin.create("s-1", "door", {"n": 1})
    calls: dict[str, Callable[[], Any]] = {
        "purge_sessions": lambda: admin.purge(0, only_final=False),
        "trim_history": lambda: admin.trim_history(1),
        "upgrade_sessions": lambda: admin.upgrade("door", 1, 1),
        "new_feed_epoch": admin.new_feed_epoch,
        "delete_session": lambda: admin.delete("s-1"),
    }
    for made, (function, call) in enumerate(calls.items(), start=1):
        proxy.cut(f"fsm.{function}", "before")
        with pytest.raises(psycopg.OperationalError) as caught:
            call()
        assert proxy.made == made
        assert outcome_of(caught.value) is Outcome.UNKNOWN
    assert admin.load("s-1").version == 1
