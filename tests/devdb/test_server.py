"""The server itself: its life, its data, who may connect."""

import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from fsmstore.devdb import NoPostgres, Server
from fsmstore.devdb.account import server_account
from support.processes import line_of, status_of
from support.run import clean_environment
from support.servers import own_server
from support.waiting import wait_until

ACCOUNT = server_account()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the server's account can reach; pytest's own are closed to it."""
    with tempfile.TemporaryDirectory(prefix="fsmstore-test-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _answer(dsn: str, query: str = "select 1") -> object:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(query).fetchone()
        assert row is not None
        return row[0]


def _gone(pid: int) -> Callable[[], bool]:
    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    return gone


def _pid(server: Server) -> int:
    with psycopg.connect(server.dsn()) as conn:
        row = conn.execute("select (regexp_split_to_array(pg_read_file('postmaster.pid'), '\\n'))[1]::int").fetchone()
        assert row is not None
        return int(row[0])


def test_throw_away_data_is_thrown_away() -> None:
    with own_server() as server:
        assert server.base is not None
        assert server.log_path is not None
        base, pid = server.base, _pid(server)
        assert _answer(server.dsn(), "show fsync") == "off"
        assert server.log_path.read_text() != ""
        server.stop()
        server.stop()
    assert not base.exists()
    assert _gone(pid)()


def test_only_its_owner_may_enter_the_sockets_directory() -> None:
    with own_server() as server:
        host = Path(str(psycopg.conninfo.conninfo_to_dict(server.dsn())["host"]))
        assert stat.S_IMODE(host.stat().st_mode) == 0o700
        assert host.stat().st_uid == (ACCOUNT.pw_uid if ACCOUNT else os.geteuid())
        assert _answer(server.dsn(), "show listen_addresses") == ""
        assert server.log_path is not None
        assert stat.S_IMODE(server.log_path.stat().st_mode) == 0o600
        rules = "select distinct type, auth_method from pg_hba_file_rules order by 1"
        with psycopg.connect(server.dsn()) as conn:
            assert conn.execute(rules).fetchall() == [("host", "scram-sha-256"), ("local", "trust")]


def test_over_tcp_a_password_is_asked_for() -> None:
    with own_server(tcp=True) as server:
        assert "host=127.0.0.1" in server.dsn()
        assert _answer(server.dsn(), "select inet_server_addr()::text like '127.0.0.1%'") is True
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.dsn(password="guess"))


def test_dsn_names_the_database_and_the_user() -> None:
    with own_server(settings={"work_mem": "5MB"}) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute('create database "a b/c"')
            conn.execute('create role "d@e" login')
        who = _answer(server.dsn("a b/c", "d@e"), "select current_database() || ' ' || current_user")
        assert who == "a b/c d@e"
        assert _answer(server.dsn(), "show work_mem") == "5MB"


def test_kept_data_is_there_again_and_quickly(place: Path) -> None:
    with own_server(base=place / "base") as server:
        assert [_answer(server.dsn(), f"show {name}") for name in ("fsync", "full_page_writes")] == ["on", "on"]
        assert server.base == place / "base"
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute("create table kept as select 42 as n")
    begin = time.monotonic()
    with own_server(base=place / "base") as server:
        assert time.monotonic() - begin < 2
        assert _answer(server.dsn(), "select n from kept") == 42


def test_a_server_that_runs_already_is_shared_and_left_alone(place: Path) -> None:
    with own_server(base=place) as first:
        with own_server(base=place) as second:
            assert _pid(second) == _pid(first)
        assert _answer(first.dsn()) == 1
        with pytest.raises(NoPostgres, match="without TCP runs on"), own_server(base=place, tcp=True):
            pass


def test_two_that_start_at_once_share_one(place: Path) -> None:
    with own_server(base=place) as once:  # so that neither has to make the data first
        assert _answer(once.dsn()) == 1
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        for _ in range(2)
    ]
    servers = []
    for program in programs:
        assert program.stdout is not None
        servers.append(program.stdout.readline().split()[0])
    assert len(set(servers)) == 1
    for program in programs:
        program.communicate("stop\n", timeout=30)


# A process that holds a server until it is told to stop: prints the server's pid and its base.
_HOLD = """
import sys, psycopg
from fsmstore.devdb import Server
with Server(*sys.argv[1:]) as server, psycopg.connect(server.dsn()) as conn:
    pid = conn.execute("select split_part(pg_read_file('postmaster.pid'), chr(10), 1)").fetchone()[0]
    print(pid, server.base, flush=True)
    sys.stdin.readline()
"""


def _hold(*arguments: str) -> tuple[subprocess.Popen[str], int, Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    assert process.stdout is not None
    pid, base = line_of(process).split()
    return process, int(pid), Path(base)


def test_it_dies_with_an_owner_that_is_killed(place: Path) -> None:
    process, pid, base = _hold()
    process.kill()
    process.communicate(timeout=60)
    wait_until(_gone(pid), "the server of a killed owner ends", timeout=20)
    assert base.exists()
    with own_server():  # the next one sweeps up
        assert not base.exists()


def test_kept_data_survives_a_kill_of_everything(place: Path) -> None:
    process, pid, _ = _hold(str(place))
    with own_server(base=place) as server, psycopg.connect(server.dsn()) as conn:
        conn.execute("create table kept as select 42 as n")
    os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate(timeout=60)
    with own_server(base=place) as server:
        assert _answer(server.dsn(), "select n from kept") == 42


def test_a_forked_child_does_not_stop_it() -> None:
    with own_server() as server:
        child = os.fork()
        if child == 0:
            server.stop()
            os._exit(0)
        assert status_of(child) == 0
        assert _answer(server.dsn()) == 1


def test_a_given_server_is_used_and_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with own_server() as real:
        monkeypatch.setenv("FSMSTORE_PG_URL", real.dsn() + "&application_name=given")
        with Server() as given:
            assert given.foreign
            assert given.log_path is None
            assert _answer(given.dsn("template1"), "select current_database()") == "template1"
            assert _answer(given.dsn(), "show application_name") == "given"
        assert _answer(real.dsn()) == 1


def test_a_given_url_lends_its_password_to_its_own_user_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSMSTORE_PG_URL", "postgresql://boss:s%40crt@db.example:5433/x?sslmode=require")
    server = Server().start()
    assert server.dsn("y") == "postgresql://boss:s%40crt@/y?host=db.example&port=5433&sslmode=require"
    assert server.dsn("y", "app") == "postgresql://app@/y?host=db.example&port=5433&sslmode=require"
    assert server.dsn("y", "app", "pw") == "postgresql://app:pw@/y?host=db.example&port=5433&sslmode=require"


def test_a_long_path_gets_a_short_socket(place: Path) -> None:
    with own_server(base=place / ("long" * 25)) as server:
        assert _answer(server.dsn()) == 1


def test_a_setting_that_is_wrong_shows_the_servers_words() -> None:
    with (
        pytest.raises(NoPostgres, match=r'postgres did not start:(.|\n)*"no_such_setting"'),
        own_server(settings={"no_such_setting": "1"}),
    ):
        pass


def _pretend(place: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> None:
    """Put programs in the place of PostgreSQL's."""
    for name, text in {"postgres": "echo 'postgres (PostgreSQL) 17.0'", "initdb": "exit 0", **programs}.items():
        (place / name).write_text(f"#!/bin/sh\n{text}\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("FSMSTORE_PG_BIN", str(place))


def test_an_interrupted_initdb_is_not_taken_for_data(place: Path) -> None:
    with own_server() as server:
        version = _answer(server.dsn(), "show server_version")
    with pytest.MonkeyPatch.context() as pretended:  # one that is killed half-way
        half = 'while [ "$1" != -D ]; do shift; done; touch "$2/PG_VERSION"; mkdir "$2/base"; kill -9 $$'
        _pretend(place, pretended, postgres=f"echo 'postgres (PostgreSQL) {version}'", initdb=half)
        with pytest.raises(NoPostgres, match="initdb failed"), own_server(base=place / "base"):
            pass
    assert list((place / "base").rglob("PG_VERSION")) != []
    with own_server(base=place / "base") as server:
        assert _answer(server.dsn()) == 1


def test_an_initdb_that_fails_shows_its_words(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(place, monkeypatch, initdb="echo no room; exit 1")
    with pytest.raises(NoPostgres, match="initdb failed:\nno room"), own_server():
        pass


def test_a_server_that_never_gets_ready_is_given_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsmstore.devdb.server._START_SECONDS", 0.1)
    told = "echo 'postgres (PostgreSQL) 17.0'"
    _pretend(place, monkeypatch, postgres=f'[ "$1" = --version ] && {told} || exec sleep 60')
    with pytest.raises(NoPostgres, match=r"postgres was not ready after 0\.1 s"), own_server():
        pass


def test_a_server_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = ((signal.SIGINT, 0.05), (signal.SIGQUIT, 0.05), (signal.SIGKILL, 10))
    monkeypatch.setattr("fsmstore.devdb.server._WAYS_TO_STOP", ways)
    with own_server() as server:
        pid = _pid(server)
        os.kill(pid, signal.SIGSTOP)  # it gets no signal but the last
    assert _gone(pid)()


def test_a_predecessor_that_does_not_end_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsmstore.devdb.server._PREDECESSOR_SECONDS", 0.1)
    with own_server(base=place) as server:
        (note,) = place.glob("data-*/postmaster.pid")
        text = note.read_text()
        note.write_text(text.replace("ready", "stopping"))
        with (
            pytest.raises(NoPostgres, match=f"the server with pid {_pid(server)} .* is stopping"),
            own_server(base=place),
        ):
            pass
        note.write_text(text)


def test_throw_away_data_lies_where_it_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSMSTORE_PG_TMP", str(place))
    (place / "fsmstore-pg-of-nobody-known").mkdir()
    (place / "fsmstore-pg-of-somebody-alive").mkdir()
    (place / "fsmstore-pg-of-somebody-alive" / "owner").write_text(str(os.getpid()))
    with own_server() as server:
        assert server.base is not None
        assert server.base.parent == place
        assert len(list(place.iterdir())) == 3  # nothing was swept that may be somebody's
    assert len(list(place.iterdir())) == 2


@pytest.mark.skipif(ACCOUNT is None, reason="only root has places that the server's account cannot reach")
def test_kept_data_moves_to_where_the_account_can_reach_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsmstore.devdb.account._ROOTS_PLACE", place / "roots")
    closed = place / "home"
    closed.mkdir(mode=0o700)
    for _ in range(2):  # the same place again
        with own_server(base=closed / "clone" / ".db") as server:
            assert server.base is not None
            assert server.base.parent == place / "roots"
            assert _answer(server.dsn()) == 1
    assert list(closed.iterdir()) == []
    assert len(list((place / "roots").glob("data-*"))) == 1
    (place / "roots" / "tmp").mkdir(mode=0o700)
    monkeypatch.setenv("FSMSTORE_PG_TMP", str(closed))
    with (
        pytest.raises(NoPostgres, match="set FSMSTORE_PG_TMP to a directory that every account may enter"),
        own_server(),
    ):
        pass


@pytest.mark.skipif(ACCOUNT is None, reason="root alone can become another user")
def test_as_an_ordinary_user(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as root does, by somebody who is not root, in a directory of his own."""
    user = pwd.getpwnam("nobody")
    os.chown(place, user.pw_uid, user.pw_gid)
    with own_server() as found:
        bindir = found.bin  # programs that every account can run

    def become_nobody() -> None:
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)

    monkeypatch.setenv("FSMSTORE_PG_BIN", str(bindir))
    child = os.fork()  # a program of nobody's could not import a Python that lies in /root
    if child == 0:
        status = 1
        try:
            become_nobody()
            with own_server(base=place / "base") as server:
                status = 0 if _answer(server.dsn(), "select current_user") == "postgres" else 2
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(status)
    assert status_of(child) == 0
    assert {path.owner() for path in (place / "base").iterdir()} == {"nobody"}


def test_the_command_line_runs_until_it_is_told_to_stop(place: Path) -> None:
    command = [sys.executable, "-m", "fsmstore.devdb", str(place / "base")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment())
    assert process.stdout is not None
    dsn = line_of(process).strip()
    with psycopg.connect(dsn) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    process.terminate()
    assert process.wait(30) == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)


def test_the_command_line_says_what_is_missing(place: Path) -> None:
    command = [sys.executable, "-m", "fsmstore.devdb", str(place / "base")]
    environment = {**clean_environment(), "FSMSTORE_PG_BIN": str(place)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, stdin=subprocess.DEVNULL, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"FSMSTORE_PG_BIN={place} has no postgres and initdb" in done.stderr
