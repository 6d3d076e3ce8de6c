"""Each state is saved and comes back; a failure leaves memory and database as they were before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from fsmstore import GuardFailed, SessionStore, TransitionNotAllowed
from fsmstore.contract import ContractStateMachine, UnifiedSessionStore
from support.machines import PURCHASE

Connection = psycopg.Connection[Any]
# The state that each state is entered from, and what the context must have for it.
ENTERED: dict[str, tuple[str, dict[str, Any]]] = {
    "search": ("start", {}),
    "refine_constraints": ("search", {"search_results": [*range(51)]}),
    "collect_preferences": ("search", {"search_results": [1]}),
    "match_preferences": ("collect_preferences", {}),
    "confirm_purchase": ("match_preferences", {}),
    "completed": ("confirm_purchase", {}),
    "cancelled": ("confirm_purchase", {"is_cancelled": True}),
    "failed": ("search", {}),
}


def way_to(state: str) -> list[str]:
    return [*way_to(ENTERED[state][0]), state] if state in ENTERED else [state]


def test_the_states_are_the_nine_of_the_machine() -> None:
    assert {"start", *ENTERED} == set(PURCHASE["states"])
    assert len(PURCHASE["states"]) == 9


@pytest.mark.parametrize("state", ["start", *ENTERED])
def test_every_state_is_saved_and_comes_back(
    app_dsn: str, store: UnifiedSessionStore, sessions: SessionStore, state: str
) -> None:
    fsm = ContractStateMachine("purchase_item")
    for each in way_to(state):
        fsm.context.merge({"current_state": each, **ENTERED.get(each, ("", {}))[1]})
        assert store.save_fsm_state("s-1", fsm), store.last_refusal
        with UnifiedSessionStore(app_dsn) as another_process:
            loaded = another_process.load_fsm_state("s-1")
        assert loaded.context.current_state == each
        assert loaded.context.search_results == fsm.context.search_results
    stored = sessions.load("s-1")
    assert stored is not None
    assert stored.version == len(way_to(state))


def test_search_to_refine_constraints_is_there_for_the_next_process(
    app_dsn: str, store: UnifiedSessionStore, sessions: SessionStore, db: Connection
) -> None:
    """The save that the old store lost while it said that all was well."""
    fsm = ContractStateMachine("purchase_item")
    fsm.context.product_query = "washing machine"
    for expected in ("search", "refine_constraints"):
        assert fsm.next()["state"] == expected
        assert store.save_fsm_state("s-1", fsm)
    assert db.execute("select state, version from fsm_internal.sessions").fetchall() == [("refine_constraints", 3)]
    for _ in range(4):  # as often as the old one was asked, and each time by a process that knows nothing
        with UnifiedSessionStore(app_dsn) as another_process:
            loaded = another_process.load_fsm_state("s-1")
            assert loaded.context.current_state == "refine_constraints"
            assert len(loaded.context.search_results) > 50
            assert loaded.context.step_log == ["start -> search", "search -> refine_constraints"]
            assert loaded.next()["waiting"]  # it asks for limits, and does not search again
    (newest, *_) = sessions.history("s-1")
    assert (newest.from_state, newest.to_state, newest.event) == ("search", "refine_constraints", "RESULTS")


def test_a_change_in_place_is_saved(store: UnifiedSessionStore, fsm_with_known_state: ContractStateMachine) -> None:
    context = fsm_with_known_state.context
    context.metadata["deep"] = {"list": [1]}
    assert store.save_fsm_state("known", fsm_with_known_state)
    context.metadata["deep"]["list"].append(2)
    context.step_log.append("same state, same objects")
    assert store.save_fsm_state("known", fsm_with_known_state)
    loaded = store.load_fsm_state("known").context
    assert loaded.metadata == {"deep": {"list": [1, 2]}}
    assert loaded.step_log == ["same state, same objects"]


@pytest.mark.parametrize(
    ("state", "fields", "why"),
    [
        ("completed", {}, TransitionNotAllowed),
        ("refine_constraints", {"search_results": [1]}, GuardFailed),
        ("collect_preferences", {"search_results": []}, GuardFailed),
    ],
)
def test_a_refused_save_leaves_memory_and_database_as_they_were(
    store: UnifiedSessionStore,
    fsm_with_known_state: ContractStateMachine,
    db: Connection,
    state: str,
    fields: dict[str, Any],
    why: type[Exception],
) -> None:
    stored = "select * from fsm_internal.sessions, lateral (select count(*) from fsm_internal.history) h"
    before, memory = db.execute(stored).fetchall(), store.load_fsm_state("known").context
    fsm_with_known_state.context.merge({"current_state": state, "metadata": {"half": "done"}, **fields})
    assert store.save_fsm_state("known", fsm_with_known_state) is False
    assert type(store.last_refusal) is why
    assert db.execute(stored).fetchall() == before
    assert fsm_with_known_state.context == memory
    fsm_with_known_state.context.merge({"current_state": "refine_constraints"})
    assert store.save_fsm_state("known", fsm_with_known_state)


def test_a_failure_in_the_callers_transaction_takes_all_of_it_back(
    app: Connection, sessions: SessionStore, fsm_with_known_state: ContractStateMachine
) -> None:
    before = sessions.load("known")

    def refine_and_fail(joined: UnifiedSessionStore) -> None:
        fsm = joined.load_fsm_state("known")
        fsm.context.current_state = "refine_constraints"
        assert joined.save_fsm_state("known", fsm)
        assert joined.load_fsm_state("known").context.current_state == "refine_constraints"
        raise ZeroDivisionError

    with UnifiedSessionStore(app) as joined:
        with pytest.raises(ZeroDivisionError), app.transaction():
            refine_and_fail(joined)
        assert joined.load_fsm_state("known").context.current_state == "search"
    assert sessions.load("known") == before


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_refusal_does_not_abort_the_callers_transaction(
    connect_as: Callable[..., Connection], sessions: SessionStore, autocommit: bool
) -> None:
    caller = connect_as("test_app", autocommit=autocommit)
    fsm = ContractStateMachine("purchase_item")
    joined = UnifiedSessionStore(caller)
    fsm.context.current_state = "completed"
    assert joined.save_fsm_state("s-1", fsm) is False
    assert fsm.context.current_state == "start"
    assert joined.validate_state_integrity({"contract_type": "book_trip", "current_state": "start"}) is False
    fsm.context.current_state = "search"
    assert joined.save_fsm_state("s-1", fsm)
    assert (sessions.load("s-1") is not None) is autocommit  # it is for the caller to commit
    caller.commit()
    stored = sessions.load("s-1")
    assert stored is not None
    assert (stored.state, stored.version) == ("search", 2)
    fsm.context.current_state = "cancelled"
    assert joined.save_fsm_state("s-1", fsm)  # here it is the first call of the transaction
    caller.rollback()
    stored = sessions.load("s-1")
    assert stored is not None
    assert stored.version == (3 if autocommit else 2)


def test_a_database_that_ends_in_the_middle_of_a_save_loses_nothing(
    app_dsn: str, db: Connection, fsm_with_known_state: ContractStateMachine, sessions: SessionStore
) -> None:
    with UnifiedSessionStore(app_dsn) as store:
        fsm = store.load_fsm_state("known")
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        fsm.context.current_state = "refine_constraints"
        assert store.save_fsm_state("known", fsm)  # sent again on a new connection, and applied once
    stored = sessions.load("known")
    assert stored is not None
    assert (stored.state, stored.version) == ("refine_constraints", 3)
