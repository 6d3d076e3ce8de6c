"""The commands that look closely: diagram, verify, doctor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from typing import Annotated

import psycopg
import typer
from psycopg import IsolationLevel
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fsmstore import SessionStore, Violation

from . import report_tables, tables
from .options import Dsn, Json, opened
from .reporting import REFUSED, console, print_json, reported

PAGE = 500
"""Sessions that one call of verify looks at."""


class Format(str, Enum):
    """What a diagram is written in."""

    MERMAID = "mermaid"
    DOT = "dot"


def diagram(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="The machine's name.", show_default=False)],
    dsn: Dsn,
    version: Annotated[int | None, typer.Option(metavar="N", help="A version of it; the newest unless given.")] = None,
    format: Annotated[Format, typer.Option(help="Mermaid, or dot for Graphviz.")] = Format.MERMAID,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Highlight this session's path.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a machine as text for Mermaid or Graphviz."""
    with reported(as_json), opened(dsn) as store:
        text = store.diagram(machine, version, format.value, session)
        if as_json:
            print_json({"machine": machine, "format": format.value, "diagram": text})
        else:
            sys.stdout.write(text.rstrip() + "\n")


def doctor(dsn: Dsn, as_json: Json = False) -> None:
    """Say what is wrong or risky with this installation. Ends with status 1 if anything is an error."""
    with reported(as_json), opened(dsn) as store:
        findings = store.doctor()
        if as_json:
            print_json(findings)
        else:
            tables.put(console(), report_tables.doctor(findings))
    if any(one.severity == "error" for one in findings):
        raise typer.Exit(REFUSED)


def verify(
    dsn: Dsn,
    session_id: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Only this session.", show_default="all")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check everything that is stored. Ends with status 1 if anything contradicts itself.

    All sessions are read page by page, so that it can be told how far it is; nobody is kept waiting by it.
    """
    with reported(as_json), psycopg.connect(dsn, autocommit=True) as connection, SessionStore(connection) as store:
        if session_id is not None:
            looked_at, found = 1, store.verify(session_id)
        else:
            looked_at, found = _verify_all(connection, store)
        if as_json:
            print_json({"sessions": looked_at, "findings": found})
        else:
            tables.put(console(), report_tables.violations(looked_at, found))
    if found:
        raise typer.Exit(REFUSED)


def _verify_all(connection: psycopg.Connection, store: SessionStore) -> tuple[int, list[Violation]]:
    looked_at, found = 0, []
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} sessions looked at"), TimeElapsedColumn())
    screen = console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("")
        for sessions, findings in _pages(connection, store):
            looked_at += sessions
            found += findings
            progress.update(task, completed=looked_at)
    return looked_at, found


def _pages(connection: psycopg.Connection, store: SessionStore) -> Iterator[tuple[int, list[Violation]]]:
    """Go through all sessions: how many each page has, and what was found there.

    A page of verify has histories without a session in it too, each of which is a finding; a list has none of these.
    Both must see the same moment, or the page's end would be guessed wrongly.
    """
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    after: str | None = None
    while True:
        with connection.transaction():
            listed = [one.session_id for one in store.list_sessions(after=after, limit=PAGE)]
            findings = store.verify(limit=PAGE, after=after)
        orphans = {one.session_id for one in findings} - set(listed)
        covered = listed[: PAGE - len(orphans)]
        yield len(covered), findings
        if len(covered) + len(orphans) < PAGE:
            return
        after = max([*covered, *orphans])  # by code point, as the database's collation "C"
