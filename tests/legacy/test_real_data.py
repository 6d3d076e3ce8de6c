"""The sessions that the old stores left, all of them."""

from __future__ import annotations

import collections
import json
import os
from typing import Any

import pytest

from support import legacy
from support.databases import Connection

BACK_ENDS = ("", "_gnu", "_ndbm", "_sqlite3")
# What is wrong with an item can be seen without looking at what it means; the database sees to the rest.
SEEN_BY_THE_READER = {
    "shelve_corrupt_pickle", "shelve_unsafe_pickle", "shelve_value_not_dict", "not_json_representable",
    "text_not_storable", "number_not_finite", "session_id_not_utf8",
}  # fmt: skip


def known(source: str) -> list[dict[str, Any]]:
    return [one for one in legacy.manifest()["sessions"] if one["source"] == source]


def test_both_dumps_give_every_row_once() -> None:
    rows = legacy.table_rows()
    assert len(rows) == 225
    assert collections.Counter(one.session_id for one in rows) == collections.Counter(
        one["session_id"] for one in known("postgres")
    )
    assert {one.problem for one in rows} == {None}


def test_rows_arrive_as_the_table_holds_them(db: Connection) -> None:
    """Every value but the times is the same as in the table; times are what PostgreSQL prints."""
    db.execute(legacy.CREATE_TABLE)
    for dump in legacy.DUMPS:
        legacy.load(db, dump)
    for row in legacy.table_rows():
        found = db.execute(
            "select (%(data)s::jsonb) = to_jsonb(s) || jsonb_build_object('created_at', created_at::text,"
            " 'updated_at', updated_at::text, 'last_user_ts', last_user_ts::text), %(item)s::jsonb ->> 'original'"
            " from swisper_sessions s where session_id = %(id)s",
            {"data": row.data, "item": row.text(), "id": row.session_id},
        ).fetchone()
        assert found == (True, row.data), row.session_id


@pytest.mark.parametrize("directory", ["shelve", "shelve_hostile"])
@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_all_back_ends_give_the_same_pairs(directory: str, back_end: str) -> None:
    dumb = sorted(legacy.shelve_entries(directory), key=lambda item: item.session_id)
    assert sorted(legacy.shelve_entries(directory + back_end), key=lambda item: item.session_id) == dumb
    assert len(dumb) == {"shelve": 27, "shelve_hostile": 11}[directory]


@pytest.mark.parametrize("directory", ["shelve", "shelve_hostile"])
def test_problems_of_entries_are_those_expected(directory: str) -> None:
    expected = {
        one["session_id"]: one["expected"].get("problem")
        for one in known("shelve")
        if one["file"].startswith(f"{directory}/")
    }
    found = {item.session_id: item.problem for item in legacy.shelve_entries(directory)}
    assert found.keys() == expected.keys()
    for session_id, problem in expected.items():
        seen = problem if problem in SEEN_BY_THE_READER or "deep" in session_id else None
        assert found[session_id] == seen, session_id
    assert "LEGACY_PICKLE_EXECUTED" not in os.environ


def test_items_are_json() -> None:
    items = [*legacy.table_items(), *legacy.shelve_items("shelve"), *legacy.shelve_items("shelve_hostile")]
    assert len(items) == 225 + 27 + 11
    assert len(known("postgres")) + len(known("shelve")) == len(items)
    read = 0
    for text in items:
        try:
            assert json.loads(text)["machine"] == "purchase_item"
        except (RecursionError, ValueError):
            continue  # a thousand levels, thousands of digits
        read += 1
    assert read >= len(items) - 4
