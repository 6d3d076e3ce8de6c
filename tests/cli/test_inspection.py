"""fsmstore diagram, verify and doctor."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from fsmstore.cli import inspection
from support.machines import DOOR

from .conftest import Command

Connection = psycopg.Connection[Any]

COMMAND = [sys.executable, "-c", "import sys; from fsmstore.cli import main; sys.exit(main())"]


@pytest.fixture
def admin_dsn(db: Connection, dsn: Callable[..., str]) -> str:
    """An administrator's login, on a database with a machine and three sessions."""
    db.execute("select fsm.define_machine(%s)", (json.dumps(DOOR),))
    for number in range(3):
        db.execute("select fsm.create_session(%s, 'door')", (f"s-{number}",))
    return dsn("test_admin")


def test_diagram_draws_a_machine(fsmstore_command: Command, admin_dsn: str, db: Connection) -> None:
    done = fsmstore_command("diagram", "door", dsn=admin_dsn)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("stateDiagram-v2\n")
    assert "closed --> open : OPEN" in done.out
    assert "present" not in done.out
    assert done.out.endswith("\n")
    assert not done.out.endswith("\n\n")
    db.execute("select fsm.send_event('s-0', 'OPEN')")
    assert "class open present" in fsmstore_command("diagram", "door", "--session", "s-0", dsn=admin_dsn).out
    dot = fsmstore_command("diagram", "door", "--format", "dot", "--version", "1", dsn=admin_dsn).out
    assert dot.startswith("digraph")
    told = fsmstore_command("diagram", "door", "--format", "dot", "--json", dsn=admin_dsn).json
    assert told == {"machine": "door", "format": "dot", "diagram": told["diagram"]}
    assert told["diagram"].startswith("digraph")


def test_diagram_of_what_is_not_there(fsmstore_command: Command, admin_dsn: str) -> None:
    for arguments, status in (
        (("nothing",), 1),
        (("door", "--session", "s-9"), 3),
        (("door", "--version", "9"), 1),
        (("door", "--format", "png"), 2),
    ):
        done = fsmstore_command("diagram", *arguments, dsn=admin_dsn)
        assert (done.status, done.out) == (status, "")
    assert fsmstore_command("diagram", "nothing", "--json", dsn=admin_dsn).error["sqlstate"] == "SM001"


def test_verify_says_that_all_is_sound(fsmstore_command: Command, admin_dsn: str, dsn: Callable[..., str]) -> None:
    done = fsmstore_command("verify", dsn=dsn("test_reader"))
    assert (done.status, done.out, done.err) == (0, "sound: 3 sessions looked at\n", "")
    assert fsmstore_command("verify", "s-1", dsn=admin_dsn).out == "sound: 1 session looked at\n"
    assert fsmstore_command("verify", "--json", dsn=admin_dsn).json == {"sessions": 3, "findings": []}
    assert fsmstore_command("verify", "s-9", dsn=admin_dsn).status == 3


@pytest.mark.parametrize("page", [1, 2, 3, 4, 500])
def test_verify_finds_what_is_wrong_on_every_page(
    fsmstore_command: Command, admin_dsn: str, db: Connection, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among it histories without a session, which no list has: before, between and behind the others."""
    monkeypatch.setattr(inspection, "PAGE", page)
    for name in ("a-1", "a-2", "s-1x", "t-1", "t-2"):
        db.execute("select fsm.create_session(%s, 'door')", (name,))
        db.execute("delete from fsm_internal.sessions where session_id = %s", (name,))
    db.execute("delete from fsm_internal.history where session_id = 's-1'")
    db.execute("select fsm.create_session('z', 'door')")
    done = fsmstore_command("verify", "--json", dsn=admin_dsn)
    assert done.status == 1
    told = json.loads(done.out)
    assert told["sessions"] == 4
    found = {}
    for one in told["findings"]:
        found.setdefault(one["session_id"], set()).add(one["code"])
    assert set(found) == {"a-1", "a-2", "s-1", "s-1x", "t-1", "t-2"}
    assert all("history_without_session" in found[name] for name in ("a-1", "a-2", "s-1x", "t-1", "t-2"))
    assert len(told["findings"]) == len({json.dumps(one, sort_keys=True) for one in told["findings"]})


def test_verify_tells_a_person_what_is_wrong(fsmstore_command: Command, admin_dsn: str, db: Connection) -> None:
    db.execute("delete from fsm_internal.history where session_id = 's-1'")
    done = fsmstore_command("verify", dsn=admin_dsn)
    assert (done.status, done.err) == (1, "")
    assert done.out.startswith("s-1  ")
    assert done.out.splitlines()[-1].endswith(", 3 sessions looked at")
    assert fsmstore_command("verify", "s-1", dsn=admin_dsn).status == 1
    assert fsmstore_command("verify", "s-2", dsn=admin_dsn).status == 0


def test_doctor_ends_with_1_on_an_error_only(
    fsmstore_command: Command, admin_dsn: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.execute(f"grant connect on database {db.info.dbname} to public")
    told = fsmstore_command("doctor", "--json", dsn=admin_dsn)
    findings = told.json
    assert told.status == any(one["severity"] == "error" for one in findings)
    assert "public_connect" in {one["check_name"] for one in findings}
    assert set(findings[0]) == {"severity", "check_name", "message", "hint"}
    db.execute("grant execute on function fsm.metrics() to public")
    done = fsmstore_command("doctor", dsn=admin_dsn)
    assert (done.status, done.err) == (1, "")
    assert "error grant: " in done.out
    assert "warning public_connect: PUBLIC may connect" in done.out
    assert "\n    revoke connect on database" in done.out
    monkeypatch.setattr("fsmstore.SessionStore.doctor", lambda store: [])
    done = fsmstore_command("doctor", dsn=admin_dsn)
    assert (done.status, done.out) == (0, "nothing to say: all is well\n")


@pytest.mark.parametrize("command", [("diagram", "door"), ("verify",), ("doctor",), ("top",), ("deadlines",)])
def test_without_a_database_they_say_so(fsmstore_command: Command, command: tuple[str, ...]) -> None:
    done = fsmstore_command(*command, "--json", dsn="host=/nowhere dbname=x")
    assert done.status == 4
    assert "/nowhere" in done.error["message"]


def test_what_one_may_not_do_is_told(fsmstore_command: Command, admin_dsn: str, dsn: Callable[..., str]) -> None:
    for command in ("verify", "doctor", "top"):
        done = fsmstore_command(command, "--json", dsn=dsn("test_app"))
        assert done.status == 1
        assert done.error["sqlstate"] == "42501"


def test_verify_shows_on_a_terminal_how_far_it_is(admin_dsn: str) -> None:
    terminal, inside = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "verify"], env={**os.environ, "FSMSTORE_DSN": admin_dsn, "TERM": "xterm", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=inside, timeout=60, check=False,
    )  # fmt: skip
    shown = os.read(terminal, 1 << 16)
    os.close(inside)
    os.close(terminal)
    assert (done.returncode, done.stdout) == (0, b"sound: 3 sessions looked at\n")
    assert b"3 sessions looked at" in shown
