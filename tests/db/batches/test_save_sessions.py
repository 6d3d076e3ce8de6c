"""fsm.save_sessions: all or nothing, or item by item; in their order, with save_session's own rules."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from support.api import Api, refused
from support.batches import item
from support.waiting import wait_until

REQUEST = UUID(int=1)


def _stored(db: psycopg.Connection[Any]) -> Any:
    """Everything that a batch could change."""
    return [
        db.execute(f"select to_jsonb(t) from fsm_internal.{table} t order by 1").fetchall()
        for table in ("sessions", "history", "turns", "deadlines")
    ]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_row_for_each_item_in_their_order(s: Api, atomic: bool) -> None:
    names = ["s-3", "s-1", "s-4", "s-2"]
    rows = s.batch(
        [item(name, "b", {"n": number}, expected_version=1, event="GO", actor="me", note={"x": [1.50]})
         for number, name in enumerate(names)],
        atomic=atomic,
    )  # fmt: skip
    assert [tuple(row) for row in rows] == [
        (number, name, True, None, None, None, 2, "b") for number, name in enumerate(names, start=1)
    ]
    for number, name in enumerate(names):
        assert s.load(name).context == {"n": number}
        entry = s.history(name)[0]
        assert entry[:8] == (2, "transition", "a", "b", "GO", "me", "test_app", {"x": [1.5]})


def test_it_is_atomic_unless_said_otherwise(s: Api, db: psycopg.Connection[Any]) -> None:
    before = _stored(db)
    with refused("SM030"):
        s.batch([item("s-1"), item("s-2", expected_version=7)])
    assert _stored(db) == before
    with refused("22004") as refusal:
        s.batch([item("s-1")], atomic=None)
    assert refusal.detail == {"argument": "p_atomic"}


@pytest.mark.parametrize("atomic", [True, False])
def test_nothing_to_save(s: Api, db: psycopg.Connection[Any], atomic: bool) -> None:
    before = _stored(db)
    assert s.batch([], atomic=atomic) == []
    assert _stored(db) == before


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("items", ["{}", '"x"', "1", "null", "true", '{"0": {}}'])
def test_what_is_no_array(s: Api, items: str, atomic: bool) -> None:
    with refused("22023") as refusal:
        s.batch(items, atomic=atomic)
    assert refusal.message == "batch is not an array"
    kind = {"{": "object", '"': "string", "1": "number", "n": "null", "t": "boolean"}[items[0]]
    assert refusal.detail == {"argument": "p_items", "type": kind}


def test_null_is_refused(s: Api) -> None:
    for atomic in (True, False, None):
        with refused("22004") as refusal:
            s.batch(None, atomic=atomic)
        assert refusal.detail == {"argument": "p_items"}


@pytest.mark.parametrize("atomic", [True, False])
def test_1000_items_and_not_one_more(s: Api, db: psycopg.Connection[Any], atomic: bool) -> None:
    db.execute("select fsm.create_session('x-' || n, 'm') from generate_series(1, 999) n")
    items = [item(f"x-{number}", "b") for number in range(999, 0, -1)] + [item("s-1", "b")]
    with refused("22023") as refusal:
        s.batch([*items, item("s-2", "b")], atomic=atomic)
    assert refusal.message == "argument too large"
    assert refusal.detail == {"argument": "p_items", "items": 1001, "limit": 1000}
    rows = s.batch(items, atomic=atomic)
    assert [row.ordinal for row in rows] == list(range(1, 1001))
    assert [row.session_id for row in rows] == [one["session_id"] for one in items]
    assert {(row.ok, row.version, row.state) for row in rows} == {(True, 2, "b")}
    assert db.execute("select count(*) from fsm.sessions where state = 'b'").fetchone() == (1000,)


def test_1000_items_of_one_session(s: Api) -> None:
    rows = s.batch([item(context={"n": number}, expected_version=number) for number in range(1, 1001)])
    assert [row.version for row in rows] == list(range(2, 1002))
    assert s.load("s-1").context == {"n": 1000}
    assert [s.at("s-1", version).context["n"] for version in (2, 500, 1001)] == [1, 499, 1000]


def test_items_of_one_session_build_on_each_other(s: Api) -> None:
    """State, version and context are those that the item before left."""
    rows = s.batch(
        [
            item("s-1", "b", {"n": 1}, expected_version=1),
            item("s-2", "b", {"n": 9}),
            item("s-1", "a", {"n": 2}, expected_version=2),
            item("s-1", "c", {"n": 6}, expected_version=3),
            item("s-2", "a", {"n": 8}, expected_version=2),
        ]
    )
    assert [(row.session_id, row.version, row.state) for row in rows] == [
        ("s-1", 2, "b"), ("s-2", 2, "b"), ("s-1", 3, "a"), ("s-1", 4, "c"), ("s-2", 3, "a"),
    ]  # fmt: skip
    history = [(entry.kind, entry.from_state, entry.to_state) for entry in s.history("s-1")]
    assert history == [
        ("transition", "a", "c"), ("transition", "b", "a"), ("transition", "a", "b"), ("create", None, "a"),
    ]  # fmt: skip
    times = [entry.at for entry in s.history("s-1")]
    assert times == sorted(set(times), reverse=True)


def test_an_item_after_a_refused_one_of_the_same_session(s: Api) -> None:
    """The refused one did nothing: a chain of versions breaks there, and what expects none goes on."""
    rows = s.batch(
        [
            item("s-1", "b", expected_version=1),
            item("s-1", "z", expected_version=2),
            item("s-1", "a", expected_version=3),
            item("s-1", "a"),
            item("s-1", "z", expected_version=3),
            item("s-1", "z"),
        ],
        atomic=False,
    )
    assert [(row.ok, row.sqlstate, row.version, row.state) for row in rows] == [
        (True, None, 2, "b"), (False, "SM020", None, None), (False, "SM030", None, None),
        (True, None, 3, "a"), (True, None, 4, "z"), (False, "SM012", None, None),
    ]  # fmt: skip


def test_a_corrupt_session_does_not_keep_the_others_from_being_saved(s: Api, db: psycopg.Connection[Any]) -> None:
    """Its history runs ahead of its row: only an error could take a write over it back, and the others with it."""
    s.update("s-1")
    db.execute("update fsm_internal.sessions set version = 1 where session_id = 's-1'")
    rows = s.batch([item("s-2", "b"), item("s-1", "b"), item("s-2", "a")], atomic=False)
    assert [(row.ok, row.sqlstate, row.version) for row in rows] == [
        (True, None, 2),
        (False, "SM060", None),
        (True, None, 3),
    ]
    with refused("SM030"):
        s.batch([item("s-1", "b")])


def test_a_loop_inside_a_batch(s: Api) -> None:
    items = [item("s-1", "a", event="SELF"), item("s-1", "a", event="SELF"), item("s-1", "b")]
    rows = s.batch(items, atomic=False)
    assert [(row.sqlstate, row.version) for row in rows] == [(None, 2), ("SM040", None), (None, 3)]
    with refused("SM040") as refusal:
        s.batch([item("s-2", "a", event="SELF"), item("s-2", "a", event="SELF")])
    assert (refusal.detail["ordinal"], refusal.detail["version"]) == (2, 2)


def test_a_request_is_applied_once_inside_a_batch_and_across_batches(s: Api) -> None:
    first = item("s-1", "b", {"n": 1}, request_id=str(REQUEST), expected_version=1)
    again = item("s-1", "nowhere", {"n": "x"}, request_id=str(REQUEST).upper())
    rows = s.batch([first, again, item("s-1", "b", {"n": 3})])
    assert [(row.ok, row.version, row.state) for row in rows] == [(True, 2, "b"), (True, 2, "b"), (True, 3, "b")]
    for atomic in (True, False):
        rows = s.batch([item("s-2"), again, first], atomic=atomic)
        assert [(row.ok, row.version, row.state) for row in rows[1:]] == [(True, 2, "b"), (True, 2, "b")]
    assert s.save("s-1", "nowhere", request_id=REQUEST).replayed is True
    assert s.load("s-1").context == {"n": 3}
    # An id belongs to its session.
    assert s.batch([item("s-3", "b", request_id=str(REQUEST))])[0].version == 2


def test_a_request_of_a_refused_batch_is_judged_anew(s: Api) -> None:
    items = [item("s-1", "b", request_id=str(REQUEST)), item("nobody")]
    with refused("SM010"):
        s.batch(items)
    assert s.load("s-1").version == 1
    rows = s.batch(items, atomic=False)
    assert [(row.sqlstate, row.version) for row in rows] == [(None, 2), ("SM010", None)]
    rows = s.batch(items[:1])
    assert [(row.version, len(s.history("s-1"))) for row in rows] == [(2, 2)]


@pytest.mark.parametrize("atomic", [True, False])
def test_one_transaction_id_and_no_subtransaction(s: Api, db: psycopg.Connection[Any], atomic: bool) -> None:
    """A subtransaction that writes or locks a row has an id of its own, also when it is undone."""
    items = [item("s-1"), item("s-2"), item("s-1"), item("s-3")]
    if not atomic:
        items[2:2] = [item("nobody"), item("s-z"), item("loop-1", "a", event="SELF"), item("s-2", context={"n": "x"})]

    def next_follows() -> bool:
        """Whether the id after the batch's was still free: tests beside this one take ids from the same server."""
        with s.conn.transaction():
            s.batch(items, atomic=atomic)
            [(mine,)] = s.conn.execute("select txid_current()").fetchall()
            [(next_one,)] = db.execute("select txid_current()").fetchall()
        rows = "select distinct xmin::text::bigint from fsm_internal.history where at >= %s"
        written = db.execute(rows, (s.history("s-1", limit=2)[1].at,)).fetchall()
        assert written == [(mine % 2**32,)]
        return bool(next_one == mine + 1)

    wait_until(next_follows, "no id lies between the batch's and the next")


def test_everything_is_durable_whatever_the_callers_session_says(s: Api) -> None:
    s.conn.execute("set synchronous_commit = off")
    with s.conn.transaction():
        s.batch([item("s-1")])
        assert s.conn.execute("show synchronous_commit").fetchone() == ("on",)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_snapshot_from_before_a_write_is_not_believed(s: Api, connect_as: Any, level: str) -> None:
    for atomic in (True, False):
        late = Api(connect_as("test_app"))
        late.conn.execute(f"begin isolation level {level}")
        late.load("s-1")
        version = s.update("s-2").version
        with pytest.raises(psycopg.errors.SerializationFailure):
            late.batch([item("s-1"), item("s-2")], atomic=atomic)
        late.conn.execute("rollback")
        assert s.load("s-1").version == 1
        assert s.load("s-2").version == version
    s.conn.execute(f"set default_transaction_isolation = '{level}'")
    assert [row.version for row in s.batch([item("s-1"), item("s-1", "b")])] == [2, 3]
