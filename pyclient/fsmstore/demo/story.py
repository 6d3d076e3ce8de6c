"""The whole demo, chapter by chapter. Every claim it makes is checked; the first that is not true ends it."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.console import Console

from fsmstore import SessionStore
from fsmstore.cli import tables
from fsmstore.devdb import Server

from .catalogue import Catalogue
from .claims import StoryBroken, expect
from .database import Database, prepare
from .diagram import drawing
from .graph import Graph
from .purchase_story import WAY, purchase
from .refusals import loops, refusals
from .screen import Screen

__all__ = ["StoryBroken", "play"]

_INTRO = (
    "A conversation with an agent is a state machine. Between two messages it must live somewhere, and the process "
    "that serves it can die at any moment: a deployment, a crash, a machine that is taken away.",
    "fsmstore keeps each session in PostgreSQL: its state, its context, and the history of every step. Which steps "
    "there are, and when one is allowed, the database decides, by a definition that you give it once. What it has "
    "acknowledged is there after any crash; what is not allowed is not saved, whoever asks.",
    "You will see a purchase from the first question to the order. The process that serves it is killed in the middle "
    "with kill -9. Then you will see what the database refuses.",
)


def play(server: Server, console: Console, name: str = "fsmstore_demo") -> None:
    """Play the demo on a running server.

    Args:
        server: where the demo's database is, or will be.
        console: where to print.
        name: the database's name.

    Raises:
        StoryBroken: something was not as told.
        ForeignDatabase: a database of that name exists, and no demo made it.
    """
    begin = time.monotonic()
    screen = Screen(console)
    screen.intro("fsmstore", _INTRO)
    database = _set_up(screen, server, name)
    catalogue = Catalogue.read()
    with SessionStore(database.app_dsn) as store:
        definition = store.machine_definition("purchase_item")
        screen.states = [state for state in Graph(definition).states if state in WAY]
        session_id = purchase(screen, store, database)
        _history(screen, store, session_id)
        screen.chapter("The machine")
        screen.tell("Drawn from the definition as it is stored; the states that this session passed are green.")
        screen.blank()
        screen.drawing(drawing(definition), sorted(set(WAY)))
        screen.heading("fsm.diagram writes it for mermaid, to be pasted into a README or mermaid.live")
        screen.code(store.diagram("purchase_item", session_id=session_id), "")
        refusals(screen, store)
        log_from = _log_size(server)
        looping = loops(screen, store, catalogue)
    _log_line(screen, server, log_from, looping)
    _how_to_go_on(screen, server, database, session_id)
    screen.blank()
    screen.done(f"Everything was as told. {time.monotonic() - begin:.1f} s.")


def _set_up(screen: Screen, server: Server, name: str) -> Database:
    screen.chapter("A database")
    with psycopg.connect(server.dsn()) as conn:
        version = str(conn.info.parameter_status("server_version")).partition(" ")[0]
    where = "the server in FSMSTORE_PG_URL" if server.base is None else f"data in {_place(server.base)}"
    screen.done(f"PostgreSQL {version}, {where}")
    database = prepare(server, name)
    applied = ", ".join(database.applied) or "nothing to do, an earlier demo made it"
    screen.done(f"database {name}, migrations applied by yoyo: {applied}")
    for machine in database.machines:
        screen.done(f"machine {machine.machine}, version {machine.machine_version}")
    screen.done(f"login {database.app_login} for the application, in role fsm_app: it may call the functions")
    with psycopg.connect(database.app_dsn, autocommit=True) as conn:
        try:
            conn.execute("select count(*) from fsm_internal.sessions")
        except psycopg.errors.InsufficientPrivilege as error:
            screen.done(f"and touch no table: {error.diag.message_primary}")
        else:
            raise StoryBroken("The demo did not go as it tells: the application can read the tables")
    return database


def _place(path: Path) -> str:
    """Return the path, short if it is below the current directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _history(screen: Screen, store: SessionStore, session_id: str) -> None:
    screen.chapter("What is written down")
    entries = store.history(session_id)
    screen.table(tables.history(entries))
    expect([entry.to_state for entry in reversed(entries)] == list(WAY), "the history tells the way of the purchase")
    actors = {entry.actor for entry in entries}
    expect(len(actors) == 2, "two processes have written")
    screen.look("Look at the actor: the process changes in the middle, the conversation does not.")
    first = store.load_at(session_id, 3)
    expect(first is not None and len(first.context["search_results"]) > 50, "the first search found more than 50")
    assert first is not None
    screen.look(
        f"Every version can be had as it was. At v3: {first.state}, {len(first.context['search_results'])} results."
    )


def _log_size(server: Server) -> int:
    return server.log_path.stat().st_size if server.log_path else 0


def _log_line(screen: Screen, server: Server, since: int, session_id: str) -> None:
    if server.log_path is None:
        return
    with server.log_path.open("rb") as log:
        log.seek(since)
        text = log.read().decode("utf-8", "replace")
    lines = [found for found in re.findall(r"LOG:  (fsm\.loop \{.*\})", text) if session_id in found]
    expect(len(lines) == 1, "the server's log has a line about the loop")
    screen.heading("And in the server's log, for whoever watches it")
    facts = json.loads(lines[0].partition(" ")[2])
    screen.facts([("fsm.loop", json.dumps(facts))])


def how_to_look_around(session_id: str) -> str:
    """Return lines for psql that show the session, start another one and break a rule."""
    mine = session_id.replace("purchase", "mine")
    return (
        f"select version, event, from_state, to_state, actor from fsm.history('{session_id}');\n"
        f"select state, version, jsonb_pretty(context) from fsm.load_session('{session_id}');\n"
        f"select * from fsm.create_session('{mine}', 'purchase_item');\n"
        f"select * from fsm.send_event('{mine}', 'BEGIN', '{{\"product_query\": \"headphones\"}}');\n"
        f"select * from fsm.send_event('{mine}', 'CONFIRM');  -- refused\n"
        "\\df fsm.*"
    )


def _how_to_go_on(screen: Screen, server: Server, database: Database, session_id: str) -> None:
    screen.chapter("Look around yourself")
    dsn = conninfo_to_dict(database.owner_dsn)
    dsn.pop("password", None)  # it was given to us in FSMSTORE_PG_URL, not to whoever reads this
    if server.foreign:
        screen.tell("The server goes on running:")
    else:
        screen.tell("The server ends with the demo, unless you had started it. Its data stays. To leave it running:")
        screen.code("make db-up      # without a checkout: fsmstore dev-db", "shell")
        screen.tell("Then in another terminal:")
    screen.code(f'export FSMSTORE_DSN="{make_conninfo("", **dsn)}"', "shell")
    screen.code(f"{_command('fsmstore')} show {session_id}", "shell")
    screen.code(f'{_command("psql", server)} "$FSMSTORE_DSN"', "shell")
    screen.blank()
    screen.code(how_to_look_around(session_id), "postgresql")
    screen.blank()
    screen.tell("How the demo's own program uses the store is in fsmstore/demo/conversation.py and worker.py.")


def _command(name: str, server: Server | None = None) -> str:
    """Return how to call a program: by its name if that is enough, else by its path."""
    if shutil.which(name):
        return name
    beside = Path(sys.executable).with_name(name) if server is None or server.foreign else server.bin / name
    return _place(beside) if beside.exists() else name
