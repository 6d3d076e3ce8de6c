"""fsm.undo_import: what a batch made goes, what somebody changed since stays, the originals are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused
from support.originals import OTHER, Importing, contract, message, shelf_value, table_row

Connection = psycopg.Connection[Any]
LOCK = "select pg_advisory_xact_lock(hashtextextended('fsm:session:s-1', 0))"


@pytest.fixture
def three(importing: Importing) -> Importing:
    """Sessions s-1 to s-3, and one original in quarantine."""
    importing(*(table_row(f"s-{n}", contract(f"s-{n}")) for n in (1, 2, 3)), table_row("bad", contract("bad", "no")))
    return importing


def left(importing: Importing) -> list[str]:
    return [row.session_id for row in importing.admin.rows("list_sessions")]


def test_everything_goes_and_leaves_a_line_in_the_feed(three: Importing) -> None:
    assert three.undo() == (3, 0)
    assert (left(three), three.quarantine()) == ([], [])
    for table in ("sessions", "history", "deadlines", "turns"):
        assert three.db.execute(f"select count(*) from fsm_internal.{table}").fetchone() == (0,)  # type: ignore[arg-type]
    rows = three.db.execute(
        "select session_id, version, state from fsm_internal.deleted_sessions order by 1"
    ).fetchall()
    assert rows == [(f"s-{n}", 1, "collect_preferences") for n in (1, 2, 3)]
    assert three.undo() == (0, 0)


def test_the_originals_are_kept_and_the_batch_may_be_imported_again(three: Importing) -> None:
    three.undo()
    assert len(three.originals("s-1")) == len(three.originals("bad")) == 1
    assert three.one(table_row("s-1", contract("s-1"))) == ("imported", None)
    assert three.one(table_row("bad", contract("bad", "no"))) == ("quarantined", "unknown_state")
    assert (left(three), len(three.quarantine())) == (["s-1"], 1)
    assert three.undo() == (1, 0)


@pytest.mark.parametrize("change", ["update", "save", "event", "rollback", "turn", "recreated", "upgraded"])
def test_what_somebody_changed_since_is_kept(three: Importing, change: str) -> None:
    api = three.admin
    if change == "update":
        api.update("s-2")
    elif change == "save":
        api.save("s-2", "cancelled", {})
    elif change == "event":
        api.send("s-2", "FAIL")
    elif change == "rollback":
        api.rollback("s-2", 1)
    elif change == "turn":
        api.begin("s-2")
    elif change == "recreated":
        api.one("delete_session", session_id="s-2")
        api.create("s-2", "purchase_item")
    else:
        definition = api.one("machine_definition", machine="purchase_item").machine_definition
        api.one("define_machine", definition={**definition, "description": "Another."})
        api.rows("upgrade_sessions", machine="purchase_item", from_version=1, to_version=2, limit=2, dry_run=False)
    before = api.load("s-2")
    removed = {"upgraded": 1, "recreated": 2}.get(change, 2)
    assert three.undo() == (removed, 0 if change == "recreated" else 3 - removed)
    assert api.load("s-2") == before
    three.sound()


def test_a_session_that_was_kept_keeps_its_part_in_the_batch(three: Importing) -> None:
    three.admin.update("s-2")
    three.undo()
    assert three.one(table_row("s-2", contract("s-2"))) == ("skipped", "already_imported")
    assert three.undo() == (0, 1)


def test_a_session_of_two_calls_goes_with_both(three: Importing) -> None:
    three(shelf_value("s-1", chat=[message("x")]))
    assert three.admin.load("s-1").version == 2
    assert three.undo() == (3, 0)


def test_at_most_a_thousand_in_one_call(importing: Importing) -> None:
    for first in (0, 1000):
        importing(*(table_row(f"s-{number:04}") for number in range(first, first + 1000)))
    importing(table_row("s-2000"))
    assert [importing.undo() for _ in range(4)] == [(1000, 1001), (1000, 1), (1, 0), (0, 0)]


def test_other_batches_and_sessions_are_not_touched(three: Importing) -> None:
    three(table_row("s-4"), batch=OTHER)
    three.admin.create("own", "purchase_item")
    assert three.undo() == (3, 0)
    assert left(three) == ["own", "s-4"]
    assert three.undo("33333333-3333-3333-3333-333333333333") == (0, 0)


def test_what_somebody_is_writing_just_now_is_kept_without_waiting(
    three: Importing, connect_as: Callable[..., Connection]
) -> None:
    with connect_as("test_app") as busy:
        busy.execute("begin")
        Api(busy).update("s-1")
        assert three.undo() == (2, 1)
        busy.execute("rollback")
    assert three.undo() == (1, 0)


def test_a_writer_that_comes_too_late_finds_it_gone(
    three: Importing, connect_as: Callable[..., Connection], race: Any
) -> None:
    three.db.execute("begin")
    assert three.db.execute("select * from fsm.undo_import('11111111-1111-1111-1111-111111111111')").fetchall() == [
        (3, 0)
    ]
    race.queue([lambda api: api.update("s-1")])
    three.db.execute("commit")
    [late] = race.finish()
    assert late.sqlstate == "SM010"


def test_without_a_batch(importing: Importing) -> None:
    for function, more in (("undo_import", {}), ("purge_import", {}), ("import_original", {"session_id": "x"})):
        with refused("22004") as refusal:
            importing.admin.rows(function, batch=None, **more)
        assert refusal.detail == {"argument": "p_batch"}
    with refused("22004"):
        importing.admin.rows("import_original", batch=OTHER, session_id=None)
