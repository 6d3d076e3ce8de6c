"""The sessions of the old stores, imported: each becomes what it has to, and the engine goes on with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from fsmstore import ImportOutcome, Session, SessionStore
from fsmstore.contract import SwisperContext, UnifiedSessionStore
from fsmstore.legacy import Item
from support import legacy

Connection = psycopg.Connection[Any]
BATCH = UUID("11111111-1111-1111-1111-111111111111")
ACTIONS = {"imported": "import", "conflict_resolved": "import", "quarantined": "quarantine", "skipped": "skip"}
BACKENDS = ["shelve", "shelve_gnu", "shelve_ndbm", "shelve_sqlite3"]
# Deeper than a context may be: quarantined, with everything of it kept. The manifest calls that right, too.
TOO_DEEP = "deep_nesting_ok"
# Its own row kept the first save for ever; the shared row has a later one.
[FROZEN] = [one["session_id"] for one in legacy.manifest()["sessions"] if "kind_2" in one]


@pytest.fixture
def admin(dsn: Callable[..., str]) -> Iterator[SessionStore]:
    with SessionStore(dsn("test_admin")) as store:
        yield store


def known(*, with_shelve: bool) -> dict[str, dict[str, Any]]:
    """What each session has to become: id → the manifest's entry."""
    entries = legacy.manifest()["sessions"]
    table = {one["session_id"]: one for one in entries if one["source"] == "postgres"}
    if not with_shelve:
        return table
    both = {
        one["session_id"]: {**one, "expected": one.get("expected_with_shelve", one["expected"])}
        for one in table.values()
    }
    return {one["session_id"]: one for one in entries if one["source"] == "shelve"} | both


def file_store(backend: str = "shelve") -> list[Item]:
    return [*legacy.shelve_entries(backend), *legacy.shelve_entries(backend.replace("shelve", "shelve_hostile"))]


def texts(items: Iterable[Item]) -> list[str]:
    return [item.text() for item in items]


def differences(
    told: list[ImportOutcome],
    entries: dict[str, dict[str, Any]],
    load: Callable[[str], Session | None],
    notes: dict[str, Any],
) -> list[Any]:
    """What did not come out as it is known to have to, in whatever way."""
    last = {one.session_id: one for one in told}  # the session's own row stands behind those of its originals
    wrong: list[Any] = sorted(set(last) ^ set(entries))
    for session_id, entry in entries.items():
        one, expected = last[session_id], entry["expected"]
        if entry["kind"] == TOO_DEEP:
            expected = next(other for other in expected["acceptable"] if other["action"] == "quarantine")
        session = load(session_id) if session_id else None
        got: dict[str, Any] = {"action": ACTIONS[one.outcome], "canonical_state": None}
        if got["action"] == "import" and session is not None:
            got |= {"canonical_state": session.state, "warnings": sorted(notes[session_id]["warnings"])}
            expected = {**expected, "canonical_state": expected["canonical_state"] or "start"}
        else:
            got["problem"] = one.code
        wanted = {
            name: sorted(value) if name == "warnings" else value for name, value in expected.items() if name in got
        }
        if {name: got[name] for name in wanted} != wanted or (session is None) != (got["action"] != "import"):
            wrong.append((session_id, entry["kind"], got, wanted))
    return wrong


def notes(db: Connection) -> dict[str, Any]:
    """The note of each session's newest import."""
    query = "select session_id, note from fsm_internal.history where kind = 'import' order by version"
    return dict(db.execute(query).fetchall())


def test_the_table_alone(admin: SessionStore, db: Connection) -> None:
    items = legacy.table_items()
    dry = admin.import_sessions(items, BATCH)
    assert db.execute("select count(*) from fsm_internal.sessions").fetchone() == (0,)
    told = admin.import_sessions(items, BATCH, dry_run=False)
    assert told == dry
    assert differences(told, known(with_shelve=False), admin.load, notes(db)) == []
    assert admin.verify() == []


def test_both_stores_in_one_import_and_again(admin: SessionStore, db: Connection) -> None:
    os.environ.pop("LEGACY_PICKLE_EXECUTED", None)
    items = [*legacy.table_rows(), *file_store()]
    told = admin.import_sessions(texts(items), BATCH, dry_run=False)
    assert differences(told, known(with_shelve=True), admin.load, notes(db)) == []
    assert "LEGACY_PICKLE_EXECUTED" not in os.environ
    assert admin.verify() == []

    before = db.execute("select session_id, version, updated_at from fsm.sessions order by 1").fetchall()
    again = admin.import_sessions(texts(items), BATCH, dry_run=False)
    assert {one.outcome for one in again} == {"skipped", "quarantined"}
    assert db.execute("select session_id, version, updated_at from fsm.sessions order by 1").fetchall() == before

    # Nothing of a source is lost: every original comes back as it was read.
    for item in items:
        originals = [(one.source, one.original) for one in admin.import_original(BATCH, item.session_id)]
        assert (item.source, item.original) in originals
    assert db.execute("select count(*) from fsm_internal.import_items").fetchone() == (len(items),)

    assert (admin.undo_import(BATCH).removed, admin.undo_import(BATCH).removed) == (len(before), 0)
    assert db.execute("select count(*) from fsm.sessions").fetchone() == (0,)


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_the_other_formats_of_the_file_in_the_other_order(backend: str, admin: SessionStore, db: Connection) -> None:
    for item in reversed(file_store(backend)):
        admin.import_sessions([item.text()], BATCH, dry_run=False)
    rows = legacy.table_items()
    told = [
        one
        for start in range(0, len(rows), 50)
        for one in admin.import_sessions(rows[start : start + 50], BATCH, False)
    ]
    entries = known(with_shelve=True)
    own = {one.session_id for one in told}
    assert (
        differences(told, {name: entry for name, entry in entries.items() if name in own}, admin.load, notes(db)) == []
    )
    alone = {name: entry for name, entry in entries.items() if name not in own}
    quarantine = dict(db.execute("select session_id, code from fsm.quarantine where source = 'shelve'").fetchall())
    for name, entry in alone.items():
        session = admin.load(name)
        state = entry["expected"]["canonical_state"] or "start"
        assert (session.state if session else quarantine[name]) == entry["expected"].get("problem", state), entry[
            "kind"
        ]
    assert admin.verify() == []


def test_the_engine_goes_on_with_what_was_imported(admin: SessionStore, dsn: Callable[..., str]) -> None:
    """Contexts of all generations load, exact in what they had; each state is one that the engine can move from."""
    admin.import_sessions(legacy.table_items(), BATCH, dry_run=False)
    rows = {item.session_id: item.original for item in legacy.table_rows()}
    loaded = 0
    with UnifiedSessionStore(dsn("test_app")) as store:
        for listed in admin.list_sessions(limit=None):
            fsm = store.load_fsm_state(listed.session_id)
            assert fsm is not None
            context = fsm.context.to_dict()
            assert (context["session_id"], context["current_state"]) == (listed.session_id, listed.state)
            assert store.validate_state_integrity(context)
            assert SwisperContext.from_dict(context).to_dict() == context
            row = json.loads(rows.get(listed.session_id, "{}"))
            old = (row.get("session_metadata") or {}).get("contract_context") or {}
            if old and listed.session_id != FROZEN:
                assert context["product_query"] == old["product_query"]
                assert context["search_results"] == old.get("search_results", [])
                loaded += 1
            if not listed.is_final:
                fsm.context.current_state = "failed"
                assert store.save_fsm_state(listed.session_id, fsm), store.last_refusal
    assert loaded > 100
    assert admin.verify() == []


def test_the_loop_that_started_it_all_is_over(admin: SessionStore, dsn: Callable[..., str]) -> None:
    """The row said search, the shared row refine_constraints: from there the conversation goes to its end."""
    admin.import_sessions(legacy.table_items(), BATCH, dry_run=False)
    with UnifiedSessionStore(dsn("test_app")) as store:
        for state in ("search", "collect_preferences", "match_preferences", "confirm_purchase", "completed"):
            fsm = store.load_fsm_state(FROZEN)
            assert fsm is not None
            fsm.context.current_state = state
            fsm.context.search_results = [{"name": "Kettle"}]
            assert store.save_fsm_state(FROZEN, fsm), store.last_refusal
    states = [row.to_state for row in reversed(admin.history(FROZEN))]
    assert states == [
        "refine_constraints",
        "search",
        "collect_preferences",
        "match_preferences",
        "confirm_purchase",
        "completed",
    ]
