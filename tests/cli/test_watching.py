"""fsmstore deadlines and fsmstore top."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fsmstore.cli import watching
from support.machines import machine
from support.proxy import Proxy
from support.waiting import wait_until

from .conftest import Command

Connection = psycopg.Connection[Any]

COMMAND = [sys.executable, "-c", "import sys; from fsmstore.cli import main; sys.exit(main())"]
HASTY = machine(
    {
        "a": {"on": {"GO": "b"}, "after": {"1": "b"}},
        "b": {"on": {"BACK": "a"}, "meta": {"invariant": "!exists($.bad)"}},
    },
    "hasty",
    loop={"limit": 1},
)


@pytest.fixture
def app_dsn(db: Connection, dsn: Callable[..., str]) -> str:
    """The application's login, on a database with machine hasty."""
    db.execute("select fsm.define_machine(%s)", (json.dumps(HASTY),))
    return dsn("test_app")


@pytest.fixture
def proxy(app_dsn: str) -> Iterator[Proxy]:
    with tempfile.TemporaryDirectory(prefix="fsm") as directory:
        proxy = Proxy(app_dsn, Path(directory))
        yield proxy
        proxy.close()


def create(db: Connection, *names: str, context: str = "{}") -> None:
    for name in names:
        db.execute("select fsm.create_session(%s, 'hasty', %s)", (name, context))


def states(db: Connection) -> list[str]:
    return [row[0] for row in db.execute("select state from fsm_internal.sessions order by session_id")]


def until_due(db: Connection) -> None:
    query = "select count(*) from fsm_internal.deadlines where wake_at > clock_timestamp()"
    wait_until(lambda: db.execute(query).fetchone() == (0,), "the deadlines are due")


@contextmanager
def started(dsn: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, killed in the end if it is still there."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], env={**os.environ, "FSMSTORE_DSN": dsn, "COLUMNS": "100"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def test_once_takes_what_is_due(fsmstore_command: Command, app_dsn: str, db: Connection) -> None:
    assert fsmstore_command("deadlines", "--once", dsn=app_dsn).out == ""
    create(db, "s-1", "s-2")
    create(db, "s-[3]", context='{"bad": 1}')
    until_due(db)
    done = fsmstore_command("deadlines", "--once", "--limit", "1", dsn=app_dsn)
    assert (done.status, done.err) == (0, "")
    lines = [line.split("  ", 1)[1] for line in done.out.splitlines()]
    assert lines[:2] == ["s-1  a → b  version 2", "s-2  a → b  version 2"]
    assert lines[2].startswith("s-[3]  a → b  refused: SM021 ")
    assert len(lines) == 3
    assert states(db) == ["b", "b", "a"]


def test_a_script_gets_an_object_a_line(fsmstore_command: Command, app_dsn: str, db: Connection) -> None:
    create(db, "s-1", "s-2")
    until_due(db)
    done = fsmstore_command("deadlines", "--once", "--json", dsn=app_dsn)
    assert done.status == 0
    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"session_id": name, "from_state": "a", "to_state": "b", "version": 2, "sqlstate": None, "message": None}
        for name in ("s-1", "s-2")
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_goes_on_until_it_is_told_to_end(app_dsn: str, db: Connection, number: signal.Signals) -> None:
    with started(app_dsn, "deadlines", "--every", "0.05", "--json") as process:
        assert process.stdout is not None
        for name in ("s-1", "s-2"):
            create(db, name)
            assert json.loads(process.stdout.readline())["session_id"] == name
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")


def test_it_ends_at_once_however_long_it_would_wait(app_dsn: str, db: Connection) -> None:
    create(db, "s-1")
    until_due(db)
    with started(app_dsn, "deadlines", "--every", "3600") as process:
        wait_until(lambda: states(db) == ["b"], "it works", timeout=30)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_it_waits_for_a_database_that_went_away(app_dsn: str, proxy: Proxy, db: Connection) -> None:
    with started(proxy.dsn, "deadlines", "--every", "0.05", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        create(db, "s-1")
        assert json.loads(process.stdout.readline())["session_id"] == "s-1"
        proxy.stop()
        wait_until(lambda: proxy.refused >= 2, "it tries to come back", timeout=30)
        create(db, "s-2")
        proxy.refuse = False
        assert json.loads(process.stdout.readline())["session_id"] == "s-2"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "next try in 0.5 s" in err
        assert "next try in 1 s" in err


def test_a_database_that_is_not_there_from_the_beginning_ends_it(fsmstore_command: Command, dsn: Any) -> None:
    assert fsmstore_command("deadlines", dsn=dsn() + " connect_timeout=3 port=1").status == 4


def test_what_would_not_be_better_later_ends_it(
    fsmstore_command: Command, app_dsn: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right is taken away after the first tick."""
    ticks = []
    tick = watching._fire

    def fire(*arguments: Any) -> None:
        tick(*arguments)
        ticks.append(1)
        db.execute("revoke execute on function fsm.fire_deadlines from fsm_app")

    monkeypatch.setattr(watching, "_fire", fire)
    done = fsmstore_command("deadlines", "--every", "0.01", dsn=app_dsn)
    assert (done.status, len(ticks)) == (1, 1)
    assert "42501" in done.err


def test_a_passing_error_does_not_end_it(
    fsmstore_command: Command, app_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([None, psycopg.errors.SerializationFailure("conflict"), psycopg.errors.TooManyConnections("full")])

    def fire(store: Any, limit: int, told: Any, as_json: bool) -> None:
        try:
            error = next(errors)
        except StopIteration:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if error is not None:
            raise error

    monkeypatch.setattr(watching, "_fire", fire)
    monkeypatch.setattr(watching, "_FIRST_PAUSE", 0.01)
    before = signal.getsignal(signal.SIGTERM)
    done = fsmstore_command("deadlines", "--every", "0.01", dsn=app_dsn)
    assert (done.status, done.out) == (0, "")
    assert done.err == "conflict; next try in 0.01 s\nfull; next try in 0.02 s\n"
    assert signal.getsignal(signal.SIGTERM) is before


INTERRUPTED = """
import signal, sys
from fsmstore.cli import watching

def interrupted_at(number):
    # One signal, at the line of that number that is run while the program waits; false when there are fewer.
    lines = 0
    def at_line(frame, what, argument):
        nonlocal lines
        if what == "line":
            lines += 1
            if lines == number:
                signal.raise_signal(signal.SIGTERM)
        return at_line
    with watching._until_told() as told:
        sys.settrace(at_line)
        told.wait(0.0)
        told.is_given()
        sys.settrace(None)
        return told.is_given()

number = 1
while interrupted_at(number):
    number += 1
print(number - 1)
"""


def test_the_word_to_end_may_come_at_any_line_of_the_wait() -> None:
    """With an event of threading it came while the wait held the event's lock, and both waited for ever."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 2


def test_deadlines_of_the_wrong_use(fsmstore_command: Command, app_dsn: str) -> None:
    assert fsmstore_command("deadlines", "--every", "0", dsn=app_dsn).status == 2
    assert fsmstore_command("deadlines", "--limit", "0", dsn=app_dsn).status == 2


# top


def looping(db: Connection) -> None:
    create(db, "s-1", "s-2")
    for event in ("GO", "BACK", "GO", "BACK", "GO"):
        db.execute("select fsm.send_event('s-1', %s)", (event,))


def test_top_shows_the_numbers_of_one_moment(
    fsmstore_command: Command, app_dsn: str, db: Connection, dsn: Callable[..., str]
) -> None:
    empty = fsmstore_command("top", "--once", dsn=dsn("test_monitor"))
    assert (empty.status, empty.err) == (0, "")
    assert "sessions   0, 0 of them final" in empty.out
    assert "by state" not in empty.out
    looping(db)
    lines = [" ".join(line.split()) for line in fsmstore_command("top", dsn=dsn("test_monitor")).out.splitlines()]
    assert "sessions 2, 0 of them final" in lines
    assert "hasty 1 a 1" in lines
    assert "hasty 1 b 1" in lines
    assert "hasty GO a b 3" in lines
    assert "s-1 a → b 3 1 0:05:00" in lines
    assert any(line.startswith("writes ") and "transition" in line for line in lines)
    assert "turns 0 held" in lines


def test_top_gives_a_script_the_numbers(
    fsmstore_command: Command, app_dsn: str, db: Connection, dsn: Callable[..., str]
) -> None:
    looping(db)
    told = fsmstore_command("top", "--json", dsn=dsn("test_monitor")).json
    assert told["sessions"]["total"] == 2
    loop = next(one for one in told["looping_sessions"] if one["to_state"] == "b")
    assert (loop["session_id"], loop["occurrences"], loop["loop_window"]) == ("s-1", 3, 300.0)


def test_top_cuts_long_tables(fsmstore_command: Command, db: Connection, dsn: Callable[..., str]) -> None:
    names = [f"q{number:02}" for number in range(30)]
    many = machine({name: {"on": {"GO": names[(i + 1) % 30]}} for i, name in enumerate(names)}, "many")
    db.execute("select fsm.define_machine(%s)", (json.dumps(many),))
    for number in range(25):
        db.execute("select fsm.create_session(%s, 'many')", (f"s-{number}",))
        for _ in range(number):
            db.execute("select fsm.send_event(%s, 'GO')", (f"s-{number}",))
    out = fsmstore_command("top", dsn=dsn("test_monitor")).out
    assert out.count("and 5 more") == 1  # states
    assert out.count("and 4 more") == 1  # transitions


def test_top_of_a_standby_and_of_an_overdue_deadline() -> None:
    from rich.console import Console

    from fsmstore.cli import report_tables

    metrics = {
        "sessions": {"total": 1234567, "final": 1, "by_state": []},
        "deadlines": {"waiting": 5, "overdue": 2, "oldest_overdue_seconds": 61.5, "refused": 1},
        "recent": {"loops": 3, "seconds": 300},
        "rates": {"minute": {"create": 1.5, "transition": 20.25}},
        "turns": None,
        "bytes": {"total": 5 * 1024**5, "history": 999},
        "transitions": [],
    }
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(report_tables.top(metrics, []))
    text = console.export_text()
    assert "1,234,567, 1 of them final" in text
    assert "5 waiting, 2 overdue (by 62 s), 1 refused" in text
    assert "21.75/s in the last minute (transition 20.25, create 1.50)" in text
    assert "none on a standby" in text
    assert "5.12e+03 TB, 999 B of it history" in text


def test_top_on_a_terminal_is_kept_up_to_date(app_dsn: str, db: Connection, dsn: Callable[..., str]) -> None:
    terminal, inside = pty.openpty()
    environment = {**os.environ, "FSMSTORE_DSN": dsn("test_monitor"), "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [*COMMAND, "top", "--every", "0.1"], env=environment,
        stdin=subprocess.DEVNULL, stdout=inside, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(inside)
    try:
        seen = b""

        def shows(words: bytes) -> None:
            nonlocal seen
            end = time.monotonic() + 30
            while words not in seen:
                assert time.monotonic() < end, seen
                if select.select([terminal], [], [], 1)[0]:
                    seen += os.read(terminal, 1 << 16)

        shows(b"0, 0 of them final")
        create(db, "s-1")
        shows(b"1, 0 of them final")
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'test_monitor' and datname = current_database()"
        )
        create(db, "s-2")
        shows(b"trying again")
        shows(b"2, 0 of them final")
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # the other side is closed
            while select.select([terminal], [], [], 30)[0] and os.read(terminal, 1 << 16):
                pass
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait(timeout=30)
        assert process.stderr is not None
        process.stderr.close()
        os.close(terminal)
