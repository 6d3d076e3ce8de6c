"""Old sessions brought in by a store: the calls that are made, and what one bad item does to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from fsmstore import (
    ImportedOriginal,
    ImportOutcome,
    InvalidContext,
    MachineNotFound,
    Outcome,
    UndoneImport,
    import_operations,
    outcome_of,
)
from support.clients import Flavour
from support.proxy import Proxy

Connection = psycopg.Connection[Any]

BATCH = UUID("00000000-0000-4000-8000-000000000001")


def item(session_id: str, **parts: Any) -> dict[str, Any]:
    """An old session of which only its id is known: there was no contract."""
    row = {
        "session_id": session_id, "title": None, "created_at": "2025-06-03 10:31:37",
        "updated_at": "2025-06-03 10:31:38", "message_count": 0, "last_user_text": None, "last_user_ts": None,
        "short_summary": None, "chat_history": [],
        "session_metadata": {}, "has_contract": False,
    }  # fmt: skip
    return {
        "source": "postgres", "session_id": session_id, "data": row, "problem": None, "original": json.dumps(row),
        "machine": "purchase_item", **parts,
    }  # fmt: skip


def poisoned(session_id: str, value: str) -> str:
    """The text of an item with something in its data that is JSON, but no jsonb."""
    return json.dumps(item(session_id)).replace('"title": null', f'"title": {value}', 1)


@pytest.fixture
def admin(flavour: Flavour, dsn: Callable[..., str]) -> Any:
    return flavour.store(dsn("test_admin"))


def outcomes(found: list[ImportOutcome]) -> list[tuple[str, str, str | None]]:
    return [(one.session_id, one.outcome, one.code) for one in found]


def test_a_batch_is_tried_imported_and_taken_back(admin: Any) -> None:
    items = [item("s-1"), json.dumps(item("s-2")), item("s-3", data=None, problem="shelve_corrupt_pickle")]
    expected = [("s-1", "imported", None), ("s-2", "imported", None), ("s-3", "quarantined", "shelve_corrupt_pickle")]
    assert outcomes(admin.import_sessions(items, BATCH)) == expected
    assert admin.load("s-1") is None
    found = admin.import_sessions(items, str(BATCH), dry_run=False)
    assert outcomes(found) == expected
    assert isinstance(found[2].message, str)
    assert (admin.load("s-1").state, admin.load("s-1").version) == ("start", 1)
    again = admin.import_sessions(items, BATCH, dry_run=False)
    assert [one.outcome for one in again] == ["skipped", "skipped", "quarantined"]
    assert admin.import_original(BATCH, "s-1") == [ImportedOriginal("postgres", item("s-1")["original"])]
    admin.update("s-2", {"a": 1})
    assert admin.undo_import(BATCH) == UndoneImport(removed=1, kept=1)
    assert admin.load("s-1") is None
    assert admin.load("s-2").version == 2
    assert admin.purge_import(str(BATCH)) == 3
    assert admin.import_original(BATCH, "s-1") == []
    assert admin.undo_import(uuid4()) == UndoneImport(0, 0)


def test_undoing_goes_on_until_all_is_removed(admin: Any) -> None:
    admin.import_sessions([item(f"s-{number}") for number in range(1001)], BATCH, dry_run=False)
    assert admin.undo_import(BATCH) == UndoneImport(removed=1001, kept=0)


def test_what_was_deleted_and_imported_again_is_not_remembered(admin: Any) -> None:
    admin.create("s-1", "purchase_item", {"old": True})
    assert admin.load("s-1").context == {"old": True}
    admin.delete("s-1")
    admin.import_sessions([item("s-1")], BATCH, dry_run=False)
    assert "old" not in admin.load("s-1", max_age=60).context


def test_nothing_to_import(admin: Any, db: Connection) -> None:
    assert admin.import_sessions([], BATCH, dry_run=False) == []
    (call,) = admin.import_sessions([], BATCH, with_each=[item("s-1")])
    assert call.session_id == "s-1"


@pytest.mark.parametrize("count", [1, 999, 1000, 1001])
def test_so_many_at_once(admin: Any, count: int) -> None:
    items = [json.dumps(item(f"s-{number:04}")) for number in range(count)]
    found = admin.import_sessions(items, BATCH, with_each=[item("shared")])
    assert sorted(one.session_id for one in found) == sorted([*(f"s-{number:04}" for number in range(count)), "shared"])
    assert {one.outcome for one in found} == {"imported"}


def test_calls_are_cut_by_length_too(admin: Any, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_operations, "CHARACTERS", 10_000)
    items = [json.dumps(item(f"s-{number}")) + " " * size for number, size in enumerate((0, 20_000, 0, 0, 5000, 5000))]
    assert len(admin.import_sessions(items, BATCH, dry_run=False)) == 6
    calls = db.execute("select count(distinct xmin::text) from fsm_internal.sessions").fetchone()
    assert calls == (4,)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('"\\u0000"', "text_not_storable"), ('"\\ud800"', "not_json_representable"),
        ("1e200000", "number_out_of_range"), ("[" * 20_000 + "]" * 20_000, "nesting_too_deep"),
    ],
    ids=["nul", "surrogate", "number", "deep"],
)  # fmt: skip
def test_what_no_jsonb_can_hold_is_found_and_spoils_nothing_else(admin: Any, value: str, problem: str) -> None:
    items: list[Any] = [item(f"s-{number}") for number in range(9)]
    for place in (0, 4, 5):
        items[place] = poisoned(f"s-{place}", value)
    for dry_run in (True, False):
        found = admin.import_sessions(items, BATCH, dry_run)
        assert outcomes(found) == [
            (f"s-{number}", *(("quarantined", problem) if number in (0, 4, 5) else ("imported", None)))
            for number in range(9)
        ]
    assert admin.import_original(BATCH, "s-4") == [ImportedOriginal("postgres", item("s-4")["original"])]


def test_an_original_that_cannot_be_stored_is_kept_as_bytes(admin: Any) -> None:
    text = poisoned("s-1", '"\\u0000"').replace('"original": "', '"original": "\\u0000', 1)
    (found,) = admin.import_sessions([text], BATCH, dry_run=False)
    assert found.code == "text_not_storable"
    (original,) = admin.import_original(BATCH, "s-1")
    assert original.original.startswith("base64:AHsi")


def test_when_it_is_not_the_data_the_error_is_raised(admin: Any) -> None:
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        admin.import_sessions([poisoned("s\\u0000", "null").replace("s\\\\u0000", "s\\u0000")], BATCH)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        admin.import_sessions([{"source": "postgres"}, item("s-1")], BATCH)
    with pytest.raises(MachineNotFound):
        admin.import_sessions([item("s-1", machine="none")], BATCH)


def test_in_a_transaction_of_the_callers_the_first_error_is_raised(flavour: Flavour, dsn: Callable[..., str]) -> None:
    connection = flavour.connect(dsn("test_admin"))
    store = flavour.store(connection)
    with pytest.raises(psycopg.errors.UntranslatableCharacter), flavour.transaction(connection):
        store.import_sessions([item("s-1"), poisoned("s-2", '"\\u0000"')], BATCH, dry_run=False)
    assert store.load("s-1") is None


@pytest.mark.parametrize("text", ["", "[]", "1", "{}, {}", '{"a": 1', "x"])
def test_what_is_no_object_is_refused_before_anything_is_sent(admin: Any, text: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not the text of a JSON object"):
        admin.import_sessions([item("s-1"), text], BATCH, dry_run=False)
    assert admin.load("s-1") is None


def test_items_of_other_types_are_refused_before_anything_is_sent(admin: Any) -> None:
    with pytest.raises(TypeError, match="must be a mapping or JSON text, not int"):
        admin.import_sessions([item("s-1"), 1], BATCH, dry_run=False)
    with pytest.raises(InvalidContext):
        admin.import_sessions([item("s-1", data={"a": {1}})], BATCH)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="batch is not a UUID"):
        admin.import_sessions([item("s-1")], "x")
    assert admin.load("s-1") is None


def test_only_an_administrator_imports(store: Any) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        store.import_sessions([item("s-1")], BATCH)


@pytest.fixture
def behind_a_proxy(flavour: Flavour, proxy: Proxy, dsn: Callable[..., str]) -> Any:
    """A store of an administrator's whose connection can be cut."""
    login = psycopg.conninfo.conninfo_to_dict(dsn("test_admin"))
    place = psycopg.conninfo.make_conninfo(proxy.dsn, user=login["user"], password=login["password"])
    return flavour.store(place, timeout=5)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_import_whose_answer_is_lost_is_sent_again(
    behind_a_proxy: Any, proxy: Proxy, db: Connection, when: str
) -> None:
    behind_a_proxy.schema_release()
    proxy.cut("fsm.import_sessions", when)
    found = behind_a_proxy.import_sessions([item("s-1"), item("s-2")], BATCH, dry_run=False)
    assert [one.session_id for one in found] == ["s-1", "s-2"]
    assert {one.outcome for one in found} == {"imported" if when == "before" else "skipped"}
    assert db.execute("select session_id, version from fsm.sessions order by 1").fetchall() == [("s-1", 1), ("s-2", 1)]


@pytest.mark.parametrize("method", ["undo_import", "purge_import"])
def test_what_answers_with_a_number_is_not_sent_again(behind_a_proxy: Any, proxy: Proxy, method: str) -> None:
    behind_a_proxy.import_sessions([item("s-1")], BATCH, dry_run=False)
    proxy.cut(f"fsm.{method}", "after")
    with pytest.raises(psycopg.OperationalError) as lost:
        getattr(behind_a_proxy, method)(BATCH)
    assert outcome_of(lost.value) is Outcome.UNKNOWN
    if method == "undo_import":
        assert behind_a_proxy.undo_import(BATCH) == UndoneImport(0, 0)
        assert behind_a_proxy.load("s-1") is None
    else:
        assert behind_a_proxy.purge_import(BATCH) == 0
