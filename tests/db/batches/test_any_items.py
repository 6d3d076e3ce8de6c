"""Whatever JSON the items are: a refusal that is ours or a save, never an internal error, never half of either."""

from __future__ import annotations

from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from support.api import MESSAGES, Api
from support.batches import item
from support.definitions import any_json, texts
from support.stored import problems

_KEYS = ["session_id", "state", "context", "expected_version", "event", "request_id", "turn", "actor", "note"]
_values = any_json | st.sampled_from(
    ["s-1", "s-2", "a", "b", "GO", "BACK", "SELF", 1, 2, 2.0, None, {}, {"n": 1}, {"n": "x"},
     "00000000-0000-0000-0000-000000000001"]
)  # fmt: skip
_good = st.builds(item, st.sampled_from(["s-1", "s-2"]), st.sampled_from(["a", "b"]))
_spoiled = st.builds(
    lambda one, key, value: {**one, key: value}, _good, st.sampled_from(_KEYS) | texts, _values
)  # fmt: skip
_items = st.lists(_good | _spoiled | st.dictionaries(st.sampled_from(_KEYS), _values) | any_json, max_size=6)


def _versions(db: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(db.execute("select session_id, version from fsm.sessions").fetchall())


@given(items=_items)
@settings(max_examples=150)
def test_any_items(s: Api, db: psycopg.Connection[Any], items: list[Any]) -> None:
    before = _versions(db)
    atomic: psycopg.Error | None = None
    s.conn.execute("begin")
    try:
        s.batch(items)
    except psycopg.Error as error:
        atomic = error
    s.conn.execute("rollback")
    assert _versions(db) == before
    rows = s.batch(items, atomic=False)
    assert [row.ordinal for row in rows] == list(range(1, len(items) + 1))
    refused = [row for row in rows if not row.ok]
    for row in refused:
        assert row.message in MESSAGES[row.sqlstate]
        assert row.detail["ordinal"] == row.ordinal
        assert (row.version, row.state) == (None, None)
    # Up to the first refusal both modes do the same.
    assert (atomic.sqlstate if atomic else None) == (refused[0].sqlstate if refused else None)
    after = _versions(db)
    for session_id in ("s-1", "s-2"):
        made = {row.version for row in rows if row.ok and row.session_id == session_id}
        assert after[session_id] == max({before[session_id], *made})
        assert [row[1] for row in problems(db) if row[0] == session_id] == []
