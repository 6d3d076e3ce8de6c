"""A write sees to it that its commit is durable, whatever the caller's session is set to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from support.api import Api, case

WRITES: list[Callable[[Api], Any]] = [
    lambda api: api.create(str(uuid4())),
    lambda api: api.save("s-1", "closed"),
    lambda api: api.send("s-1", "KNOCK"),
    lambda api: api.update("s-1"),
    lambda api: api.batch([{"session_id": "s-1", "state": "closed", "context": {}}]),
    lambda api: api.rollback("s-1", 1),
    lambda api: api.fork("s-1", 1, str(uuid4())),
    lambda api: api.rows("fire_deadlines"),
    lambda api: api.rows("end_turn", session_id="s-1", turn=_extended(api)),
]
ADMIN_WRITES: list[Callable[[Api], Any]] = [
    lambda api: api.one("define_machine", definition={"id": "n", "initial": "a", "states": {"a": {"on": {"X": "a"}}}}),
    lambda api: api.one("retire_machine", machine="door", machine_version=1, retired=False),
    lambda api: api.rows("upgrade_sessions", machine="door", from_version=1, to_version=2, dry_run=False),
    lambda api: api.one("purge_sessions", idle="0", only_final=False),
    lambda api: api.one("delete_session", session_id="s-1"),
    lambda api: api.one("new_feed_epoch"),
]


def _extended(api: Api) -> int:
    """A turn that was begun and extended in transactions that are durable too."""
    with api.conn.transaction():
        turn = api.begin("s-1").turn
        assert _setting(api) != "off"
    with api.conn.transaction():
        api.rows("extend_turn", session_id="s-1", turn=turn, ttl="1 minute")
        assert _setting(api) != "off"
    return int(turn)


def _setting(api: Api) -> str:
    row = api.conn.execute("show synchronous_commit").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(
    ("before", "inside"),
    [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")],
)
def test_synchronous_commit_is_raised_and_never_lowered(api: Api, before: str, inside: str) -> None:
    api.create("s-1")
    api.conn.execute(f"set synchronous_commit = {before}")
    for write in WRITES:
        with api.conn.transaction():
            write(api)
            assert _setting(api) == inside
        assert _setting(api) == before


def test_a_setting_of_the_transaction_is_raised_too(api: Api) -> None:
    api.create("s-1")
    for write in WRITES:
        with api.conn.transaction():
            api.conn.execute("set local synchronous_commit = off")
            write(api)
            assert _setting(api) == "on"


def test_so_is_what_an_admin_writes(api: Api, db: psycopg.Connection[Any], connect_as: Callable[..., Any]) -> None:
    db.execute("select fsm.define_machine(fsm.machine_definition('door') || '{\"description\": \"the second\"}')")
    admin = Api(connect_as("test_admin"))
    for write in ADMIN_WRITES:
        with case(write), admin.conn.transaction(force_rollback=True):
            admin.create("s-1", machine_version=1)
            admin.conn.execute("set local synchronous_commit = off")
            write(admin)
            assert _setting(admin) == "on"


def test_reading_leaves_it_alone(api: Api) -> None:
    api.create("s-1")
    api.conn.execute("set synchronous_commit = off")
    with api.conn.transaction():
        api.load("s-1")
        api.history("s-1")
        api.rows("allowed_events", session_id="s-1")
        assert _setting(api) == "off"
