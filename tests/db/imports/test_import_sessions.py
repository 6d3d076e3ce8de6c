"""fsm.import_sessions: what it takes, what it tells, what it keeps, and that it may be run again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused
from support.originals import AT, BATCH, OTHER, PRODUCT, Importing, contract, message, newest, shelf_value, table_row

Connection = psycopg.Connection[Any]
BAD = table_row("bad", contract("bad", "nowhere"))


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "facts"),
    [
        ({"items": None, "batch": BATCH}, "22004", {"argument": "p_items"}),
        ({"items": [], "batch": None}, "22004", {"argument": "p_batch"}),
        ({"items": [], "batch": BATCH, "dry_run": None}, "22004", {"argument": "p_dry_run"}),
        ({"items": {}, "batch": BATCH}, "22023", {"argument": "p_items", "type": "object"}),
        ({"items": [{}] * 1001, "batch": BATCH}, "22023", {"items": 1001, "limit": 1000}),
        ({"items": [BAD, 7], "batch": BATCH}, "22023", {"ordinal": 2, "wanted": "an object"}),
        ({"items": [{"source": "x"}], "batch": BATCH}, "22023", {"ordinal": 1, "key": "session_id"}),
        ({"items": [{**BAD, "session_id": None}], "batch": BATCH}, "22023", {"key": "session_id"}),
        ({"items": [{**BAD, "source": ""}], "batch": BATCH}, "22023", {"key": "source"}),
        ({"items": [{**BAD, "source": "x" * 129}], "batch": BATCH}, "22023", {"key": "source"}),
        ({"items": [{**BAD, "original": 7}], "batch": BATCH}, "22023", {"key": "original"}),
        ({"items": [{**BAD, "problem": []}], "batch": BATCH}, "22023", {"key": "problem"}),
        ({"items": [{**BAD, "state": "x"}], "batch": BATCH}, "22023", {"key": "state", "wanted": "left out"}),
        ({"items": [{**BAD, "machine": "no"}], "batch": BATCH}, "SM001", {"machine": "no"}),
    ],
)  # fmt: skip
def test_what_it_does_not_take(importing: Importing, arguments: Any, sqlstate: str, facts: dict[str, Any]) -> None:
    with refused(sqlstate) as refusal:
        importing.admin.rows("import_sessions", **arguments)
    assert refusal.detail.items() >= facts.items()
    assert importing.db.execute("select count(*) from fsm_internal.import_items").fetchone() == (0,)


def test_nothing_and_the_most_of_one_call(importing: Importing) -> None:
    assert importing() == []
    items = [shelf_value(f"s-{number:04}", chat=[message("hello")]) for number in range(1000)]
    assert {row[1:] for row in importing(*items)} == {("imported", None)}
    assert importing.db.execute("select count(*) from fsm.sessions").fetchone() == (1000,)


def test_a_contract_becomes_a_session(importing: Importing) -> None:
    old = contract("s-1", "wait_for_preferences", "search", "wait_for_preferences", favourite={"a": [1.50]})
    assert importing.one(table_row("s-1", old, chat=[message("hi")], title="Kettles")) == ("imported", None)
    session = importing.admin.load("s-1")
    assert (session.state, session.version, session.machine) == ("collect_preferences", 1, "purchase_item")
    context = session.context
    kept = {
        name: value for name, value in old.items() if name not in ("session_id", "current_state", "contract_template")
    }
    assert context.items() >= kept.items()
    assert not {"session_id", "current_state", "contract_template_path"} & set(context)
    assert context["contract_template"] == "purchase_item"
    assert (context["serialization_version"], context["fsm_state_history"]) == ("1.0", [])
    assert context["conversation_history"] == [message("hi")]
    assert context["title"] == "Kettles"
    assert importing.note("s-1") == {
        "source": "postgres", "sources": ["postgres"], "batch": BATCH, "warnings": [], "generation": "V5",
        "times": {"created_at": "2025-06-04 18:00:00", "updated_at": "2025-06-04 18:00:05"},
    }  # fmt: skip
    importing.sound()


def test_without_a_contract_it_begins_anew_with_its_chat(importing: Importing) -> None:
    chat = [message("a", None), message("b", None, "assistant")]
    assert importing.one(shelf_value("s-1", chat=chat, title="T", colour="red")) == ("imported", None)
    assert importing.state("s-1") == "start"
    context = importing.context("s-1")
    assert (context["conversation_history"], context["title"], context["legacy_metadata"]) == (
        chat,
        "T",
        {"colour": "red"},
    )


def test_imported_sessions_go_on(importing: Importing) -> None:
    importing(table_row("s-1", contract("s-1", "refine_constraints")))
    moved = importing.admin.send("s-1", "REFINED")
    assert (moved.version, moved.state) == (2, "search")
    assert importing.admin.at("s-1", 1).state == "refine_constraints"
    importing.sound()


def test_a_dry_run_tells_the_same_and_writes_nothing(importing: Importing) -> None:
    items = [
        table_row("s-1", contract("s-1")),
        BAD,
        table_row("default_fsm_session"),
        shelf_value("s-1", chat=[message("x")]),
    ]
    told = importing(*items, dry_run=True)
    assert sorted(told) == [
        ("bad", "quarantined", "unknown_state"),
        ("default_fsm_session", "skipped", "sentinel_session"),
        ("s-1", "conflict_resolved", "source_conflict"),
    ]
    for table in ("sessions", "history", "import_items"):
        assert importing.db.execute(f"select count(*) from fsm_internal.{table}").fetchone() == (0,)  # type: ignore[arg-type]
    assert importing(*items) == told


def test_dry_is_what_it_runs_unless_told_otherwise(importing: Importing) -> None:
    importing.admin.rows("import_sessions", items=[table_row("s-1")], batch=BATCH)
    assert importing.admin.load("s-1") is None


def test_twice_changes_nothing(importing: Importing) -> None:
    items = [table_row("s-1", contract("s-1")), BAD, table_row("default_fsm_session"), {**BAD, "session_id": ""}]
    importing(*items)
    before = importing.db.execute("select * from fsm.sessions").fetchall()
    again = importing(*items)
    assert again == [
        ("s-1", "skipped", "already_imported"),
        ("bad", "quarantined", "unknown_state"),
        ("default_fsm_session", "skipped", "sentinel_session"),
        ("", "quarantined", "empty_session_id"),
    ]
    assert importing.db.execute("select * from fsm.sessions").fetchall() == before
    assert importing.db.execute("select count(*), max(version) from fsm_internal.history").fetchone() == (1, 1)
    assert importing.db.execute("select count(*) from fsm_internal.import_items").fetchone() == (4,)


def test_the_same_original_twice_in_a_call_is_one(importing: Importing) -> None:
    assert importing(*[table_row("s-1")] * 3) == [("s-1", "imported", None)]
    assert len(importing.originals("s-1")) == 1


def test_a_session_that_is_there_already_is_left(importing: Importing) -> None:
    importing.admin.create("s-1", "purchase_item")
    assert importing.one(table_row("s-1", contract("s-1"))) == ("skipped", "session_exists")
    assert importing.state("s-1") == "start"
    assert importing.originals("s-1") != []
    importing(table_row("s-2"))
    assert importing.one(table_row("s-2"), batch=OTHER) == ("skipped", "session_exists")


def test_a_later_call_adds_to_a_session_that_nobody_changed(importing: Importing) -> None:
    importing(table_row("s-1", contract("s-1"), chat=[message("one")]))
    later = shelf_value("s-1", chat=[message("two", "2025-06-04T19:00:00")])
    assert importing.one(later) == ("conflict_resolved", "source_conflict")
    session = importing.admin.load("s-1")
    assert (session.version, session.state) == (2, "collect_preferences")
    assert [one["content"] for one in session.context["conversation_history"]] == ["one", "two"]
    assert importing.note("s-1", 2)["sources"] == ["postgres", "shelve"]
    importing.sound()


@pytest.mark.parametrize("change", ["update", "turn"])
def test_what_somebody_is_at_work_on_is_not_touched(importing: Importing, change: str) -> None:
    importing(table_row("s-1", contract("s-1")))
    if change == "update":
        importing.admin.update("s-1", patch={"seen": True})
    else:
        importing.admin.begin("s-1")
    before = importing.admin.load("s-1")
    assert importing.one(shelf_value("s-1", chat=[message("two")])) == ("skipped", "session_changed")
    assert importing.admin.load("s-1") == before
    assert len(importing.originals("s-1")) == 2


def test_originals_come_back_as_they_were_given(importing: Importing) -> None:
    row = table_row("s-1", contract("s-1", "nowhere"))
    spelt = json.dumps(row["data"], indent=3) + ' \n"é\u2028'
    items = [
        {**row, "original": spelt},
        {**shelf_value("s-1"), "original": "base64:gAR9lC4="},
        {
            "source": "shelve",
            "session_id": "broken",
            "data": None,
            "problem": "shelve_corrupt_pickle",
            "original": "base64:AA==",
        },
        {"source": "elsewhere", "session_id": "x" * 5000, "data": {"n": 1.5}},
        {"source": "elsewhere", "session_id": "", "data": {}, "original": ""},
    ]
    importing(*items)
    assert importing.originals("s-1") == [("postgres", spelt), ("shelve", "base64:gAR9lC4=")]
    assert importing.originals("broken") == [("shelve", "base64:AA==")]
    assert importing.originals("x" * 5000) == [("elsewhere", '{"n": 1.5}')]
    assert importing.originals("") == [("elsewhere", "")]
    assert importing.originals("s-1", OTHER) == importing.originals("nobody") == []
    assert importing.quarantine() == [
        ("", "elsewhere", "empty_session_id"), ("broken", "shelve", "shelve_corrupt_pickle"),
        ("s-1", "postgres", "unknown_state"), ("x" * 5000, "elsewhere", "session_id_too_long"),
    ]  # fmt: skip
    assert importing.state("s-1") == "start"  # the file store's value was sound


def test_erasing_a_session_erases_its_originals(importing: Importing, purchase: Api) -> None:
    snapshot = table_row("default_fsm_session", contract("s-1", "refine_constraints", updated_at="2025-06-04T18:00:01"))
    importing(table_row("s-1", contract("s-1", "search")), snapshot, BAD)
    assert importing.admin.one("delete_session", session_id="s-1").delete_session
    assert importing.originals("s-1") == importing.originals("default_fsm_session") == []
    assert not importing.admin.one("delete_session", session_id="bad").delete_session  # it never was a session
    assert importing.originals("bad") == []


def test_retention_erases_them_too(importing: Importing) -> None:
    importing(table_row("s-1", contract("s-1", "completed", "search", "completed")), table_row("s-2"))
    assert importing.admin.one("purge_sessions", idle="0").purge_sessions == 1
    assert (importing.originals("s-1"), len(importing.originals("s-2"))) == ([], 1)


def test_purging_an_import_leaves_its_sessions(importing: Importing) -> None:
    importing(table_row("s-1", contract("s-1")), BAD)
    importing(table_row("s-2"), batch=OTHER)
    assert importing.admin.one("purge_import", batch=BATCH).purge_import == 2
    assert importing.admin.one("purge_import", batch=BATCH).purge_import == 0
    assert (importing.quarantine(), importing.undo(), importing.originals("s-1")) == ([], (0, 0), [])
    assert importing.state("s-1") == "collect_preferences"
    assert len(importing.originals("s-2", OTHER)) == 1


def test_into_a_machine_of_ones_own_with_a_hash_chain(importing: Importing, define: Callable[..., int]) -> None:
    define({"a": {"on": {"GO": "search"}}, "search": {"on": {"BACK": "a"}, "after": {"86400000": "a"}}}, audit="chain")
    old = newest("s-1", "search", contract_type="m", contract_template="m")
    items = [
        {**table_row("s-1", old), "machine": "m"},
        {**shelf_value("s-2", pending_confirmation_product=PRODUCT), "machine": "m"},
    ]
    assert [row[1:] for row in importing(*items)] == [
        ("imported", "template_path_normalised"), ("quarantined", "context_rejected")
    ]  # fmt: skip
    assert importing.state("s-1") == "search"
    importing({**shelf_value("s-1", chat=[message("x", AT)]), "machine": "m"})
    importing.admin.send("s-1", "BACK")
    assert importing.db.execute("select count(*) from fsm_internal.deadlines").fetchone() == (1,)
    importing.sound()


def test_a_context_that_the_machine_does_not_take_is_quarantined(
    importing: Importing, define: Callable[..., int]
) -> None:
    define({"start": {"on": {"GO": "search"}}, "search": {}}, max_context_bytes=2000)
    small, large = shelf_value("s-1"), shelf_value("s-2", chat=[message("x" * 2000)])
    rows = importing({**small, "machine": "m"}, {**large, "machine": "m"})
    assert [row[1:] for row in rows] == [("imported", None), ("quarantined", "context_too_large")]
    search = contract("s-3", "search")
    del search["product_query"]
    assert importing.one(table_row("s-3", search)) == ("quarantined", "context_rejected")
    assert importing.quarantine()[1] == ("s-3", "postgres", "context_rejected")
