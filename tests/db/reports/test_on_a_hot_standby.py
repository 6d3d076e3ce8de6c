"""What only reads works on a hot standby, where nothing can be written and unlogged tables cannot be read."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fsmstore import migrate
from fsmstore.devdb import Server
from fsmstore.devdb.account import private_dir, server_account
from support.api import Api, case, refused
from support.machines import DOOR
from support.servers import own_server
from support.waiting import wait_until

PORT = "5433"


def _run(primary: Server, program: str, *arguments: str) -> None:
    """Run one of the server's programs as the server's account. A server that it starts holds no pipe of ours."""
    account = server_account()
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    assert primary.base is not None
    with (primary.base / "standby.out").open("ab") as out:
        done = subprocess.run(
            [str(primary.bin / program), *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/",
            timeout=60, check=False, **who,
        )  # fmt: skip
    assert done.returncode == 0, (primary.base / "standby.out").read_text(errors="replace")


@pytest.fixture(scope="module")
def standby() -> Iterator[Api]:
    """A connection to the standby of a server where session s-1 of machine door has two versions."""
    with own_server(settings={"max_wal_senders": "3"}) as primary:
        if not (primary.bin / "pg_basebackup").exists():
            pytest.skip("pg_basebackup is not beside the server's programs")
        migrate.apply(primary.dsn())
        with psycopg.connect(primary.dsn(), autocommit=True) as conn:
            api = Api(conn)
            api.one("define_machine", definition=DOOR)
            api.create("s-1", context={"n": 1})
            api.one("begin_turn", session_id="s-1", holder="me")
        where = conninfo_to_dict(primary.dsn())
        assert primary.base is not None
        data = str(private_dir(primary.base / "standby", server_account()))
        _run(
            primary,
            "pg_basebackup",
            "-h",
            where["host"],
            "-p",
            where["port"],
            "-U",
            "postgres",
            "-D",
            data,
            "-R",
            "-c",
            "fast",
        )
        options = f"-p {PORT} -c hot_standby=on -c listen_addresses= -c unix_socket_directories={where['host']}"
        _run(primary, "pg_ctl", "-D", data, "-l", f"{data}/log", "-o", options, "-w", "start")
        try:
            with (
                psycopg.connect(primary.dsn(), autocommit=True) as writer,
                psycopg.connect(make_conninfo(primary.dsn(), port=PORT), autocommit=True) as conn,
            ):
                turn = writer.execute("select turn from fsm.active_turns").fetchone()
                Api(writer).send("s-1", "OPEN", patch={"n": 2}, turn=(turn or (None,))[0])
                reader = Api(conn)
                wait_until(lambda: reader.load("s-1").version == 2, "the standby has what was written")
                yield reader
        finally:
            _run(primary, "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def test_it_is_one(standby: Api) -> None:
    assert standby.conn.execute("select pg_is_in_recovery()").fetchone() == (True,)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.conn.execute("delete from fsm_internal.sessions")


CALLS: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("list_sessions", {}, ["s-1"]),
    ("load_context", {"session_id": "s-1", "paths": ["$.n"]}, ["$.n"]),
    ("session_as_of", {"session_id": "s-1", "at": "infinity"}, ["s-1"]),
    ("diff_session", {"session_id": "s-1", "from_version": 1, "to_version": 2}, ["$.n"]),
    ("looping_sessions", {}, []),
    ("stuck_sessions", {"idle": "0"}, ["s-1"]),
    ("audit_head", {"session_id": "s-1"}, [2]),
]


def test_calls_that_read(standby: Api) -> None:
    for function, arguments, expected in CALLS:
        with case(function):
            assert [row[0] for row in standby.rows(function, **arguments)] == expected
    assert standby.rows("verify_sessions") == []
    with refused("22023"):
        standby.rows("load_context", session_id="s-1", paths=["$.["])
    assert "class open present" in standby.one("diagram", machine="door", session_id="s-1").diagram


def test_metrics_without_turns(standby: Api) -> None:
    found = standby.one("metrics").metrics
    assert (found["turns"], found["sessions"]["total"], found["recent"]["writes"]) == (None, 1, 2)


def test_the_doctor(standby: Api) -> None:
    """Of this cluster, too: the standby has the identifier of its primary."""
    assert {row.check_name for row in standby.rows("doctor")} >= {"public_connect"}
    assert "feed_epoch" not in {row.check_name for row in standby.rows("doctor")}


def test_views(standby: Api) -> None:
    for view, count in (("sessions", 1), ("machines", 1), ("transition_counts", 1)):
        assert len(standby.conn.execute(f"select * from fsm.{view}").fetchall()) == count
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        standby.conn.execute("select * from fsm.active_turns")
