"""Whatever stands in an original, wherever: the call goes through, its neighbours are imported, all stays sound."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from support.originals import AT, PRODUCT, Importing, contract, message, newest, shelf_value, table_row

JUNK: list[Any] = [
    None, True, False, 0, 1, -1, 1.5, 10**30, 10**400, "", " ", "x", "true", "2", "1e5", "\x01\uffff",
    "2025-02-30T00:00:00",
    "9999-12-31 23:59:59", "0001-01-01 00:00:00", "infinity", "start -> ", "a -> b", "$.**", "'; drop table x; --",
    "%s%n",
    [], {}, [None], [[]], [{}], [1, "a", None], {"": {}}, {"a": [1, {"b": None}]}, {"from_state": 1, "to_state": []},
    {"role": 1, "content": 2, "timestamp": 3}, {"session_id": "s-1"}, "default_fsm_session", "../../etc/passwd", "\\",
    "e" * 3000,
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict):
        return found + [place for key, one in value.items() for place in places(one, (*path, key))]
    if isinstance(value, list):
        return found + [place for index, one in enumerate(value) for place in places(one, (*path, index))]
    return found


def replaced(value: Any, place: tuple[Any, ...], junk: Any) -> Any:
    """A copy with something else in one place."""
    value = copy.deepcopy(value)
    inner = value
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = junk
    return value


BASES = {
    "row": table_row("s-1", contract("s-1", "collect_preferences", favourite={"a": 1}), chat=[message("a")] * 2),
    "newest": table_row("s-1", newest("s-1", "refine_constraints", metadata={"a": 1})),
    "waiting": table_row("s-1", contract("s-1", "search"), metadata={
        "pending_confirmation_product": PRODUCT, "chat_history": [message("a")], "last_message_time": AT},
        has_contract=True),
    "shared": table_row("default_fsm_session", contract("s-1", "failed", updated_at="2026-01-01T00:00:00")),
    "value": shelf_value("s-1", chat=[message("a")], pending_confirmation_product=PRODUCT, last_message_time=AT,
                         title="T", contract_context=contract("s-1", "search")),
}  # fmt: skip


@pytest.mark.parametrize("base", BASES)
def test_junk_in_any_place(importing: Importing, base: str) -> None:
    """Each place of a good original holds each piece of junk once, a thousand originals a call."""
    item = BASES[base]
    every = [replaced(item["data"], place, junk) for place in places(item["data"]) for junk in JUNK]
    random.Random(base).shuffle(every)
    given = set()
    for call in range(0, 1980, 990):
        items = [table_row("good", contract("good"))]
        for number, data in enumerate(every[call : call + 990]):
            name = f"s-{call + number}"
            renamed = json.loads(json.dumps(data).replace('"s-1"', json.dumps(name)))
            items.append({**item, "session_id": item["session_id"].replace("s-1", name), "data": renamed})
        told = importing(*items)
        assert told[0][0] == "good"
        assert {outcome for _, outcome, _ in told} <= {"imported", "conflict_resolved", "quarantined", "skipped"}
        assert {row[0] for row in told} >= {one["session_id"] for one in items}
        given |= {(one["session_id"], json.dumps(one["data"], sort_keys=True)) for one in items}
    importing.sound()
    assert importing.db.execute("select distinct code from fsm.quarantine where code !~ '^[a-z_]+$'").fetchall() == []
    # Nothing is lost: each original is there, whatever became of it.
    assert importing.db.execute("select count(*) from fsm_internal.import_items").fetchone() == (len(given),)
    removed, left = importing.undo()
    assert removed >= 1
    assert (left, importing.admin.rows("list_sessions")) == (0, [])


@pytest.mark.parametrize("depth", [101, 1000, 5000])
def test_nesting_of_any_depth(importing: Importing, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    good = json.dumps(table_row("good"))
    for place in (
        '{"session_metadata": {"contract_context": {"session_id": "s-1", "x": %s}}}',
        '{"chat_history": %s, "message_count": 1}',
        '{"session_metadata": {"pending_confirmation_product": {"x": %s}}}',
        '{"x": %s}',
    ):
        item = f'{{"source": "postgres", "session_id": "s-1", "data": {place % deep}}}'
        rows = importing.admin.rows("import_sessions", items=f"[{item}, {good}]", batch="1" * 32, dry_run=True)
        assert [(row.outcome, row.code) for row in rows] == [("quarantined", "nesting_too_deep"), ("imported", None)]


def test_a_chat_of_many_messages(importing: Importing) -> None:
    chat = [message(f"line {number}", None) for number in range(20_000)]
    importing(table_row("s-1", chat=chat[:15_000]), shelf_value("s-1", chat=chat[5_000:]))
    assert len(importing.context("s-1")["conversation_history"]) == 20_000
