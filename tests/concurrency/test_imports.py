"""Imports that meet: the same originals at once, both halves of a session at once, a creation of the same id."""

from __future__ import annotations

from typing import Any

from support.api import Api
from support.fixtures import purchase
from support.originals import BATCH, contract, message, shelf_value, table_row
from support.race import Connection, Race, race

__all__ = ["purchase", "race"]


def importing(*items: Any) -> Any:
    """A call that imports."""
    return lambda api: api.rows("import_sessions", items=list(items), batch=BATCH, dry_run=False)


ROW = table_row("s-1", contract("s-1"), chat=[message("one")])
VALUE = shelf_value("s-1", chat=[message("two", "2025-06-04T19:00:00")])


def admin_race(race: Race, calls: list[Any]) -> list[Any]:
    race.login = "test_admin"
    race.start("s-1", calls)
    return race.finish()


def test_the_same_originals_at_once_are_imported_once(race: Race, purchase: Api, db: Connection) -> None:
    outcomes = admin_race(race, [importing(ROW, VALUE)] * 3)
    codes = sorted(row.code for one in outcomes for row in one.row)
    assert codes == ["already_imported", "already_imported", "source_conflict"]
    assert db.execute("select count(*), max(version) from fsm_internal.history").fetchone() == (1, 1)
    assert db.execute("select count(*) from fsm_internal.import_items").fetchone() == (2,)


def test_two_halves_of_a_session_at_once_come_together(race: Race, purchase: Api, db: Connection) -> None:
    outcomes = admin_race(race, [importing(VALUE), importing(ROW)])
    assert sorted(row.outcome for one in outcomes for row in one.row) == ["conflict_resolved", "imported"]
    session = purchase.load("s-1")
    assert (session.version, session.state) == (2, "collect_preferences")
    assert [one["content"] for one in session.context["conversation_history"]] == ["one", "two"]
    assert Api(db).rows("verify_sessions") == []


def test_a_creation_and_an_import_of_one_id_make_one_session(race: Race, purchase: Api) -> None:
    def create(api: Api) -> Any:
        return api.create("s-1", "purchase_item")

    for first, second in ((create, importing(ROW)), (importing(ROW), create)):
        outcomes = admin_race(race, [first, second])
        made = [one.sqlstate or (one.row[0].code if isinstance(one.row, list) else "made") for one in outcomes]
        assert made in (["made", "session_exists"], [None, "SM011"])
        assert purchase.load("s-1").version == 1
        Api(race.watcher).one("delete_session", session_id="s-1")


def test_overlapping_imports_in_opposite_order_do_not_deadlock(race: Race, purchase: Api, db: Connection) -> None:
    items = [table_row(f"s-{number}") for number in range(1, 40)]
    outcomes = admin_race(race, [importing(*items), importing(*reversed(items)), importing(*items[::2])])
    assert [one.sqlstate for one in outcomes] == [None] * 3
    assert db.execute("select count(*) from fsm_internal.history").fetchone() == (39,)
