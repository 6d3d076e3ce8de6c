"""fsm.trim_history: the oldest versions go, what stays is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused

Connection = psycopg.Connection[Any]
NOW = "0 seconds"


def trim(admin: Api, keep: int | None, **arguments: Any) -> int:
    return int(admin.one("trim_history", keep_versions=keep, **arguments).trim_history)


def versions(api: Api, session_id: str = "s-1") -> list[int]:
    return [row.version for row in api.history(session_id, limit=None)]


@pytest.fixture
def long(admin: Api) -> Api:
    """Session s-1 with ten versions."""
    admin.create("s-1", context={"log": []})
    for number in range(2, 11):
        admin.update("s-1", patch={"n": number}, append={"log": [number]})
    return admin


def test_the_newest_versions_stay_whole(long: Api) -> None:
    before = [long.text("s-1", version) for version in range(1, 11)]
    assert trim(long, 4, keep_for=NOW) == 6
    assert versions(long) == [10, 9, 8, 7]
    assert [long.text("s-1", version) for version in range(7, 11)] == before[6:]
    assert long.at("s-1", 6) is None
    assert long.rows("verify_sessions") == []
    assert trim(long, 4, keep_for=NOW) == 0


def test_one_version_is_the_least(long: Api) -> None:
    assert trim(long, 1, keep_for=NOW) == 9
    assert versions(long) == [10]
    assert long.load("s-1").context["n"] == 10
    assert long.update("s-1", patch={"n": 11}).version == 11
    assert versions(long) == [11, 10]
    assert long.rows("verify_sessions") == []


def test_what_is_young_stays(long: Api, db: Connection) -> None:
    assert trim(long, 1) == 0
    db.execute("update fsm_internal.history set at = at - interval '2 days' where version <= 3")
    assert trim(long, 1) == 3
    assert versions(long) == list(range(10, 3, -1))
    assert trim(long, 1, keep_for="1 hour") == 0


def test_what_a_loop_window_needs_stays(admin: Api, define: Callable[..., int], db: Connection) -> None:
    define({"a": {"on": {"GO": "b"}}, "b": {"on": {"BACK": "a"}}}, loop={"limit": 2, "window": "1 hour"})
    define({"a": {"on": {"GO": "a"}}}, name="free", loop=None)
    for name in ("m", "free"):
        admin.create(name, name)
        for event in ("GO", "BACK") if name == "m" else ("GO", "GO"):
            admin.send(name, event)
    db.execute("update fsm_internal.history set at = at - interval '30 minutes'")
    assert trim(admin, 1, keep_for=NOW) == 2
    assert versions(admin, "m") == [3, 2, 1]
    assert versions(admin, "free") == [3]
    db.execute("update fsm_internal.history set at = at - interval '31 minutes'")
    assert trim(admin, 1, keep_for=NOW) == 2


def test_in_bounded_calls_from_the_oldest_end(long: Api) -> None:
    assert trim(long, 1, keep_for=NOW, limit=2) == 2
    assert versions(long)[-1] == 3
    assert [trim(long, 1, keep_for=NOW, limit=4) for _ in range(3)] == [4, 3, 0]
    long.create("s-2")
    long.update("s-2")
    assert trim(long, 1, keep_for=NOW, limit=None) == 1


def test_what_is_gone_is_said_to_be_gone(long: Api) -> None:
    trim(long, 3, keep_for=NOW)
    for call in (
        lambda: long.one("rollback_session", session_id="s-1", to_version=7, expected_version=None),
        lambda: long.one("fork_session", session_id="s-1", version=7, new_session_id="s-2"),
        lambda: long.rows("diff_session", session_id="s-1", from_version=7, to_version=10),
    ):
        with refused("22023") as refusal:
            call()
        assert refusal.detail["oldest_version"] == 8
        assert refusal.detail["newest_version"] == 10
    assert long.one("rollback_session", session_id="s-1", to_version=8, expected_version=10).version == 11


def test_request_ids_go_with_their_versions(admin: Api) -> None:
    request = "00000000-0000-4000-8000-000000000001"
    admin.create("s-1", request_id=request)
    admin.update("s-1")
    assert admin.create("s-1", request_id=request).replayed
    trim(admin, 1, keep_for=NOW)
    with refused("SM011"):
        admin.create("s-1", request_id=request)


def test_a_replayed_event_without_its_version_has_no_context(admin: Api) -> None:
    request = "00000000-0000-4000-8000-000000000002"
    admin.create("s-1")
    admin.send("s-1", "OPEN", request_id=request)
    trim(admin, 1, keep_for=NOW)
    assert admin.send("s-1", "OPEN", request_id=request).context == {}
    admin.update("s-1")
    trim(admin, 1, keep_for=NOW)
    with refused("SM020"):
        admin.send("s-1", "OPEN", request_id=request)


def test_a_chain_goes_on_over_the_cut(admin: Api, define: Callable[..., int], db: Connection) -> None:
    define({"a": {"on": {"GO": "a"}}}, audit="chain", loop=None)
    admin.create("s-1", "m")
    for _ in range(5):
        admin.send("s-1", "GO")
    trim(admin, 2, keep_for=NOW)
    admin.send("s-1", "GO")
    assert admin.rows("verify_sessions") == []
    db.execute("delete from fsm_internal.history where version = 5")
    assert [row.code for row in admin.rows("verify_sessions")] == ["history_cut", "chain_broken"]


def test_busy_sessions_are_left(long: Api, connect_as: Callable[..., Any]) -> None:
    busy = Api(connect_as("test_app"))
    busy.conn.execute("begin")
    busy.update("s-1")
    assert trim(long, 1, keep_for=NOW) == 0
    busy.conn.execute("commit")
    assert trim(long, 1, keep_for=NOW) == 10


def test_bad_arguments(long: Api) -> None:
    for sqlstate, keep, arguments in (
        ("22004", None, {}),
        ("22023", 0, {}),
        ("22023", -1, {}),
        ("22023", 1, {"limit": 0}),
        ("22004", 1, {"keep_for": None}),
        ("22023", 1, {"keep_for": "-1 second"}),
        ("22023", 1, {"keep_for": "1000 years"}),
    ):
        with refused(sqlstate):
            trim(long, keep, **arguments)
    assert versions(long) == list(range(10, 0, -1))
