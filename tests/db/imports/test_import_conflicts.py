"""One session, several originals: which one wins, what is merged, and that the order does not matter."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from support.originals import PRODUCT, Importing, contract, message, shelf_value, table_row

ROW_AT = "2025-06-04 18:00:05"  # of every row, unless it says otherwise
EARLIER, SAME, LATER = "2025-06-04T17:00:00", "2025-06-04T18:00:05", "2025-06-04T19:00:00"
OTHER = {"name": "Toaster", "price": 9}


def merged(importing: Importing, *items: Any) -> tuple[Any, ...]:
    """Import all in one call; the outcome, and what can be seen of the session."""
    outcome = importing.one(*items)
    return outcome, importing.state("s-1"), importing.context("s-1"), importing.note("s-1").get("lost")


@pytest.mark.parametrize(("at", "wins"), [(EARLIER, "table"), (SAME, "table"), (LATER, "file")])
def test_of_two_contracts_the_later_wins_and_of_equal_ones_the_table(importing: Importing, at: str, wins: str) -> None:
    row = table_row("s-1", contract("s-1", "collect_preferences"))
    value = shelf_value("s-1", contract_context=contract("s-1", "refine_constraints", updated_at=at))
    outcome, state, _, lost = merged(importing, value, row)
    assert outcome == ("conflict_resolved", "source_conflict")
    states = {"table": "collect_preferences", "file": "refine_constraints"}
    assert state == states.pop(wins)
    [(_, other)] = states.items()
    assert (lost["contract"]["state"], lost["contract"]["context"]["current_state"]) == (other, other)


def test_a_contract_that_only_the_file_store_has_is_taken(importing: Importing) -> None:
    value = shelf_value("s-1", contract_context=contract("s-1", "refine_constraints", updated_at=EARLIER))
    outcome, state, _, lost = merged(importing, table_row("s-1"), value)
    assert (outcome, state, lost) == (("conflict_resolved", "source_conflict"), "refine_constraints", None)


@pytest.mark.parametrize(
    ("at", "state"),
    [*((at, "search") for at in (EARLIER, SAME, None, "soon")), (LATER, "confirm_purchase")],
)
def test_a_product_that_waits_in_the_file_store_counts_when_it_is_later(
    importing: Importing, at: str | None, state: str
) -> None:
    value = shelf_value("s-1", pending_confirmation_product=PRODUCT, last_message_time=at)
    outcome, got, context, lost = merged(importing, table_row("s-1", contract("s-1", "search")), value)
    assert (outcome, got) == (("conflict_resolved", "source_conflict"), state)
    assert context["selected_product"] == (PRODUCT if state == "confirm_purchase" else None)
    assert lost == (
        {"state": "search", "selected_product": None} if state == "confirm_purchase" else {"pending": PRODUCT}
    )


def test_of_two_products_that_wait_the_later_wins(importing: Importing) -> None:
    row = table_row("s-1", metadata={"pending_confirmation_product": OTHER}, has_contract=True)
    value = shelf_value("s-1", pending_confirmation_product=PRODUCT, last_message_time=LATER)
    _, state, context, lost = merged(importing, row, value)
    assert (state, context["selected_product"], lost) == ("confirm_purchase", PRODUCT, {"pending": OTHER})


def test_chats_are_merged_by_time_and_what_is_in_both_stands_once(importing: Importing) -> None:
    first, second = message("first", "2025-06-04T17:00:00"), message("second", "2025-06-04T18:00:00")
    third, again = message("third", "2025-06-04T19:00:00"), message("yes", None)
    row = table_row("s-1", chat=[second, third, again])
    value = shelf_value("s-1", chat=[again, again, first, second])
    outcome, _, context, _ = merged(importing, row, value)
    assert outcome == ("conflict_resolved", "source_conflict")
    assert context["conversation_history"] == [again, again, first, second, third]


def test_an_identical_copy_is_no_conflict(importing: Importing) -> None:
    chat = [message("b", "2025-06-04T18:00:00"), message("a", "2025-06-04T17:00:00")]  # out of order, and stays so
    keys = {"last_user_message": "b", "last_message_time": LATER}
    row = table_row("s-1", chat=chat, metadata={"chat_history": chat, **keys})
    outcome, state, context, lost = merged(importing, row, shelf_value("s-1", chat=chat, **keys))
    assert (outcome, state, lost) == (("imported", None), "start", None)
    assert context["conversation_history"] == chat
    assert "legacy_metadata" not in context


def test_a_chat_that_the_other_source_completes_was_not_cut_short(importing: Importing) -> None:
    row = table_row("s-1", contract("s-1", "search"), chat=[message("one")], message_count=2)
    value = shelf_value("s-1", chat=[message("two", LATER)])
    merged(importing, row, value)
    assert importing.note("s-1")["warnings"] == ["source_conflict"]


def test_a_bad_original_does_not_take_the_good_one_with_it(importing: Importing) -> None:
    bad = {"source": "shelve", "session_id": "s-1", "problem": "shelve_corrupt_pickle", "original": "base64:AA=="}
    told = importing(table_row("s-1", contract("s-1")), bad)
    assert told == [("s-1", "quarantined", "shelve_corrupt_pickle"), ("s-1", "imported", None)]
    assert importing.quarantine() == [("s-1", "shelve", "shelve_corrupt_pickle")]


def test_of_two_rows_with_one_id_the_later_counts(importing: Importing) -> None:
    older = table_row("s-1", contract("s-1", "search"), updated_at="2025-06-04 17:00:00", title="Old")
    newer = table_row("s-1", contract("s-1", "collect_preferences"))
    outcome, state, context, lost = merged(importing, older, newer)
    assert (outcome, state) == (("conflict_resolved", "source_conflict"), "collect_preferences")
    assert (context["title"], lost["contract"]["state"]) == ("Old", "search")


SHARED = "default_fsm_session"


def snapshot(*path: str, at: str = LATER) -> dict[str, Any]:
    return table_row(SHARED, contract("s-1", path[-1], *path, updated_at=at))


@pytest.mark.parametrize(
    ("shared", "state"),
    [
        (snapshot("search", "refine_constraints"), "refine_constraints"),
        (snapshot("search", "refine_constraints", at=EARLIER), "search"),
        (snapshot("search", at=LATER), "search"),
        (table_row(SHARED, contract("s-1", "failed", step_log=["start -> failed"], updated_at=LATER)), "search"),
        (table_row(SHARED), "search"),
        (table_row(SHARED, contract("s-1", "nowhere")), "search"),
        (table_row(SHARED, contract("s-2", "failed")), "search"),
    ],
)
def test_the_shared_row_counts_as_the_newest_of_the_session_it_names(
    importing: Importing, shared: dict[str, Any], state: str
) -> None:
    told = importing(shared, table_row("s-1", contract("s-1", "search")))
    assert (SHARED, "skipped", "sentinel_session") in told
    assert importing.state("s-1") == state
    assert importing.admin.load(SHARED) is None
    assert importing.admin.load("s-2") is None  # a session that has no original of its own
    assert len(importing.originals(SHARED)) == 1
    lost = importing.note("s-1").get("lost", {})
    if state == "refine_constraints":
        assert lost["contract"]["state"] == "search"
        assert told[-1][:2] == ("s-1", "conflict_resolved")


def test_a_snapshot_that_loses_is_in_the_note(importing: Importing) -> None:
    importing(snapshot("search", "refine_constraints", at=EARLIER), table_row("s-1", contract("s-1", "search")))
    assert importing.note("s-1")["lost"]["snapshot"]["state"] == "refine_constraints"


def test_the_shared_row_is_found_again_whichever_call_it_came_in(importing: Importing) -> None:
    shared, own = snapshot("search", "refine_constraints"), table_row("s-1", contract("s-1", "search"))
    assert importing(shared) == [(SHARED, "skipped", "sentinel_session")]
    assert importing(shared, own) == [(SHARED, "skipped", "sentinel_session"), ("s-1", "conflict_resolved", None)]
    assert importing(shared) == [(SHARED, "skipped", "sentinel_session")]
    assert importing.state("s-1") == "refine_constraints"
    importing.undo()
    assert importing(own) == [("s-1", "imported", None)]
    told = importing(shared)
    assert told[-1][:2] == ("s-1", "conflict_resolved")
    assert (importing.state("s-1"), importing.admin.load("s-1").version) == ("refine_constraints", 2)


def test_the_order_of_the_originals_and_of_the_calls_does_not_matter(importing: Importing) -> None:
    row = table_row("s-1", contract("s-1", "search"), chat=[message("one"), message("two", None)], message_count=4)
    value = shelf_value(
        "s-1", chat=[message("three", LATER)], pending_confirmation_product=PRODUCT, last_message_time=LATER
    )
    older = table_row("s-1", contract("s-1", "start"), updated_at="2025-06-04 17:00:00", title="T")
    items = [row, value, older, snapshot("search", "refine_constraints")]
    seen = []
    for order in permutations(items):
        for calls in ([order], [[item] for item in order], [order[:2], order[2:]]):
            for call in calls:
                importing(*call)
            seen.append((importing.state("s-1"), importing.context("s-1")))
            importing.sound()
            assert importing.undo() == (1, 0)
    assert all(one == seen[0] for one in seen)
    state, context = seen[0]
    assert (state, context["selected_product"], context["title"]) == ("confirm_purchase", PRODUCT, "T")
    assert [one["content"] for one in context["conversation_history"]] == ["two", "one", "three"]
