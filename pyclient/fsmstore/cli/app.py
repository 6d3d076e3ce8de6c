"""The commands."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fsmstore import __version__, migrate, shipped
from fsmstore.devdb import NoPostgres, Server
from fsmstore.devdb.__main__ import serve

from . import importing, inspection, tables, watching
from .options import Dsn, Json, SessionId, opened
from .reporting import EXIT_STATUS, MISUSED, NOT_THERE, Failed, console, print_json, reported

app = typer.Typer(
    name="fsmstore",
    help="Sessions of state machines that survive in PostgreSQL.",
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataPlace = typer.Option(
    "--data", envvar="FSMSTORE_DATA", help="Where the server keeps its data.", show_default="in the checkout or home"
)


def run() -> int:
    """Run the command that the arguments name; ends by SystemExit with the exit status."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    return int(app(prog_name="fsmstore"))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _everything(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Sessions of state machines that survive in PostgreSQL."""


@app.command()
def demo(
    data: Annotated[Path | None, DataPlace] = None,
    database: Annotated[str, typer.Option(help="The database's name.")] = "fsmstore_demo",
) -> None:
    """Play a whole purchase conversation, and kill the process that serves it half-way.

    Starts a PostgreSQL of its own. Ends with status 1 if anything is not as it tells.
    """
    from fsmstore.demo.database import ForeignDatabase
    from fsmstore.demo.story import StoryBroken, play

    with reported(as_json=False):
        try:
            with Server(base=data or shipped.data_place()) as server:
                play(server, console(), database)
        except (NoPostgres, ForeignDatabase, StoryBroken, migrate.MigrationError) as error:
            raise Failed(str(error)) from error


@app.command("migrate")
def migrate_(
    dsn: Dsn,
    rollback: Annotated[int | None, typer.Option(metavar="N", min=1, help="Roll the newest N back.")] = None,
    status: Annotated[bool, typer.Option("--status", help="Only say what is applied and what is pending.")] = False,
    as_json: Json = False,
) -> None:
    """Apply the migrations that come with this package, or roll some back."""
    with reported(as_json):
        if rollback and status:
            raise Failed("--rollback and --status exclude each other", MISUSED)
        try:
            if status:
                done = {"applied": migrate.applied(dsn), "pending": migrate.pending(dsn)}
            elif rollback:
                done = {"rolled_back": migrate.rollback(dsn, rollback)}
            else:
                done = {"applied": migrate.apply(dsn)}
        except migrate.MigrationError as error:
            raise Failed(str(error)) from error
        if as_json:
            print_json(done)
        else:
            for what, ids in done.items():
                typer.echo(f"{what.replace('_', ' ')}: {', '.join(ids) or 'nothing'}")


@app.command("dev-db")
def dev_db(data: Annotated[Path | None, DataPlace] = None, as_json: Json = False) -> None:
    """Run a PostgreSQL for development in the foreground, and print how to reach it.

    Ctrl-C stops it; its data stays.
    """

    def announce(server: Server) -> None:
        place = None if server.base is None else str(server.base)
        if as_json:
            print_json({"dsn": server.dsn(), "data": place})
        else:
            typer.echo(f"{server.dsn()}\nIts data is in {place or 'the given server'}. Ctrl-C stops it.")
        sys.stdout.flush()

    with reported(as_json):
        try:
            serve(data or shipped.data_place(), announce)
        except NoPostgres as error:
            raise Failed(str(error)) from error


@app.command()
def define(
    file: Annotated[str, typer.Argument(help="A definition in JSON; - reads standard input.", show_default=False)],
    dsn: Dsn,
    as_json: Json = False,
) -> None:
    """Store a machine definition; a changed one becomes the machine's next version."""
    with reported(as_json):
        definition = _definition(file)
        with opened(dsn) as store:
            defined = store.define_machine(definition)
        if as_json:
            print_json(defined)
            return
        what = "is defined" if defined.created else "was defined already"
        typer.echo(f"{defined.machine}, version {defined.machine_version}, {what}")
        tables.put(console(), tables.findings(defined.warnings))


def _definition(file: str) -> Any:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        return json.loads(text)
    except (OSError, ValueError) as error:
        raise Failed(f"{file}: {error}", MISUSED) from error


@app.command()
def show(
    session_id: SessionId,
    dsn: Dsn,
    whole: Annotated[bool, typer.Option("--whole", help="Do not cut the context short.")] = False,
    as_json: Json = False,
) -> None:
    """Show a session: its state, its context, and what could happen next."""
    with reported(as_json), opened(dsn) as store:
        found = store.load(session_id)
        if found is None:
            raise Failed(f"there is no session {session_id!r}", NOT_THERE)
        events = store.allowed_events(session_id)
        if as_json:
            print_json({**{one: getattr(found, one) for one in _SESSION}, "allowed_events": events})
        else:
            tables.put(console(), tables.session(found, events, whole=whole))


_SESSION = (
    "session_id", "machine", "machine_version", "state", "version", "context", "context_version", "is_final",
    "entered_at", "created_at", "updated_at",
)  # fmt: skip


@app.command()
def history(
    session_id: SessionId,
    dsn: Dsn,
    limit: Annotated[int, typer.Option(min=1, help="The newest N entries.", metavar="N")] = 100,
    before: Annotated[int | None, typer.Option(metavar="VERSION", help="Only what is older than this.")] = None,
    as_json: Json = False,
) -> None:
    """Show what happened to a session."""
    with reported(as_json), opened(dsn) as store:
        entries = store.history(session_id, limit, before)
        if as_json:
            print_json(entries)
        else:
            tables.put(console(), tables.history(entries))


for command in (
    inspection.diagram,
    inspection.verify,
    inspection.doctor,
    watching.top,
    watching.deadlines,
    importing.import_legacy,
    importing.undo_import,
):
    app.command()(command)
