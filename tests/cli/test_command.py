"""The command as a whole: help, version, missing parts, and the server in the foreground."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import fsmstore
from fsmstore import cli
from support.run import clean_environment

from .conftest import Command

COMMANDS = (
    "demo", "migrate", "dev-db", "define", "show", "history", "diagram", "verify", "doctor", "top", "deadlines",
)  # fmt: skip
COMMAND = [sys.executable, "-c", "import sys; from fsmstore.cli import main; sys.exit(main())"]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the server's account can reach; pytest's own are closed to it."""
    with tempfile.TemporaryDirectory(prefix="fsmstore-test-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_help_names_the_commands_and_the_exit_statuses(fsmstore_command: Command) -> None:
    done = fsmstore_command("--help")
    assert done.status == 0
    for word in (*COMMANDS, "4 the database cannot be reached"):
        assert word in " ".join(done.out.split())
    for name in COMMANDS:
        assert "Usage: fsmstore" in fsmstore_command(name, "--help").out


def test_without_a_command_help_is_shown(fsmstore_command: Command) -> None:
    done = fsmstore_command()
    assert done.status == 2
    assert "Commands" in done.out + done.err


def test_the_version(fsmstore_command: Command) -> None:
    assert fsmstore_command("--version").out == f"{fsmstore.__version__}\n"


def test_output_may_go_to_any_object(fsmstore_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    assert fsmstore_command("--version").status == 0
    assert out.getvalue() == f"{fsmstore.__version__}\n"


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    blocker = "import sys; sys.modules['typer'] = None; from fsmstore.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", blocker],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "the command line needs typer: pip install 'fsmstore[cli]'\n"


def test_another_missing_module_is_not_taken_for_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "fsmstore.cli.app", raising=False)
    monkeypatch.setitem(sys.modules, "fsmstore.migrate", None)
    monkeypatch.delattr(fsmstore, "migrate", raising=False)
    with pytest.raises(ImportError, match=r"fsmstore\.migrate|migrate"):
        cli.main()


def test_a_terminal_that_cannot_show_a_character_gets_another() -> None:
    command = [*COMMAND, "define", "ⓧ.json", "--dsn", "dbname=unused"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, stdin=subprocess.DEVNULL, timeout=120
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("?.json: ")


@pytest.mark.parametrize(("as_json", "how"), [(False, signal.SIGINT), (True, signal.SIGTERM)])
def test_the_server_runs_until_it_is_told_to_stop(place: Path, as_json: bool, how: signal.Signals) -> None:
    command = [*COMMAND, "dev-db", "--data", str(place / "base"), *(["--json"] if as_json else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment())
    assert process.stdout is not None
    if as_json:
        said = json.loads("".join(process.stdout.readline() for _ in range(4)))
        dsn, data = said["dsn"], said["data"]
    else:
        dsn = process.stdout.readline().strip()
        data = process.stdout.readline()
    assert str(place / "base") in data
    with psycopg.connect(dsn) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    process.send_signal(how)
    assert process.wait(30) == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)


def test_the_server_in_the_foreground_says_what_is_missing(
    fsmstore_command: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FSMSTORE_PG_URL")
    monkeypatch.setenv("FSMSTORE_PG_BIN", str(place))
    # In this process signals stay as they are: nothing is served.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(signal, "pthread_sigmask", lambda *_: None)
    done = fsmstore_command("dev-db", "--data", str(place), "--json")
    assert done.status == 1
    assert f"FSMSTORE_PG_BIN={place} has no postgres and initdb" in done.error["message"]
    done = fsmstore_command("demo", "--data", str(place))
    assert (done.status, done.out) == (1, "")
    assert "has no postgres and initdb" in " ".join(done.err.split())
