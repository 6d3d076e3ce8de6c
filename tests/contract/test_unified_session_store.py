"""Save and load of an engine's objects, on the real database."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from fsmstore import (
    CorruptSession,
    GuardFailed,
    InvalidContext,
    LoopDetected,
    MachineNotFound,
    SchemaMismatch,
    SessionFinished,
    SessionNotFound,
    SessionStore,
    TransitionNotAllowed,
    TurnHeld,
    VersionConflict,
)  # fmt: skip
from fsmstore.contract import ContractStateMachine, SwisperContext, UnifiedSessionStore, UnknownTemplate
from fsmstore.contract.held import Held
from support.engine import machine

Connection = psycopg.Connection[Any]


def test_what_was_saved_is_loaded(store: UnifiedSessionStore) -> None:
    fsm = machine(product_query="kettle", preferences=["red"], odd={"a.b[0]": [1, 1.5, None]})
    assert store.save_fsm_state("s-1", fsm) is True
    loaded = store.load_fsm_state("s-1")
    assert loaded is not fsm
    assert isinstance(loaded, ContractStateMachine)
    assert loaded.context.session_id == "s-1"
    assert loaded.context == fsm.context
    assert Path(loaded.contract_template).samefile(fsm.contract_template)
    assert store.last_refusal is None


def test_state_and_id_are_the_sessions_and_not_stored_twice(store: UnifiedSessionStore, sessions: SessionStore) -> None:
    fsm = machine(contract_template="C:\\app\\contract_templates\\purchase_item.yaml", session_id="s-1")
    assert store.save_fsm_state("s-1", fsm)
    stored = sessions.load("s-1")
    assert stored is not None
    assert (stored.state, stored.version, stored.machine) == ("search", 2, "purchase_item")
    assert stored.context.keys().isdisjoint({"current_state", "session_id"})
    assert stored.context["contract_template"] == "purchase_item"
    assert [(entry.from_state, entry.to_state) for entry in sessions.history("s-1")] == [
        ("start", "search"), (None, "start"),
    ]  # fmt: skip


def test_no_such_session_is_none_and_only_that(store: UnifiedSessionStore, sessions: SessionStore) -> None:
    assert store.load_fsm_state("s-1") is None
    sessions.create("s-1", "purchase_item")
    loaded = store.load_fsm_state("s-1")
    assert loaded.context == SwisperContext("s-1")


def test_a_first_save_in_the_initial_state_is_the_creation(store: UnifiedSessionStore, sessions: SessionStore) -> None:
    assert store.save_fsm_state("s-1", machine("start", product_query="kettle"))
    assert [entry.kind for entry in sessions.history("s-1")] == ["create"]


def test_a_first_save_that_is_more_than_one_step_away_is_refused(
    store: UnifiedSessionStore, sessions: SessionStore
) -> None:
    fsm = machine("completed", product_query="kettle")
    assert store.save_fsm_state("s-1", fsm) is False
    assert isinstance(store.last_refusal, TransitionNotAllowed)
    stored = sessions.load("s-1")
    assert stored is not None
    assert (stored.state, stored.version) == ("start", 1)
    assert (fsm.context.current_state, fsm.context.session_id, fsm.context.product_query) == ("start", "s-1", "kettle")
    fsm.context.current_state = "search"
    assert store.save_fsm_state("s-1", fsm)


def test_a_session_that_cannot_be_created_leaves_the_context_alone(
    store: UnifiedSessionStore, sessions: SessionStore
) -> None:
    fsm = machine(contract_type="book_trip")
    before = fsm.context.to_dict()
    assert store.save_fsm_state("s-1", fsm) is False
    assert isinstance(store.last_refusal, MachineNotFound)
    assert fsm.context.to_dict() == before
    assert sessions.load("s-1") is None


def refusals() -> dict[type[Exception], Callable[[UnifiedSessionStore, Any], None]]:
    """One way to be refused for each SQLSTATE that a save can be refused with."""

    def beside(store: UnifiedSessionStore, fsm: Any) -> None:
        store.sessions.update("known", {"beside": True})

    def erased(store: UnifiedSessionStore, fsm: Any) -> None:
        with SessionStore(fsm.admin_dsn) as admin:
            admin.delete("known")

    def finished(store: UnifiedSessionStore, fsm: Any) -> None:
        other = store.load_fsm_state("known")
        other.context.current_state = "cancelled"
        assert store.save_fsm_state("known", other)
        fsm.context = store.load_fsm_state("known").context
        store._held.put(fsm, "known", 3)

    def held(store: UnifiedSessionStore, fsm: Any) -> None:
        fsm.turn = store.sessions.turn("known", "somebody", ttl=60)
        fsm.turn.__enter__()

    return {
        TransitionNotAllowed: lambda store, fsm: fsm.context.merge({"current_state": "completed"}),
        GuardFailed: lambda store, fsm: fsm.context.merge(
            {"current_state": "refine_constraints", "search_results": []}
        ),
        InvalidContext: lambda store, fsm: fsm.context.merge({"contract_status": "x" * 9_000_000}),
        VersionConflict: beside,
        SessionNotFound: erased,
        SessionFinished: finished,
        TurnHeld: held,
    }


@pytest.mark.parametrize("why", refusals(), ids=lambda why: why.sqlstate)
def test_a_refusal_is_false_logged_and_the_context_is_put_back(
    why: type[Exception],
    store: UnifiedSessionStore,
    fsm_with_known_state: Any,
    sessions: SessionStore,
    dsn: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fsm = fsm_with_known_state
    fsm.admin_dsn = dsn("test_admin")
    refusals()[why](store, fsm)
    fsm.context.step_log.append("only in memory")
    before = sessions.load("known")
    with caplog.at_level(logging.WARNING, "fsmstore.contract"):
        assert store.save_fsm_state("known", fsm) is False
    refusal = store.last_refusal
    assert type(refusal) is why
    (record,) = caplog.records
    assert (record.fsm_event, record.fsm["session_id"]) == ("fsm.save_refused", "known")  # type: ignore[attr-defined]
    assert record.fsm["sqlstate"] == refusal.sqlstate  # type: ignore[attr-defined,union-attr]
    assert sessions.load("known") == before  # nothing was written
    if before is None:
        assert fsm.context.step_log == ["only in memory"]
        assert store.save_fsm_state("known", fsm)  # it is a first save now
        return
    assert fsm.context.step_log == []
    assert fsm.context.current_state == before.state
    expected = SwisperContext.from_dict({"session_id": "known", "current_state": before.state, **before.context})
    assert fsm.context == expected
    if why is TurnHeld:
        fsm.turn.__exit__(None, None, None)
    if why is not SessionFinished:
        assert store.save_fsm_state("known", fsm)  # it goes on from there


def test_what_json_cannot_hold_is_refused_before_it_is_sent(
    store: UnifiedSessionStore, fsm_with_known_state: ContractStateMachine
) -> None:
    fsm_with_known_state.context.metadata["price"] = float("inf")
    assert store.save_fsm_state("known", fsm_with_known_state) is False
    assert isinstance(store.last_refusal, InvalidContext)
    assert store.last_refusal.path == "$.metadata.price"
    assert fsm_with_known_state.context.metadata == {}


def test_a_context_of_another_session_is_refused_by_the_database(
    store: UnifiedSessionStore, fsm_with_known_state: ContractStateMachine
) -> None:
    loaded = store.load_fsm_state("known")
    assert store.save_fsm_state("another", loaded) is False
    assert isinstance(store.last_refusal, InvalidContext)
    assert store.last_refusal.path == "$.session_id"
    assert store.load_fsm_state("another") is None


def test_a_stale_copy_does_not_overwrite(store: UnifiedSessionStore, fsm_with_known_state: Any) -> None:
    stale, fast = store.load_fsm_state("known"), store.load_fsm_state("known")
    fast.context.step_log.append("fast")
    assert store.save_fsm_state("known", fast)
    stale.context.step_log.append("slow")
    assert store.save_fsm_state("known", stale) is False
    assert isinstance(store.last_refusal, VersionConflict)
    assert stale.context.step_log == ["fast"]  # so that the step can be taken again, on top of it
    assert store.save_fsm_state("known", stale)


def test_an_object_that_was_never_seen_saves_over_what_is_there(
    store: UnifiedSessionStore, fsm_with_known_state: Any, sessions: SessionStore
) -> None:
    assert store.save_fsm_state("known", machine("search", odd=1))
    assert store.save_fsm_state("known", fsm_with_known_state) is False  # that one has a version now, and it is gone
    stored = sessions.load("known")
    assert stored is not None
    assert (stored.version, stored.context["odd"]) == (3, 1)


def test_objects_are_remembered_while_they_live() -> None:
    class Thing:
        pass

    held, thing, other = Held(), Thing(), Thing()
    held.put(thing, "s-1", 7)
    held.put(other, "s-1", 8)
    held.put(thing, "s-1", 9)
    assert (held.version(thing, "s-1"), held.version(thing, "s-2"), held.version(Thing(), "s-1")) == (9, None, None)
    assert len(held) == 2
    held.drop(other)
    del thing, other
    gc.collect()
    assert len(held) == 0


def test_a_lost_database_is_never_false(dsn: Callable[..., str], fsm_with_known_state: Any) -> None:
    with UnifiedSessionStore(SessionStore("host=/nonexistent user=x", timeout=0.2)) as store:
        with pytest.raises(psycopg.OperationalError):
            store.save_fsm_state("s-1", machine())
        with pytest.raises(psycopg.OperationalError):
            store.load_fsm_state("s-1")
        with pytest.raises(psycopg.OperationalError):
            store.save_many({"s-1": machine()})
        store.sessions.close()
        metrics = store.get_performance_metrics()
    assert (metrics["save_errors"], metrics["load_errors"], metrics["refusals"]) == (2, 1, {})


def test_a_corrupt_session_raises(store: UnifiedSessionStore, corrupted_session_data: dict[str, str]) -> None:
    broken = corrupted_session_data["a state that the machine does not have"]
    with pytest.raises(CorruptSession) as caught:
        store.load_fsm_state(broken)
    assert caught.value.sqlstate == "SM060"
    with pytest.raises(CorruptSession):
        store.save_fsm_state(broken, machine())
    with pytest.raises(CorruptSession):
        store.load_many([broken])


def test_history_that_runs_ahead_is_not_written_over(
    store: UnifiedSessionStore, corrupted_session_data: dict[str, str], db: Connection
) -> None:
    broken = corrupted_session_data["history that runs ahead"]
    count = "select count(*) from fsm_internal.history where session_id = %s"
    before = db.execute(count, (broken,)).fetchone()
    assert store.save_fsm_state(broken, machine()) is False
    assert isinstance(store.last_refusal, VersionConflict)
    assert db.execute(count, (broken,)).fetchone() == before


def test_a_database_without_the_schema_raises(app_dsn: str, db: Connection) -> None:
    db.execute("alter schema fsm rename to elsewhere")
    with UnifiedSessionStore(app_dsn) as store:
        with pytest.raises(SchemaMismatch):
            store.save_fsm_state("s-1", machine())
        assert store.last_refusal is None  # no rule refused it


def test_an_unknown_template_is_a_clear_error(store: UnifiedSessionStore, sessions: SessionStore) -> None:
    sessions.create("s-1", "purchase_item", {"contract_template": "../../etc/hostname"})
    with pytest.raises(UnknownTemplate, match="there is no contract template 'hostname'"):
        store.load_fsm_state("s-1")


def test_a_blocked_loop_is_refused(store: UnifiedSessionStore) -> None:
    fsm = machine("start", contract_type="strict_purchase")
    walk = ["start", "search", "cancelled"]
    assert [store.save_fsm_state("s-1", _at(fsm, state)) for state in walk[:2]] == [True, True]
    for state in ("refine_constraints", "search"):
        assert store.save_fsm_state("s-1", _at(fsm, state, search_results=[*range(51)]))
    assert store.save_fsm_state("s-1", _at(fsm, "refine_constraints")) is False
    assert isinstance(store.last_refusal, LoopDetected)
    assert fsm.context.current_state == "search"


def test_a_diverted_loop_is_saved_elsewhere_and_the_context_says_so(
    store: UnifiedSessionStore, caplog: pytest.LogCaptureFixture
) -> None:
    fsms = {name: machine("start", contract_type="diverting_purchase") for name in ("single", "batch")}
    for state in ("start", "search", "refine_constraints", "search"):
        for name, fsm in fsms.items():
            assert store.save_fsm_state(name, _at(fsm, state, search_results=[*range(51)]))
    with caplog.at_level(logging.WARNING, "fsmstore.contract"):
        assert store.save_fsm_state("single", _at(fsms["single"], "refine_constraints", odd=1))
        assert store.save_many({"batch": _at(fsms["batch"], "refine_constraints", odd=1)}) == {"batch": True}
    for name, fsm in fsms.items():
        assert (fsm.context.current_state, fsm.context.session_id, fsm.context.odd) == ("failed", name, 1)
        assert store.load_fsm_state(name).context == fsm.context
    assert [record.fsm_event for record in caplog.records] == ["fsm.save_diverted"] * 2  # type: ignore[attr-defined]


def _at(fsm: ContractStateMachine, state: str, **fields: Any) -> ContractStateMachine:
    fsm.context.merge({"current_state": state, **fields})
    return fsm


def test_a_turn_keeps_others_out_and_lets_its_holder_save(
    app_dsn: str, store: UnifiedSessionStore, fsm_with_known_state: Any
) -> None:
    fsm = fsm_with_known_state
    other = UnifiedSessionStore(app_dsn)
    with other, store.turn("known", "worker-1", ttl=30) as turn:
        intruder = other.load_fsm_state("known")
        assert other.save_fsm_state("known", intruder) is False
        assert isinstance(other.last_refusal, TurnHeld)
        assert other.save_many({"known": intruder}) == {"known": False}
        from_a_thread: list[bool] = []
        thread = Thread(target=lambda: from_a_thread.append(store.save_fsm_state("known", fsm)))
        thread.start()
        thread.join()
        assert from_a_thread == [False]  # the turn is this thread's
        assert store.save_fsm_state("known", fsm)
        assert store.save_many({"known": fsm}) == {"known": True}
        store.sessions.update("known", {"beside": True}, turn=turn.turn)
        assert store.save_fsm_state("known", fsm) is False
        assert isinstance(store.last_refusal, VersionConflict)
    assert store.save_fsm_state("known", fsm)


def test_an_argument_that_is_misused_raises(store: UnifiedSessionStore) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.save_fsm_state("", machine())
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.save_many({"": machine()})
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.load_fsm_state("x" * 600)


def test_each_thread_has_its_own_last_refusal(store: UnifiedSessionStore, fsm_with_known_state: Any) -> None:
    assert store.save_fsm_state("known", _at(fsm_with_known_state, "completed")) is False
    seen: list[Any] = []
    thread = Thread(target=lambda: seen.append(store.last_refusal))
    thread.start()
    thread.join()
    assert seen == [None]
    assert store.last_refusal is not None


def test_what_was_done_is_counted_and_timed(store: UnifiedSessionStore, fsm_with_known_state: Any) -> None:
    store.load_fsm_state("known")
    store.load_many(["known", "nobody"])
    store.save_fsm_state("known", _at(fsm_with_known_state, "completed"))
    metrics = store.get_performance_metrics()
    assert (metrics["saves"], metrics["loads"], metrics["refusals"]) == (2, 3, {"SM020": 1})
    assert (metrics["save_errors"], metrics["load_errors"]) == (0, 0)
    for what in ("save", "load"):
        assert 0 < metrics[f"{what}_ms_average"] <= metrics[f"{what}_ms_max"]
    assert UnifiedSessionStore(store.sessions).get_performance_metrics()["save_ms_average"] == 0.0


def test_it_takes_a_dsn_a_pool_a_connection_or_a_store(app_dsn: str, app: Connection) -> None:
    with ConnectionPool(app_dsn, min_size=1, kwargs={"autocommit": True}) as pool:
        for target in (app_dsn, pool, app):
            with UnifiedSessionStore(target) as store:
                fsm = store.load_fsm_state("s-1") or machine()
                assert store.save_fsm_state("s-1", fsm)
        pool.check()
    with SessionStore(app_dsn) as sessions:
        with UnifiedSessionStore(sessions) as store:
            assert store.sessions is sessions
        assert sessions.load("s-1") is not None  # still open
    with pytest.raises(TypeError):
        UnifiedSessionStore(7)  # type: ignore[arg-type]
