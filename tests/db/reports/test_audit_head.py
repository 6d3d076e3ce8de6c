"""fsm.audit_head gives the hash that covers all of a session's history."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from support.api import Api, refused


@pytest.fixture
def s(api: Api, define: Callable[..., int]) -> Api:
    define({"a": {"on": {"GO": "a"}}}, audit="chain")
    api.create("chained", "m")
    api.create("plain", "door")
    return api


@pytest.fixture
def reader(s: Api, connect_as: Callable[..., Any]) -> Api:
    return Api(connect_as("test_reader"))


def test_the_newest_hash_and_its_version(s: Api, reader: Api, db: psycopg.Connection[Any]) -> None:
    seen = []
    for version in (1, 2, 3):
        head = reader.one("audit_head", session_id="chained")
        assert head.version == version
        assert re.fullmatch("[0-9a-f]{64}", head.hash)
        query = (
            "select encode(chain_hash, 'hex') from fsm_internal.history where session_id = 'chained' and version = %s"
        )
        assert db.execute(query, (version,)).fetchone() == (head.hash,)
        seen.append(head.hash)
        s.send("chained", "GO")
    assert len(set(seen)) == 3


def test_a_kept_hash_is_found_again_while_its_version_is(s: Api, reader: Api, db: psycopg.Connection[Any]) -> None:
    kept = reader.one("audit_head", session_id="chained")
    for _ in range(3):
        s.send("chained", "GO")
    assert reader.one("audit_head", session_id="chained", version=kept.version) == kept
    assert reader.rows("audit_head", session_id="chained", version=99) == []
    assert reader.rows("audit_head", session_id="chained", version=0) == []
    db.execute("update fsm_internal.history set at = at - interval '1 hour'")
    db.execute("select fsm.trim_history(1, p_keep_for => '0')")
    assert reader.rows("audit_head", session_id="chained", version=kept.version) == []


def test_no_chain_no_hash(s: Api, reader: Api) -> None:
    s.send("plain", "OPEN")
    assert tuple(reader.one("audit_head", session_id="plain")) == (2, None)


def test_bad_arguments(reader: Api) -> None:
    with refused("SM010") as refusal:
        reader.one("audit_head", session_id="unknown")
    assert refusal.detail == {"session_id": "unknown"}
    with refused("22004"):
        reader.one("audit_head", session_id=None)
    for session_id in ("", "x" * 513):
        with refused("22023"):
            reader.one("audit_head", session_id=session_id)


def test_the_application_may_not(s: Api) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        s.one("audit_head", session_id="chained")
