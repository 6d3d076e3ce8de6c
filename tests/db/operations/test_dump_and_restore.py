"""pg_dump and pg_restore, in every format: all comes back, the functions work, nothing is found wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalogue import fingerprint
from support.api import Api
from support.databases import conninfo
from support.run import psql_program

Connection = psycopg.Connection[Any]
FORMATS = ["plain", "custom", "directory", "tar"]
KEPT = ("kind ", "owner ", "acl ", "comment ", "place ", "type ")


def program(name: str) -> str:
    """A client program beside the server's psql."""
    psql = psql_program()
    found = psql and shutil.which(name, path=f"{Path(psql).resolve().parent}:{os.environ['PATH']}")
    if not found:
        pytest.skip(f"{name} is neither beside the server's programs nor on PATH")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def copy(dbname: str, pg_admin: Connection) -> Iterator[str]:
    """The name of an empty database to restore into."""
    name = f"{dbname}_copy"
    pg_admin.execute(f"create database {name} template template0 encoding 'UTF8'".encode())
    yield name
    pg_admin.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def filled(purchase: Api, admin: Api, define: Callable[..., int]) -> Api:
    """Sessions of every kind: with a hash chain, a turn, a deadline, trimmed, forked, finished, odd values."""
    define({"a": {"on": {"GO": "b"}}, "b": {"after": {"86400000": "a"}, "on": {"BACK": "a"}}}, audit="chain")
    admin.create("chained", "m", context='{"π": 1.50, "big": 1e300, "text": "\\"\\\\\\n\\u2028"}')
    for event in ("GO", "BACK", "GO"):
        admin.send("chained", event, patch='{"n": 1.0}')
    admin.rows("begin_turn", session_id="chained", holder="me", ttl="1 hour")
    admin.create("shop", "purchase_item", context={"conversation_history": [{"role": "user"}]})
    admin.update("shop", append={"conversation_history": [{"role": "agent"}] * 50}, request_id="0" * 32)
    admin.one("fork_session", session_id="shop", version=1, new_session_id="fork")
    for number in range(4):
        admin.update("fork", patch={"n": number})
    admin.rows("trim_history", keep_versions=2, keep_for="0 seconds")
    admin.create("erased")
    admin.rows("delete_session", session_id="erased")
    return admin


def stored(dsn: str) -> dict[str, list[Any]]:
    """Everything in our tables, as text."""
    with psycopg.connect(dsn) as conn:
        tables = conn.execute(
            "select oid::regclass::text from pg_class"
            " where relnamespace = 'fsm_internal'::regnamespace and relkind = 'r'"
        ).fetchall()
        return {
            name: conn.execute(f"select t::text from {name} t order by 1".encode()).fetchall() for (name,) in tables
        }


def shape(dsn: str) -> list[str]:
    """What there is, whose it is, who may use it, its comment. Expressions read back are spelt a little differently."""
    return [
        "\n".join(line for number, line in enumerate(part.splitlines()) if not number or line.startswith(KEPT))
        for part in fingerprint(dsn)
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_a_restored_copy_is_whole(filled: Api, dsn: Callable[..., str], copy: str, tmp_path: Path, form: str) -> None:
    source, target, file = dsn(), conninfo(copy), str(tmp_path / "dump")
    run(program("pg_dump"), "--format", form, "--file", file, source)
    if form == "plain":
        run(program("psql"), "-q", "-X", "-o", os.devnull, "-v", "ON_ERROR_STOP=1", "-d", target, "-f", file)
    else:
        run(program("pg_restore"), "--exit-on-error", "--dbname", target, file)
    assert stored(target) == stored(source)
    assert shape(target) == shape(source)
    with psycopg.connect(target, autocommit=True) as conn:
        there = Api(conn)
        assert there.rows("verify_sessions") == []
        assert there.update("shop", request_id="0" * 32).replayed is True
        assert there.send("shop", "BEGIN", patch={"product_query": "kettle"}).state == "search"
        assert there.at("fork", 5).context == filled.at("fork", 5).context
        assert [row.severity for row in there.rows("doctor") if row.check_name == "feed_epoch"] == []
        assert [row for row in there.rows("doctor") if row.check_name in ("function", "relation")] == []
        assert there.one("new_feed_epoch").new_feed_epoch == "2"
        assert there.send("chained", "BACK").version == 5
        assert there.rows("verify_sessions") == []


def test_a_copy_in_another_cluster_is_told_by_the_doctor(filled: Api, db: Connection) -> None:
    """The only thing that differs there, as far as the database can see: whose transactions numbered the feed."""
    db.execute("update fsm_internal.feed_epochs set system_identifier = '1'")
    assert [row.severity for row in filled.rows("doctor") if row.check_name == "feed_epoch"] == ["error"]
    filled.rows("new_feed_epoch")
    assert [row for row in filled.rows("doctor") if row.check_name == "feed_epoch"] == []
