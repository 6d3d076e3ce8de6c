"""The endless loop of the old store, and the same conversation, the same user and the same program on fsmstore."""

from __future__ import annotations

import json
import logging
import runpy
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import fsmstore
from loopbug import old_store
from loopbug.old_store import OldStore, talk
from support.machines import PURCHASE

Connection = psycopg.Connection[Any]
ROOT = Path(__file__).parents[2]
FOR_EVER = 40
"""Turns. A user gives up earlier."""


@pytest.fixture
def store(db: Connection, dsn: Callable[..., str]) -> Iterator[fsmstore.SessionStore]:
    """fsmstore on a database with the machine purchase_item, as an application sees it."""
    db.execute("select fsm.define_machine(%s)", (json.dumps(PURCHASE),))
    with fsmstore.SessionStore(dsn("test_app")) as store:
        yield store


def test_on_the_old_store_the_conversation_never_leaves_the_search(caplog: pytest.LogCaptureFixture) -> None:
    store = OldStore()
    with caplog.at_level(logging.INFO, "old_store"):
        reply = talk(store, "s-1", turns=FOR_EVER)
    assert reply.session.state == "refine_constraints"
    assert store.walk == ["start", *["search", "refine_constraints"] * FOR_EVER]
    # Two copies, and neither knows of the other.
    stored = store.stored("s-1")
    assert stored is not None
    assert (stored.state, store.status("s-1")) == ("search", "refine_constraints")
    # And everything looks fine.
    assert store.reported == [True] * (FOR_EVER + 1)
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"saved session s-1 in state {state}" for state in ["search", *["refine_constraints"] * FOR_EVER]]


def test_of_a_row_of_the_old_store_only_the_first_save_survives() -> None:
    store = OldStore(clock=iter(range(1000)).__next__)
    talk(store, "s-1", turns=3)
    ((context, updated_at),) = store.database.execute("select context, updated_at from sessions").fetchall()
    first = json.loads(context)
    assert (first["current_state"], first["product_query"]) == ("search", "I am looking for a washing machine.")
    assert "search_results" not in first
    assert len(first["conversation_history"]) == 2
    before = updated_at
    talk(store, "s-1", turns=1)
    ((again, updated_at),) = store.database.execute("select context, updated_at from sessions").fetchall()
    assert (again, updated_at > before) == (context, True)


def test_the_second_copy_of_the_old_store_contradicts_the_row_for_minutes() -> None:
    now = 0.0
    store = OldStore(clock=lambda: now)
    talk(store, "s-1", turns=2)
    now = old_store.MEMORY_SECONDS - 1
    assert store.status("s-1") == "refine_constraints"
    now = old_store.MEMORY_SECONDS
    assert store.status("s-1") == "search"
    assert store.status("s-2") is None


def test_a_broken_database_stays_unnoticed_by_the_old_store(caplog: pytest.LogCaptureFixture) -> None:
    store = OldStore()
    store.create("s-1", "purchase_item")
    store.database.execute("drop table sessions")
    assert store.load("s-1") is None
    sent = store.send("s-1", "BEGIN", {"product_query": "headphones"}, append={}, expected_version=0)
    assert (sent.state, store.reported) == ("search", [False])
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "could not load session s-1",
        "could not load session s-1",
        "could not save session s-1",
    ]


def test_the_same_conversation_on_fsmstore_ends_in_completed(store: fsmstore.SessionStore) -> None:
    reply = talk(store, "s-1", turns=FOR_EVER)
    assert reply.session.state == "completed"
    assert [entry.to_state for entry in reversed(store.history("s-1"))] == [
        "start",
        "search",
        "refine_constraints",
        "search",
        "collect_preferences",
        "collect_preferences",
        "match_preferences",
        "confirm_purchase",
        "completed",
    ]
    assert store.detect_loop("s-1") == []


def test_fsmstore_notices_the_old_programs_walk(store: fsmstore.SessionStore) -> None:
    flagged = [session.result.loop_detected for session in _walk_again(store, "purchase_item") if session.result]
    # start, search, and then passages of search → refine_constraints and back: the fourth of each.
    assert flagged == [False] * 7 + [True, True]
    loops = {(loop.from_state, loop.to_state): loop.occurrences for loop in store.detect_loop("walk")}
    assert loops == {("search", "refine_constraints"): 4, ("refine_constraints", "search"): 4}


def test_fsmstore_ends_the_old_programs_walk_if_the_machine_says_so(
    db: Connection, store: fsmstore.SessionStore
) -> None:
    _define(db, "strict", "block")
    with pytest.raises(fsmstore.LoopDetected) as caught:
        list(_walk_again(store, "strict"))
    assert (caught.value.from_state, caught.value.to_state) == ("search", "refine_constraints")
    stopped = store.load("walk")
    assert stopped is not None
    assert (stopped.state, stopped.version) == ("search", 8)


def test_fsmstore_leads_the_old_programs_walk_elsewhere_if_the_machine_says_so(
    db: Connection, store: fsmstore.SessionStore
) -> None:
    _define(db, "diverting", {"divert": "failed"})
    with pytest.raises(fsmstore.SessionFinished):
        list(_walk_again(store, "diverting"))
    newest = store.history("walk")[0]
    assert (newest.version, newest.kind, newest.from_state, newest.to_state) == (9, "divert", "search", "failed")


def _define(db: Connection, name: str, action: Any) -> None:
    """Define the purchase with another answer to loops."""
    meta = {**PURCHASE["meta"], "loop": {"limit": 3, "window": "5 minutes", "action": action}}
    db.execute("select fsm.define_machine(%s)", (json.dumps({**PURCHASE, "id": name, "meta": meta}),))


def _walk_again(store: fsmstore.SessionStore, machine: str) -> Iterator[fsmstore.Session]:
    """Save in fsmstore every state that the old program was in, one after the other."""
    old = OldStore()
    talk(old, "s-1", turns=5)
    assert old.walk[:2] == ["start", "search"]
    session = store.create("walk", machine, {"product_query": "washing machine", "search_results": [*range(51)]})
    for state in old.walk[1:10]:
        session = store.save(session.evolve(state=state))
        yield session


def test_what_is_changed_in_place_is_saved_by_fsmstore(store: fsmstore.SessionStore) -> None:
    session = store.create("s-1", "purchase_item", {"constraints": []})
    for number in range(3):
        session.context["constraints"].append(number)
        session = store.save(session)
    loaded = store.load("s-1")
    assert loaded is not None
    assert loaded.context == {"constraints": [0, 1, 2]}


def test_a_stale_copy_cannot_be_saved_over_a_newer_one_in_fsmstore(store: fsmstore.SessionStore) -> None:
    stale = store.create("s-1", "purchase_item", {"product_query": "headphones"})
    store.save(stale.evolve(state="search"))
    with pytest.raises(fsmstore.VersionConflict):
        store.save(stale.evolve(context={"product_query": "dishwasher"}))


def test_the_program_shows_what_the_page_about_it_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "tests/loopbug/old_store.py"), run_name="__main__")
    shown = capsys.readouterr().out
    assert "the row says:      search\nthe memory says:   refine_constraints\n" in shown
    assert textwrap.indent(shown, "    ") in (ROOT / "docs/loop-bug.md").read_text("utf-8")
