"""fsm.session_as_of gives a session as it was at a moment."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

from support.api import Api, refused

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def s(api: Api) -> Api:
    api.create("s-1", context={"n": 1})
    for number in (2, 3, 4):
        api.send("s-1", "KNOCK", patch={"n": number})
    return api


def _as_of(api: Api, at: Any, session_id: str | None = "s-1") -> Any:
    rows = api.rows("session_as_of", session_id=session_id, at=at)
    assert len(rows) <= 1
    return rows[0] if rows else None


def test_each_version_from_its_save_until_the_next(s: Api) -> None:
    times = {entry.version: entry.at for entry in s.history("s-1")}
    for version in (1, 2, 3, 4):
        expected = s.at("s-1", version)
        assert expected.context == {"n": version}
        assert _as_of(s, times[version]) == expected
        if version < 4:
            assert _as_of(s, times[version + 1] - MOMENT) == expected


def test_before_it_was_made_and_in_the_future(s: Api) -> None:
    assert _as_of(s, s.at("s-1", 1).updated_at - MOMENT) is None
    assert _as_of(s, datetime(1, 1, 1, tzinfo=timezone.utc)) is None
    assert _as_of(s, "-infinity") is None
    assert _as_of(s, "infinity").version == 4
    assert _as_of(s, datetime.now(timezone.utc) + timedelta(days=1)).version == 4


def test_an_unknown_session(s: Api) -> None:
    assert _as_of(s, "infinity", "unknown") is None


def test_what_is_no_longer_retained(s: Api, db: psycopg.Connection[Any]) -> None:
    at = s.at("s-1", 1).updated_at
    db.execute("delete from fsm_internal.history where session_id = 's-1' and version = 1")
    assert _as_of(s, at) is None
    assert _as_of(s, "infinity").version == 4


def test_a_gap_is_told(s: Api, db: psycopg.Connection[Any]) -> None:
    at = s.at("s-1", 2).updated_at
    db.execute("delete from fsm_internal.history where session_id = 's-1' and version = 3")
    with refused("SM060") as refusal:
        _as_of(s, at)
    assert refusal.detail == {"session_id": "s-1", "code": "history_gap", "version": 3}


def test_bad_arguments(s: Api) -> None:
    with refused("22004") as refusal:
        _as_of(s, None)
    assert refusal.detail == {"argument": "p_at"}
    with refused("22004"):
        _as_of(s, "infinity", None)
    for session_id in ("", "x" * 513):
        with refused("22023"):
            _as_of(s, "infinity", session_id)


def test_the_monitor_may_not(s: Api, connect_as: Any) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _as_of(Api(connect_as("test_monitor")), "infinity")
