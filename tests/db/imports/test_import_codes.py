"""What is quarantined, and with which code; what is imported with a warning; what neither is."""

from __future__ import annotations

from typing import Any

import pytest

from support.originals import AT, PRODUCT, Importing, contract, message, newest, shelf_value, table_row

DEEP: Any = 1
for _ in range(101):
    DEEP = [DEEP]


UNREAD = {"source": "shelve", "session_id": "s-1", "data": None}


def row(metadata: Any = None, **columns: Any) -> dict[str, Any]:
    return table_row("s-1", metadata=metadata, **columns)


def with_contract(*path: Any, **fields: Any) -> dict[str, Any]:
    return table_row("s-1", contract("s-1", *(path or ("collect_preferences",)), **fields))


def without(name: str) -> dict[str, Any]:
    old = contract("s-1")
    del old[name]
    return table_row("s-1", old)


QUARANTINED: list[tuple[str, dict[str, Any]]] = [
    ("shelve_unsafe_pickle", UNREAD | {"problem": "shelve_unsafe_pickle"}),
    ("data_missing", UNREAD),
    ("shelve_value_not_dict", UNREAD | {"data": ["chat"]}),
    ("empty_session_id", table_row("")),
    ("session_id_too_long", table_row("é" * 257)),
    ("nesting_too_deep", with_contract(search_results=DEEP)),
    ("nesting_too_deep", row(chat=[{**message("x"), "more": DEEP}])),
    ("nesting_too_deep", row({"more": DEEP})),
    ("nesting_too_deep", shelf_value("s-1", contract_context=contract("s-1", more=DEEP))),
    ("number_out_of_range", with_contract(refinement_attempts=10**1000)),
    ("number_out_of_range", shelf_value("s-1", pending_confirmation_product={"price": 10**1000})),
    ("timestamp_out_of_range", row(updated_at="infinity")),
    ("timestamp_out_of_range", row(created_at="-infinity")),
    ("timestamp_out_of_range", row(updated_at="12025-06-04 17:30:00")),
    ("timestamp_out_of_range", row(last_user_ts="0044-03-15 12:00:00 BC")),
    ("timestamp_unparsable", row(created_at="yesterday")),
    ("timestamp_unparsable", row(created_at="2025-02-29 00:00:00")),
    ("timestamp_unparsable", row(created_at="2025-06-04 24:00:00")),
    ("timestamp_unparsable", row(created_at="0000-06-04 12:00:00")),
    ("metadata_not_object", row([1, 2])),
    ("metadata_not_object", row("x")),
    ("chat_history_not_array", row(chat={"a": 1})),
    ("chat_history_not_array", row({"chat_history": "hi"})),
    ("chat_history_not_array", UNREAD | {"data": {"chat_history": "text"}}),
    ("chat_message_invalid", row(chat=[message("ok"), "loose text"])),
    ("chat_message_invalid", row(chat=[None])),
    ("context_not_object", row({"contract_context": ["search"]})),
    ("context_not_object", row({"contract_context": True})),
    ("context_not_object", row({"contract_context": "{}"})),
    ("session_id_mismatch", with_contract(session_id="s-2")),
    ("session_id_mismatch", with_contract(session_id=12345)),
    ("session_id_mismatch", with_contract(session_id=None)),
    ("unsupported_serialization_version", with_contract(serialization_version="2.0")),
    ("unsupported_serialization_version", with_contract(serialization_version=3)),
    ("unknown_template", with_contract(contract_template="contract_templates/book_trip.yaml")),
    ("unknown_template", with_contract(contract_template="../../../../etc/hostname")),
    ("unknown_template", with_contract(contract_template="Purchase_Item")),
    ("unsupported_contract_type", with_contract(contract_type="book_trip")),
    ("unsupported_contract_type", with_contract(contract_type=None)),
    ("unsupported_contract_type", without("contract_type")),
    ("missing_current_state", without("current_state")),
    ("missing_current_state", with_contract(None)),
    ("missing_current_state", with_contract(" \t")),
    ("invalid_state_type", with_contract(3)),
    ("invalid_state_type", with_contract(["search"])),
    ("invalid_state_type", with_contract(False)),
    ("unknown_state", with_contract("awaiting_payment")),
    ("unknown_state", with_contract("SEARCH")),
    ("unknown_state", with_contract("refine-constraints")),
    *(
        ("state_without_handler", with_contract(name))
        for name in ("extract_entities", "search_products", "filter", "rank", "recommend", "confirm")
    ),
    ("field_type_invalid", with_contract(search_results="none")),
    ("field_type_invalid", with_contract(step_log={"a": 1})),
    ("field_type_invalid", with_contract(selected_product=["a"])),
    ("field_type_invalid", with_contract(is_cancelled="maybe")),
    ("field_type_invalid", with_contract(refinement_attempts=1.5)),
    ("field_type_invalid", with_contract(product_query=7)),
    ("field_type_invalid", with_contract(constraints=[7])),
    ("field_type_invalid", row({"pending_confirmation_product": "kettle"})),
    ("field_type_invalid", shelf_value("s-1", pending_confirmation_product=[PRODUCT])),
    ("state_conflict", with_contract("start", fsm_state_history=[{"from_state": "completed", "to_state": "search"}])),
    ("state_conflict", with_contract("failed", step_log=["start -> search", "match_preferences -> search"])),
    ("state_conflict", with_contract("search", step_log=["start -> search", "search -> completed"])),
    ("state_conflict", with_contract("search", fsm_state_history=[{"to_state": "failed"}])),
]  # fmt: skip


@pytest.mark.parametrize(("code", "item"), QUARANTINED, ids=[code for code, _ in QUARANTINED])
def test_what_cannot_be_trusted_is_quarantined(importing: Importing, code: str, item: dict[str, Any]) -> None:
    good = table_row("good", contract("good"))
    told = importing(item, good)
    assert told == [(item["session_id"], "quarantined", code), ("good", "imported", None)]
    assert importing.quarantine() == [(item["session_id"], item["source"], code)]
    [(source, original)] = importing.originals(item["session_id"])
    assert (source, bool(original) or item["data"] is None) == (item["source"], True)


IMPORTED: list[tuple[str, list[str], dict[str, Any]]] = [
    ("collect_preferences", [], with_contract()),
    ("refine_constraints", [], table_row("s-1", newest("s-1", "refine_constraints"))),
    ("start", [], row({"contract_context": {}})),
    ("start", [], row({"contract_context": None, "pending_confirmation_product": None})),
    ("start", [], row({"pending_confirmation_product": {}})),
    ("start", [], table_row("s-1", metadata=None, session_metadata=None, chat_history=None, has_contract=None)),
    ("start", [], row(created_at=None, updated_at="2025-06-04 12:00:00", message_count=-3)),
    ("start", [], row(created_at="2024-02-29", updated_at="2025-06-04T12:00+02:00")),
    ("collect_preferences", ["session_id_missing_in_context"], without("session_id")),
    ("collect_preferences", ["type_coerced"], with_contract(refinement_attempts="2")),
    ("collect_preferences", ["type_coerced"], with_contract(confirmation_pending="true")),
    ("collect_preferences", ["type_coerced"], with_contract(is_cancelled=0)),
    ("collect_preferences", ["older_shape_converted"], with_contract(preferences=["blue", {"a": 1}])),
    ("collect_preferences", ["older_shape_converted"], with_contract(constraints={"price": "under 90", "n": 1})),
    ("collect_preferences", ["legacy_could_not_load"], with_contract(constraints=["x", {"type": "price"}])),
    ("collect_preferences", [], with_contract(step_log=None, is_cancelled=None, user_id=None)),
    ("collect_preferences", [], with_contract(serialization_version=None)),
    ("collect_preferences", ["timestamp_with_offset"], with_contract(created_at="2025-06-04T19:30:00.250+02:00")),
    ("collect_preferences", ["timestamp_with_offset"], with_contract(updated_at="2025-06-04T17:35:00Z")),
    ("collect_preferences", ["timestamp_unparsable"], with_contract(created_at="yesterday")),
    ("collect_preferences", ["timestamp_unparsable"], with_contract(updated_at="2025-13-45T99:00:00")),
    ("collect_preferences", ["timestamp_unparsable"], with_contract(created_at=1749058200)),
    ("collect_preferences", ["timestamp_unparsable"], with_contract(created_at=None)),
    ("collect_preferences", ["timestamp_implausible"], with_contract(updated_at="2099-01-01T00:00:00")),
    ("start", ["timestamp_implausible"], row(updated_at="2099-01-01 00:00:00")),
    ("start", ["timestamp_implausible"], row(created_at="1999-12-31 23:59:59")),
    ("start", ["chat_message_odd"], row(chat=[message("x", role="tool")])),
    ("start", ["chat_message_odd"], row(chat=[{"role": "assistant", "content": None}])),
    ("start", ["chat_message_odd"], row(chat=[message("x", "noon")])),
    ("start", [], row(chat=[message("no time", None)])),
    ("start", ["chat_incomplete"], row(chat=[message("x")], message_count=2)),
    ("start", [], row(chat_history=None, message_count=2)),
    ("search", ["chat_incomplete", "possible_lost_update"],
     table_row("s-1", contract("s-1", "search"), chat=[message("x")], message_count=2)),
    ("confirm_purchase", [], row({"pending_confirmation_product": PRODUCT}, has_contract=True)),
    ("start", ["stale_pending_confirmation"], row({"pending_confirmation_product": PRODUCT})),
    ("start", ["stale_pending_confirmation"], row({"pending_confirmation_product": PRODUCT}, has_contract=None)),
    ("confirm_purchase", ["pending_product_lost"],
     table_row("s-1", contract("s-1", "confirm_purchase", "search", "confirm_purchase"), has_contract=True)),
    ("confirm_purchase", [], shelf_value("s-1", pending_confirmation_product=PRODUCT)),
    ("completed", ["flags_inconsistent"], with_contract("completed", confirmation_pending=True)),
    ("search", ["flags_inconsistent"], with_contract("search", is_cancelled=True)),
    ("cancelled", [], with_contract("confirm_order", "search", "confirm_order", is_cancelled=True)),
    *((new, [], with_contract(old)) for old, new in {
        "analyze_attributes": "refine_constraints", "ask_clarification": "collect_preferences",
        "wait_for_preferences": "collect_preferences", "filter_products": "match_preferences",
        "check_compatibility": "match_preferences", "rank_and_select": "match_preferences",
        "present_options": "match_preferences", "confirm_selection": "confirm_purchase",
        "confirm_order": "confirm_purchase", "complete_order": "confirm_purchase", "error": "failed"}.items()),
    *(("collect_preferences", ["template_path_normalised"], with_contract(contract_template=path)) for path in (
        "/app/contract_templates/purchase_item.yaml", "purchase_item.yaml", "purchase_item",
        "C:\\app\\contract_templates\\purchase_item.yaml", "", None, 5, ["a"])),
    ("collect_preferences", ["template_path_normalised"], without("contract_template")),
    ("collect_preferences", [], table_row("s-1", newest(
        "s-1", "collect_preferences", contract_template="/app/contract_templates/purchase_item.yaml"))),
    ("refine_constraints", ["state_conflict"], with_contract("search", "search", "refine_constraints")),
    ("match_preferences", ["state_conflict"], with_contract("match_preferences", "search", "refine_constraints")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "warnings", "item"), IMPORTED, ids=[f"{state}-{warnings}" for state, warnings, _ in IMPORTED]
)
def test_what_is_imported_and_with_which_warnings(
    importing: Importing, state: str, warnings: list[str], item: dict[str, Any]
) -> None:
    outcome = "conflict_resolved" if "state_conflict" in warnings else "imported"
    assert importing.one(item) == (outcome, warnings[0] if warnings else None)
    assert importing.state("s-1") == state
    assert importing.note("s-1")["warnings"] == warnings
    context = importing.context("s-1")
    assert (context["contract_template"], context["serialization_version"]) == ("purchase_item", "1.0")
    importing.sound()


def test_the_first_builds_kept_the_template_itself(importing: Importing) -> None:
    old = contract(
        "s-1", "wait_for_preferences", contract_template={"version": 1.0}, preferences=["blue"], constraints={}
    )
    for name in ("extracted_attributes", "top_products", "refinement_attempts"):
        del old[name]
    assert importing.one(table_row("s-1", old)) == ("imported", None)
    assert importing.note("s-1")["generation"] == "V1"
    assert importing.context("s-1")["preferences"] == ["blue"]


def test_a_shared_id_is_imported_with_a_warning(importing: Importing) -> None:
    assert importing.one(table_row("default_session", chat=[message("who?")])) == ("imported", "shared_session_id")


def test_values_are_turned_into_their_types_and_shapes(importing: Importing) -> None:
    importing(
        with_contract(
            refinement_attempts="2",
            confirmation_pending="no",
            preferences=["blue", {"a": 1}],
            constraints={"b": 1, "a": "x"},
        )
    )
    context = importing.context("s-1")
    assert (context["refinement_attempts"], context["confirmation_pending"]) == (2, False)
    assert context["preferences"] == {"preference_1": "blue", "preference_2": '{"a": 1}'}
    assert context["constraints"] == ["a: x", "b: 1"]


def test_what_was_left_behind_is_in_the_note(importing: Importing) -> None:
    importing(
        row({"pending_confirmation_product": PRODUCT}),
        with_contract("search", "search", "refine_constraints") | {"session_id": "s-1"},
    )
    importing(table_row("s-2", metadata={"pending_confirmation_product": PRODUCT}))
    assert importing.note("s-2")["lost"] == {"stale_pending": PRODUCT}
    old = contract("s-3", "search", selected_product={"name": "Toaster"})
    waiting = table_row("s-3", old, metadata={"pending_confirmation_product": PRODUCT}, has_contract=True)
    assert importing.one(waiting) == ("conflict_resolved", None)
    assert importing.note("s-3")["lost"] == {"state": "search", "selected_product": {"name": "Toaster"}}
    context = importing.context("s-3")
    assert (context["selected_product"], context["confirmation_pending"]) == (PRODUCT, True)
    importing(table_row("s-4", contract("s-4", "search", "search", "refine_constraints")))
    assert importing.note("s-4")["lost"] == {"current_state": "search"}
    importing(table_row("s-5", contract("s-5", "match_preferences", "search", "refine_constraints")))
    assert importing.note("s-5")["lost"] == {"history_state": "refine_constraints"}


def test_an_order_that_is_closed_is_not_to_be_confirmed_again(importing: Importing) -> None:
    importing(with_contract("completed", confirmation_pending=True))
    assert importing.context("s-1")["confirmation_pending"] is False


def test_odd_keys_and_numbers_come_through(importing: Importing) -> None:
    odd = {
        "": "empty key",
        "__proto__": {"x": 1},
        "a.b[0]": 1,
        "text": "\\u0000 \U0001f9fe \u2028",
        "n": 0.1,
        "big": 10**40,
    }
    importing(with_contract(**odd))
    assert importing.context("s-1").items() >= odd.items()
    exact = table_row("s-2", contract("s-2"))
    text = importing.db.execute("select %s::jsonb::text", (str(exact["data"]["chat_history"]),)).fetchone()
    assert text == ("[]",)
    assert AT in importing.context("s-1")["created_at"]
