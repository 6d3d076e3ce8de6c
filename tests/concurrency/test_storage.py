"""What a write costs in rows: updates stay on their page, one transaction id, one row version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from fsmstore import migrate
from support.api import Api
from support.machines import DOOR
from support.servers import own_server
from support.waiting import wait_until

UPDATES = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relid = 'fsm_internal.sessions'::regclass"


@pytest.mark.parametrize("size", [20, 1600])
def test_more_than_90_percent_of_the_updates_are_hot(size: int) -> None:
    # On a server of its own: what any transaction of the cluster may still see is not pruned, one of another test's
    # database or a worker of autovacuum included, and then an update finds its page full.
    with own_server(settings={"autovacuum": "off"}) as server:
        migrate.apply(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute("select fsm.define_machine(%s)", (psycopg.types.json.Jsonb(DOOR),))
            writer = Api(conn)
            for number in range(5):
                writer.create(f"s-{number}", context={"text": "x" * size})
            for nth in range(60):
                for number in range(5):
                    writer.send(f"s-{number}", "KNOCK", patch={"nth": nth})
                    writer.save(f"s-{number}", "closed", {"text": "y" * size, "nth": nth})
        counted: tuple[int, int] = (0, 0)

        def all_counted() -> bool:
            nonlocal counted
            [counted] = looker.execute(UPDATES).fetchall()
            return counted[0] >= 600

        with psycopg.connect(server.dsn(), autocommit=True) as looker:
            wait_until(all_counted, "the statistics of 600 updates", timeout=30)  # they arrive when a connection ends
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
