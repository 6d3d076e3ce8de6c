"""Every fenced block of README and docs runs, file by file and in order, on a database of its own.

SQL runs in psql as a login in role fsm_admin, Python as one in fsm_app. A statement that is meant to be refused says so
in a comment, ``-- refused with SM021``; what is refused must be what is said. A block in psql is a transcript: lines
behind ``=> `` and ``-> `` are typed, each block into a psql of its own, and what is answered must be what is shown, up
to the width of columns and to ``…``, which stands for any text within a cell (support.transcripts has the rule). Shell
blocks run too, ``make`` with -n, because the targets themselves are what calls these tests.

DSN is a login in fsm_app for Python, and a database without the schema for the shell. READER_DSN is a login in
fsm_reader, APP_LOGIN the name of one in fsm_app.
"""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from support.databases import conninfo
from support.machines import PURCHASE
from support.run import psql_program
from support.transcripts import play, same_answer, steps
from support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("db/*.md")], key=lambda page: page.relative_to(ROOT)
)
LANGUAGES = {"sql", "psql", "python", "sh", "json"}


class Block(NamedTuple):
    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page. A fence without a language is an error: nobody would run it."""
    language, start, lines = None, 0, list[str]()
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        fence = re.match(r"\s*```(\w*)\s*$", line)
        if fence and language is None:
            assert fence[1] in LANGUAGES, (
                f"{page.name}:{number}: a block in {fence[1] or 'no language'} is run by nobody"
            )
            language, start, lines = fence[1], number, []
        elif fence and language is not None:
            yield Block(language, textwrap.dedent("\n".join(lines)) + "\n", start)
            language = None
        elif language is not None:
            lines.append(line)
    assert language is None, f"{page.name}:{start}: this block is not closed"


def run_sql(text: str, dsn: str) -> None:
    """Run a block in psql; exactly the statements that say so are refused, with the SQLSTATE they say."""
    program = psql_program()
    assert program is not None, "psql is neither beside the server's programs nor on PATH"
    done = subprocess.run(
        [program, "--no-psqlrc", "--quiet", "-v", "VERBOSITY=sqlstate", "-d", dsn],
        input=text, text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    expected = re.findall(r"-- refused with (\w{5})", text)
    assert re.findall(r"(?:ERROR|FATAL):\s+(\w{5})", done.stderr) == expected, done.stderr
    assert done.returncode == 0, done.stderr


def run_transcript(text: str, dsn: str) -> None:
    """Type a transcript into psql; each answer is the one shown."""
    shown = steps(text)
    for step, answer in zip(shown, play([step.typed for step in shown], dsn), strict=True):
        assert same_answer(step.answer, answer), "\n".join([step.typed, "SHOWN:", *step.answer, "ANSWERED:", *answer])


def wait_for_the_feed(db: psycopg.Connection[Any]) -> None:
    """Wait for the transactions that are running in the cluster, other tests' too: they delay fsm.changes."""
    begun = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    (horizon,) = db.execute(begun).fetchone() or (0,)
    ended = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= %s"
    wait_until(lambda: db.execute(ended, (horizon,)).fetchone() == (True,), "transactions end", timeout=60)


def run_shell(text: str, dsn: str) -> None:
    """Run a block as it stands; of make only what it would do."""
    program = psql_program()
    assert program is not None
    path = f"{Path(program).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "DSN": dsn, "APP_LOGIN": "test_app", "MAKEFLAGS": "n", "PATH": path}
    done = subprocess.run(
        ["bash", "-eu", "-c", text], cwd=ROOT, env=environment, text=True, capture_output=True, timeout=120,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def empty_database(db: psycopg.Connection[Any]) -> Iterator[str]:
    """A database without the schema, so that installing it has something to do."""
    name = f"{db.info.dbname}_empty"
    db.execute(f"create database {name} template template0 encoding 'UTF8'")
    try:
        yield conninfo(name)
    finally:
        db.execute(f"drop database {name} with (force)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(
    page: Path, db: psycopg.Connection[Any], dsn: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    db.execute("select fsm.define_machine(%s)", (psycopg.types.json.Jsonb(PURCHASE),))
    monkeypatch.setenv("DSN", dsn("test_app"))
    monkeypatch.setenv("READER_DSN", dsn("test_reader"))
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    for block in blocks(page):
        if block.language == "sql":
            run_sql(block.text, dsn("test_admin"))
        elif block.language == "psql":
            if "fsm.changes(" in block.text:
                wait_for_the_feed(db)
            run_transcript(block.text, dsn("test_admin"))
        elif block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page), "exec"), names)
        elif block.language == "sh":
            with empty_database(db) as empty:
                run_shell(block.text, empty)


def test_there_are_pages_and_each_language_is_used() -> None:
    used = {block.language for page in PAGES for block in blocks(page)}
    assert {"sql", "psql", "python", "sh"} <= used
    assert ROOT / "README.md" in PAGES
