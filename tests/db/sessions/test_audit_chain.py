"""meta.audit "chain": each history row's hash covers the one before, the row and the context after it.

The hashes are computed here anew, from what the functions and the table say, without any of the product's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from support.api import Api

STATES = {
    "a": {"on": {"GO": "b", "SELF": {"target": "a", "reenter": True}}},
    "b": {"on": {"BACK": "a"}},
    "d": {"on": {"BACK": "a"}},
}
LOOP = {"limit": 1, "window": "1 hour", "action": {"divert": "d"}}


@pytest.fixture
def chained(api: Api, define: Callable[..., int]) -> Api:
    """Session s-1 of a chained machine has seen every kind of write."""
    define(STATES, audit="chain", loop=LOOP)
    api.create("s-1", "m", context='{"x": 1.0, "é\\n": "\\u0001\\"💡"}', actor='a "b" \\ \t', request_id=UUID(int=5))
    api.send("s-1", "GO", patch='{"x": 1}', note='{"b": 1.50, "a": "ü"}')
    api.save("s-1", "a", {}, actor="", request_id=UUID(int=6))
    api.update("s-1", append={"log": [1, 2]})
    api.update("s-1", append={"log": [3]})
    api.send("s-1", "SELF")
    api.save("s-1", "b", {"y": None})
    assert api.history("s-1")[0].kind == "divert"
    return api


def _json(value: Any) -> str:
    """One column as it stands in a jsonb array; texts of jsonb columns come as they are."""
    if isinstance(value, datetime):
        return f"{int(value.timestamp())}.{value.microsecond:06}"
    return json.dumps(str(value) if isinstance(value, UUID) else value, ensure_ascii=False)


def _hashes(api: Api, db: psycopg.Connection[Any]) -> list[tuple[bytes, bytes]]:
    """Stored and expected hash of each version."""
    rows = db.cursor(row_factory=dict_row).execute(
        "select h.*, note::text as note, undo::text as undo from fsm_internal.history h order by version"
    )
    result, previous = [], b""
    for row in rows:
        stored = row.pop("chain_hash")
        row.pop("feed_position")  # where the feed shows the row: of the cluster, not of the session
        raw = {name: row.pop(name) or "null" for name in ("note", "undo")}
        columns = ["session_id", "version", "kind", "machine_version", "from_state", "to_state", "event", "actor"]
        columns += ["db_user", "note", "request_id", "loop_detected", "at", "entered_at", "undo"]
        assert set(columns) == set(row) | set(raw)
        line = f"[{', '.join(raw.get(name) or _json(row[name]) for name in columns)}]"
        context = api.text("s-1", row["version"])
        assert context is not None
        parts = [previous, hashlib.sha256(line.encode()).digest(), hashlib.sha256(context.encode()).digest()]
        previous = hashlib.sha256(b"".join(parts)).digest()
        result.append((stored, previous))
    return result


def test_every_hash_is_as_documented(chained: Api, db: psycopg.Connection[Any]) -> None:
    hashes = _hashes(chained, db)
    assert len(hashes) == 7
    for version, (stored, expected) in enumerate(hashes, start=1):
        assert stored == expected, version


EDITS = [
    "set actor = 'x' where version = 2",
    "set note = '{}' where version = 2",
    "set at = at + interval '1 microsecond' where version = 3",
    "set event = 'BACK' where version = 2",
    "set loop_detected = false where version = 7",
    "set request_id = null where version = 3",
    "set kind = 'update' where version = 6",
    "set db_user = 'x' where version = 1",
    """set undo = '{"set": {"x": 2}}' where version = 2""",
]


def test_an_edit_breaks_it(chained: Api, db: psycopg.Connection[Any]) -> None:
    for edit in EDITS:
        db.execute("create table kept as table fsm_internal.history")
        db.execute(f"update fsm_internal.history {edit}")
        assert [stored == expected for stored, expected in _hashes(chained, db)] != [True] * 7, edit
        db.execute("truncate fsm_internal.history")
        db.execute("insert into fsm_internal.history table kept")
        db.execute("drop table kept")
    assert [stored == expected for stored, expected in _hashes(chained, db)] == [True] * 7


def test_an_edited_context_breaks_it(chained: Api, db: psycopg.Connection[Any]) -> None:
    db.execute("""update fsm_internal.sessions set context = '{"y": 1}'""")
    assert [stored == expected for stored, expected in _hashes(chained, db)][-1] is False


def test_without_it_there_are_no_hashes(api: Api, define: Callable[..., int], db: psycopg.Connection[Any]) -> None:
    define(STATES, audit="none")
    api.create("s-1", "m")
    api.create("s-2", "door")
    api.send("s-1", "GO")
    assert db.execute("select count(*), count(chain_hash) from fsm_internal.history").fetchone() == (3, 0)
