"""The lock is not the only guard: on a sharded engine another node's transaction may hold a lock that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused
from support.race import Race

Connection = psycopg.Connection[Any]


def test_of_two_creations_the_key_decides(api: Api, race: Race) -> None:
    api.create("s-0")
    race.holder.execute("begin")
    race.holder.execute(
        "insert into fsm_internal.sessions (session_id, machine, machine_version, state, version, context, entered_at,"
        " created_at, updated_at) select 's-1', machine, machine_version, state, version, context, entered_at,"
        " created_at, updated_at from fsm_internal.sessions"
    )
    race.queue([lambda one: one.create("s-1")])
    assert [outcome.sqlstate for outcome in race.finish()] == ["SM011"]


def test_a_row_that_somebody_writes_to_is_waited_for_and_read_as_it_then_is(api: Api, race: Race) -> None:
    api.create("s-1")
    race.holder.execute("begin")
    race.holder.execute("update fsm_internal.sessions set version = 2")
    race.holder.execute(
        """
        insert into fsm_internal.history
          (session_id, version, kind, machine_version, from_state, to_state, db_user, loop_detected, at, entered_at)
        select session_id, 2, 'update', 1, 'closed', 'closed', 'x', false, at + interval '1 microsecond', entered_at
        from fsm_internal.history
        """
    )
    race.queue([lambda one: one.save("s-1", "open", {}, 1), lambda one: one.update("s-1")])
    outcomes = race.finish()
    assert sorted(str(outcome.sqlstate) for outcome in outcomes) == ["None", "SM030"]
    assert [outcome.row.version for outcome in outcomes if outcome.row] == [3]


@pytest.mark.parametrize("table", ["sessions", "history"])
@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.save("s-1", "open", {"n": 1}),
        lambda api: api.send("s-1", "OPEN"),
        lambda api: api.update("s-1", patch={"n": 1}),
        lambda api: api.batch([{"session_id": "s-1", "state": "open", "context": {}}], atomic=False),
        lambda api: api.rollback("s-1", 1),
    ],
    ids=["save", "send", "update", "batch", "rollback"],
)
def test_a_row_that_was_not_written_is_a_conflict_and_nothing_is(
    api: Api, db: Connection, table: str, call: Callable[[Api], Any]
) -> None:
    """Half of a write may be done when the other half misses: an error takes it back, in a batch too."""
    api.create("s-1")
    db.execute("create function public.misses() returns trigger language plpgsql as 'begin return null; end'")
    db.execute(
        f"create trigger misses before update or insert on fsm_internal.{table}"
        " for each row execute function public.misses()".encode()
    )
    with refused("SM030") as refusal:
        call(api)
    assert (refusal.detail["version"], refusal.detail["expected_version"]) == (2, 1)
    db.execute(f"drop trigger misses on fsm_internal.{table}".encode())
    assert db.execute("select version, state from fsm_internal.sessions").fetchall() == [(1, "closed")]
    assert db.execute("select version from fsm_internal.history").fetchall() == [(1,)]
    assert api.update("s-1").version == 2


def test_a_session_that_is_not_as_it_was_read_is_not_written_over(api: Api, db: Connection) -> None:
    """The last step asks for the version once more: here it was handed one that is no longer there."""
    api.create("s-1")
    api.update("s-1")
    db.execute("delete from fsm_internal.history where version = 2")  # its key would object, too
    stale = """
        select fsm_internal.settle_write(
          (s.session_id, s.machine, s.machine_version, s.state, 1, s.context, s.entered_at, s.created_at, s.updated_at,
            null, null)::fsm_internal.locked_session,
          ('update', s.state, null, s.context, null, false, null, null, null)::fsm_internal.pending_write,
          null, fsm_internal.admission_of(s.machine, s.machine_version, s.state))
        from fsm_internal.sessions s"""
    with refused("SM030"):
        db.execute(stale)
    assert db.execute("select version from fsm_internal.sessions").fetchall() == [(2,)]
    db.execute(stale.replace(", 1, s.context", ", s.version, s.context"))
    assert db.execute("select version from fsm_internal.sessions").fetchall() == [(3,)]
