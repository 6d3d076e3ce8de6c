"""What a write costs in rows: updates stay on their page, one transaction id, one row version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api
from support.waiting import wait_until

UPDATES = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relid = 'fsm_internal.sessions'::regclass"


@pytest.mark.parametrize("size", [20, 1600])
def test_more_than_90_percent_of_the_updates_are_hot(
    api: Api, db: psycopg.Connection[Any], connect_as: Callable[..., Any], size: int
) -> None:
    # A worker of autovacuum has a snapshot; what it may still see is not pruned, and an update finds its page full.
    db.execute("alter table fsm_internal.sessions set (autovacuum_enabled = off)")
    db.execute("alter table fsm_internal.history set (autovacuum_enabled = off)")
    writer = Api(connect_as("test_app"))
    for number in range(5):
        api.create(f"s-{number}", context={"text": "x" * size})
    for nth in range(60):
        for number in range(5):
            writer.send(f"s-{number}", "KNOCK", patch={"nth": nth})
            writer.save(f"s-{number}", "closed", {"text": "y" * size, "nth": nth})
    for conn in (writer.conn, api.conn):
        conn.close()  # its counters arrive when it ends, if not before
    counted: tuple[int, int] = (0, 0)

    def all_counted() -> bool:
        nonlocal counted
        [counted] = db.execute(UPDATES).fetchall()
        return counted[0] >= 600

    wait_until(all_counted, "the statistics of 600 updates", timeout=30)
    assert counted[0] == 600
    assert counted[1] > 0.9 * counted[0]


def test_all_that_a_write_writes_has_the_id_of_its_transaction(api: Api, db: psycopg.Connection[Any]) -> None:
    """Another id would be that of a subtransaction, which an exception block begins."""
    caller = Api(db)
    writes: list[Callable[[], Any]] = [
        lambda: caller.create("s-1", context={"a": [1]}),
        lambda: caller.save("s-1", "open", {"a": [1, 2]}, 1),
        lambda: caller.send("s-1", "CLOSE", patch={"b": 1}),
        lambda: caller.update("s-1", append={"a": [3]}),
    ]
    for write in writes:
        with db.transaction():
            version = write().version
            row = db.execute(
                "select s.xmin::text, h.xmin::text, pg_current_xact_id()::xid::text from fsm_internal.sessions s"
                " join fsm_internal.history h using (session_id, version) where version = %s",
                (version,),
            ).fetchone()
            assert row is not None
            assert len(set(row)) == 1
