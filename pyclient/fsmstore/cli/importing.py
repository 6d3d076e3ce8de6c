"""The commands that bring old sessions in, and take them out again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from fsmstore import ImportOutcome, MachineNotFound, SessionStore, shipped
from fsmstore.import_operations import CHARACTERS, ITEMS
from fsmstore.legacy import (
    DEFAULT_TABLE,
    MACHINE,
    SHARED_SESSION,
    Backup,
    Sources,
    SourceUnreadable,
    Spool,
    TableName,
    spooling,
)

from . import import_tables, tables
from .options import Dsn, Json, opened
from .reporting import MISUSED, Failed, console, print_json, reported, unreachable

To = Annotated[
    str,
    typer.Option(
        "--to",
        envvar="FSMSTORE_DSN",
        help="Where the sessions are imported to: postgresql://USER@HOST/DATABASE",
        show_default=False,
    ),
]


def import_legacy(
    to: To,
    dump: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A dump of the old table as plain SQL, also gzipped; may be repeated."),
    ] = None,
    dsn: Annotated[str | None, typer.Option(help="The old database, to read the table itself.")] = None,
    shelve: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The old file store, as it was given to shelve.open.")
    ] = None,
    backup: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where the sources are copied to first.", show_default="./fsmstore-backup-BATCH"
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report: write nothing, copy nothing.")] = False,
    batch: Annotated[
        str | None, typer.Option(metavar="UUID", help="The import's name.", show_default="made from the sources")
    ] = None,
    machine: Annotated[str, typer.Option(metavar="NAME", help="The machine of the sessions.")] = MACHINE,
    table: Annotated[str, typer.Option(metavar="NAME", help="The old table.")] = str(DEFAULT_TABLE),
    as_json: Json = False,
) -> None:
    """Import the sessions of the old stores: a dump or the table itself, and the shelf.

    Reads them, copies them, tries everything without writing, reports, then imports. It can be stopped at any time:
    the same command goes on where it was. What cannot be trusted is quarantined and does not stop the rest.
    """
    with reported(as_json), _failures_told(), ExitStack() as stack:
        sources = _sources(dump or [], dsn, shelve, table)
        connection = stack.enter_context(psycopg.connect(to, autocommit=True))
        store = stack.enter_context(SessionStore(connection))
        store.schema_release()  # that there is no schema is said before anything is read
        spool = stack.enter_context(spooling(machine))
        name = sources.batch(machine) if batch is None else _batch(batch)
        copies = None if dry_run else Backup(backup or Path(f"fsmstore-backup-{name}"))
        _read(sources, spool, copies)

        say = _silent if as_json else partial(tables.put, console())
        say(import_tables.begun(name, len(spool), machine, copies.files if copies else ()))
        with _machine(connection, store, machine, keep=not dry_run):
            outcomes = _import(store, spool, name, dry_run=True)
        say(import_tables.report("dry run: nothing is written", outcomes))
        if not dry_run:
            outcomes = _import(store, spool, name, dry_run=False)
            say(import_tables.counts("import", outcomes))
            say(import_tables.ended(name, outcomes))
        if as_json:
            print_json(
                {
                    "batch": str(name),
                    "dry_run": dry_run,
                    "backup": [str(path) for path in copies.files] if copies else [],
                    "counts": import_tables.by_outcome(outcomes),
                    "codes": import_tables.by_code(outcomes),
                    "rows": outcomes,
                }
            )


def undo_import(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The import's name.", show_default=False)],
    dsn: Dsn,
    as_json: Json = False,
) -> None:
    """Take an import back: remove the sessions that it made and nobody wrote since."""
    with reported(as_json):
        name = _batch(batch)
        with opened(dsn) as store:
            result = store.undo_import(name)
        if as_json:
            print_json({"batch": str(name), "removed": result.removed, "kept": result.kept})
        else:
            tables.put(console(), import_tables.undone(result))


def _sources(dumps: list[Path], dsn: str | None, shelf: Path | None, table: str) -> Sources:
    if not dumps and dsn is None and shelf is None:
        raise Failed("nothing to import: give --dump, --dsn or --shelve", MISUSED)
    if dumps and dsn is not None:
        raise Failed("--dump and --dsn exclude each other: a dump is a copy of the table", MISUSED)
    try:
        return Sources(dumps, dsn, shelf, TableName.parse(table))
    except ValueError as error:
        raise Failed(str(error), MISUSED) from error


def _batch(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Failed(f"{text!r} is not a UUID", MISUSED) from error


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except (SourceUnreadable, OSError) as error:
        raise Failed(str(error)) from error
    except KeyboardInterrupt as error:
        raise Failed("stopped; what is imported stays, and the same command goes on from there") from error


def _silent(_: object) -> None:
    """Say nothing: what there is to say is one JSON document."""


def _read(sources: Sources, spool: Spool, backup: Backup | None) -> None:
    with _progress(TextColumn("reading: {task.completed:,} rows and entries")) as (progress, task):
        for item in sources.items(backup):
            spool.add(item)
            progress.advance(task)


def _import(store: SessionStore, spool: Spool, batch: UUID, *, dry_run: bool) -> list[ImportOutcome]:
    """Send all that was read; what must go along with every call is told once."""
    shared = spool.shared()
    told: set[str] = set()
    outcomes: list[ImportOutcome] = []
    columns = (TextColumn("trying" if dry_run else "importing"), BarColumn(), MofNCompleteColumn())
    with _progress(*columns, total=len(spool)) as (progress, task):
        for sessions, chunk in spool.chunks(ITEMS - len(shared), CHARACTERS - sum(map(len, shared))):
            found = store.import_sessions(chunk, batch, dry_run, with_each=shared)
            outcomes += [one for one in found if one.session_id not in told]
            if shared:
                told.add(SHARED_SESSION)
            progress.advance(task, sessions)
    return outcomes


@contextmanager
def _progress(*columns: ProgressColumn, total: int | None = None) -> Iterator[tuple[Progress, TaskID]]:
    screen = console(stderr=True)
    shown = (SpinnerColumn(), *columns, TimeElapsedColumn())
    with Progress(*shown, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        yield progress, progress.add_task("", total=total)


@contextmanager
def _machine(connection: psycopg.Connection[Any], store: SessionStore, machine: str, *, keep: bool) -> Iterator[None]:
    """Have the machine defined: for good, or else for the block only."""
    definition = _missing_definition(store, machine)
    if definition is None or keep:
        if definition is not None:
            store.define_machine(definition)
        yield
        return
    with connection.transaction(force_rollback=True):
        store.define_machine(definition)
        try:
            yield
        except (psycopg.DataError, psycopg.OperationalError) as error:
            if unreachable(error):
                raise
            # Which item it is can only be found by further calls, and this transaction takes none.
            raise Failed(
                f"the database cannot read one of the items ({error.sqlstate}); to have it found in a dry run,"
                f" define machine {machine} first: fsmstore define"
            ) from error


def _missing_definition(store: SessionStore, machine: str) -> dict[str, Any] | None:
    try:
        store.machine_definition(machine)
    except MachineNotFound as error:
        try:
            return shipped.machine(machine)
        except FileNotFoundError:
            raise error from None
    return None
