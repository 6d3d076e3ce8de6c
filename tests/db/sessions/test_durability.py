"""A write sees to it that its commit is durable, whatever the caller's session is set to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from support.api import Api

WRITES: list[Callable[[Api], Any]] = [
    lambda api: api.create(str(uuid4())),
    lambda api: api.save("s-1", "closed"),
    lambda api: api.send("s-1", "KNOCK"),
    lambda api: api.update("s-1"),
]


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


def test_reading_leaves_it_alone(api: Api) -> None:
    api.create("s-1")
    api.conn.execute("set synchronous_commit = off")
    with api.conn.transaction():
        api.load("s-1")
        api.history("s-1")
        api.rows("allowed_events", session_id="s-1")
        assert _setting(api) == "off"
