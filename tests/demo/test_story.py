"""The whole demo, and that it notices when something is not as it tells."""

from __future__ import annotations

import io
import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rich.console import Console

from fsmstore import GuardFailed, SessionStore, VersionConflict, migrate
from fsmstore.demo import database, purchase_story, story
from fsmstore.demo.claims import StoryBroken, expect, refused
from fsmstore.demo.database import Database, ForeignDatabase, prepare
from fsmstore.demo.purchase_story import WAY
from fsmstore.demo.screen import Screen
from fsmstore.devdb import Server
from support.psql import Psql
from support.run import clean_environment, run_id, server_url
from support.servers import own_server

Connection = psycopg.Connection[Any]
_number = itertools.count(1)


@pytest.fixture
def name(pg_admin: Connection) -> Iterator[str]:
    """The name for a demo's database on the run's server; the database and its login are removed."""
    name = f"demo_{run_id()}_{os.getpid()}_{next(_number)}"
    yield name
    pg_admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    pg_admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(f"{name}_app")))


@pytest.fixture
def server() -> Server:
    """The run's server, given by a URL."""
    return Server().start()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the server's account can reach; pytest's own are closed to it."""
    with tempfile.TemporaryDirectory(prefix="fsmstore-test-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _play(server: Server, name: str, width: int = 80) -> str:
    out = io.StringIO()
    story.play(server, Console(file=out, width=width, highlight=False, markup=False, emoji=False), name)
    return out.getvalue()


def _query(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query).fetchall()


def test_the_whole_demo(server: Server, name: str, psql: Psql) -> None:
    told = _play(server, name)
    titles = re.findall(r"^\d  (.+?) ─+$", told, re.MULTILINE)
    assert [re.sub(r"\d+", "N", title) for title in titles] == [
        "A database",
        "A purchase, served by worker process N",
        "… and is killed half-way",
        "Another process goes on: worker N",
        "What is written down",
        "The machine",
        "What cannot be saved",
        "A loop",
        "Look around yourself",
    ]
    for sqlstate in ("SM030", "SM020", "SM022", "SM021", "SM040"):
        assert told.count(f"    {sqlstate}  ") == 1
    assert told.count("    DETAIL  {") == told.count("    HINT    ") == 5
    assert told.count("loop_detected") == 1
    assert "stateDiagram-v2" in told
    assert "✔ Everything was as told." in told
    copied = re.compile(r" {4}(export|select|fsmstore|psql|/| +\w+ --> )")
    assert [line for line in told.splitlines() if len(line) > 80 and not copied.match(line)] == []
    assert [line for line in told.splitlines() if line != line.rstrip()] == []
    session_id = re.search(r"purchase-\w+", told)
    assert session_id is not None
    dsn = server.dsn(name)
    with SessionStore(dsn) as store:
        assert tuple(entry.to_state for entry in reversed(store.history(session_id[0]))) == WAY
    # What it tells to try, works.
    lines = story.how_to_look_around(session_id[0])
    assert lines.splitlines()[0] in told
    done = psql("-v", "ON_ERROR_STOP=0", dsn=dsn, stdin=lines)
    assert "match_preferences" in done.stdout
    assert "| start" in done.stdout
    assert done.stdout.count("load_session_at") == 1
    assert re.findall(r"ERROR:  (.*)", done.stderr) == ["no such transition from this state"]


def test_no_secret_is_printed(server: Server, name: str) -> None:
    secret = "s3cret-of-the-test"
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        role = f"{name}_boss"
        conn.execute(sql.SQL("create role {} login superuser password {}").format(sql.Identifier(role), secret))
    os.environ["FSMSTORE_PG_URL"], given = make_conninfo(server_url(), user=role, password=secret), server_url()
    try:
        told = _play(Server().start(), name)
    finally:
        os.environ["FSMSTORE_PG_URL"] = given
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute(sql.SQL("reassign owned by {} to current_user").format(sql.Identifier(role)))
            conn.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
        with psycopg.connect(server.dsn(name), autocommit=True) as conn:
            conn.execute(sql.SQL("reassign owned by {} to current_user").format(sql.Identifier(role)))
            conn.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
    assert f"user={role}" in told
    assert secret not in told
    assert "The server goes on running:" in told


def test_a_second_demo_finds_everything_ready(server: Server, name: str) -> None:
    first = prepare(server, name)
    second = prepare(server, name)
    assert first.applied == [path.stem for path in sorted(migrate.migrations_path().glob("*.py"))]
    assert second.applied == []
    assert [(machine.machine_version, machine.created) for machine in first.machines] == [(1, True)] * 2
    assert [(machine.machine_version, machine.created) for machine in second.machines] == [(1, False)] * 2


def test_the_application_has_the_role_fsm_app_and_no_other(server: Server, name: str) -> None:
    made = prepare(server, name)
    roles = "select rolname from pg_roles where rolname like 'fsm%' and pg_has_role(oid, 'usage')"
    assert _query(made.app_dsn, roles) == [("fsm_app",)]
    assert _query(made.app_dsn, "select rolsuper from pg_roles where rolname = current_user") == [(False,)]


def test_a_database_of_other_migrations_is_made_anew(
    server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_fingerprint", lambda: "another")
    made = prepare(server, name)
    _query(made.owner_dsn, "select * from fsm.create_session('old', 'purchase_item')")
    monkeypatch.undo()
    made = prepare(server, name)
    assert made.applied != []
    assert _query(made.owner_dsn, "select * from fsm.load_session('old')") == []


def test_a_database_that_no_demo_made_is_left_alone(server: Server, name: str, pg_admin: Connection) -> None:
    pg_admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    with pytest.raises(ForeignDatabase, match=f"database {name} exists.*--database"):
        prepare(server, name)
    assert _query(server.dsn(name), "select to_regnamespace('fsm') is null") == [(True,)]


def test_without_a_superuser(server: Server, name: str, pg_admin: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_server(settings={"log_min_messages": "fatal"}) as fresh:  # roles are the cluster's: these must be its own
        with psycopg.connect(fresh.dsn(), autocommit=True) as conn:
            conn.execute("create role installer login createdb createrole")
        monkeypatch.setenv("FSMSTORE_PG_URL", fresh.dsn(user="installer"))
        given = Server().start()
        made = prepare(given, name)
        assert [machine.created for machine in made.machines] == [True, True]
        assert prepare(given, name).applied == []


def test_a_worker_that_cannot_work_breaks_the_story(server: Server, name: str) -> None:
    made = prepare(server, name)
    elsewhere = make_conninfo(made.app_dsn, dbname="postgres")  # there is no schema fsm in it
    broken = Database(name, made.owner_dsn, elsewhere, made.app_login, [], [])
    screen = Screen(Console(file=io.StringIO()))
    with SessionStore(made.app_dsn) as store, pytest.raises(StoryBroken, match=r"worker \d+ ended before its time"):
        purchase_story.purchase(screen, store, broken)


def test_a_worker_that_dies_in_its_work_breaks_the_story(
    server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prepare(server, name)
    shopper = purchase_story.Shopper()
    shopper._answers["start"] = ["a\0b"]  # what jsonb cannot hold
    monkeypatch.setattr(purchase_story, "Shopper", lambda: shopper)
    screen = Screen(Console(file=io.StringIO()))
    with SessionStore(made.app_dsn) as store, pytest.raises(StoryBroken, match=r"worker \d+ ended before its time"):
        purchase_story.purchase(screen, store, made)


def test_a_user_who_is_asked_twice_breaks_the_story() -> None:
    shopper = purchase_story.Shopper()
    assert shopper.answer("start")
    with pytest.raises(StoryBroken, match="in start the user is asked nothing twice"):
        shopper.answer("start")


def test_claims_are_checked(server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expect(True, "true")
    with pytest.raises(StoryBroken, match="Not true: this"):
        expect(False, "this")

    def conflict() -> None:
        raise VersionConflict("version conflict")

    assert refused(VersionConflict, conflict).sqlstate == "SM030"
    with pytest.raises(StoryBroken, match="GuardFailed was due, and not\nversion conflict"):
        refused(GuardFailed, conflict)
    with pytest.raises(StoryBroken, match="GuardFailed was due, and nothing was refused"):
        refused(GuardFailed, lambda: None)
    # And the demo lives by them.
    monkeypatch.setattr(story, "WAY", WAY[:-1])
    with pytest.raises(StoryBroken, match="the history tells the way of the purchase"):
        _play(server, name)


def test_an_application_that_can_read_the_tables_breaks_the_story(
    server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generous(server: Server, name: str) -> Database:
        made = prepare(server, name)
        return Database(name, made.owner_dsn, made.owner_dsn, "the owner", [], [])

    monkeypatch.setattr(story, "prepare", generous)
    with pytest.raises(StoryBroken, match="the application can read the tables"):
        _play(server, name)


def test_the_command_plays_it_twice_and_leaves_nothing_running(place: Path) -> None:
    command = [sys.executable, "-c", "from fsmstore.cli import main; main()", "demo", "--data", str(place / "db")]
    told = []
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, text=True, env=clean_environment(), timeout=300, cwd=place, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert _running(place) == []
        told.append(done.stdout)
    assert "migrations applied by yoyo: 0001" in told[0]
    assert "nothing to do, an earlier demo made it" in " ".join(told[1].split())
    for output in told:
        assert "data in db\n" in output
        assert "fsm.loop  {" in output
        assert "make db-up" in output


def _running(place: Path) -> list[str]:
    """Return the command lines that name this place."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(place) in line:
            found.append(line)
    return found


def test_the_command_ends_with_status_1_when_the_story_breaks(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fsmstore.cli import main

    def status(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["fsmstore", "demo", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    monkeypatch.setattr(story, "WAY", WAY[:-1])
    assert status("--database", name) == 1
    assert "Not true: the history tells the way" in " ".join(capsys.readouterr().err.split())
    assert status("--database", "postgres") == 1
    assert "database postgres exists" in " ".join(capsys.readouterr().err.split())


def test_commands_are_told_as_they_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(program: str, server: Server | None = None) -> str:
        return story._command(program, server)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert shown("fsmstore") == "fsmstore"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "fsmstore").touch()
    assert shown("fsmstore") == str(tmp_path / "bin" / "fsmstore")
    monkeypatch.chdir(tmp_path)
    assert shown("fsmstore") == "bin/fsmstore"
    with own_server() as server:
        beside = server.bin / "psql"
        assert shown("psql", server) == (str(beside) if beside.exists() else "psql")
    (tmp_path / "psql").touch(0o755)
    assert shown("psql", server) == "psql"
