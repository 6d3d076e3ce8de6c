"""fsmstore show and fsmstore history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest

from fsmstore import SessionStore
from support.machines import BLOCKING, PURCHASE

from .conftest import Command

Connection = psycopg.Connection[Any]


@pytest.fixture
def app_dsn(db: Connection, dsn: Callable[..., str]) -> str:
    """The application's login, on a database with machines."""
    for definition in (PURCHASE, BLOCKING):
        db.execute("select fsm.define_machine(%s)", (json.dumps(definition),))
    return dsn("test_app")


@pytest.fixture
def store(app_dsn: str) -> Iterator[SessionStore]:
    with SessionStore(app_dsn) as store:
        yield store


def _searching(store: SessionStore) -> None:
    store.create("s-1", "purchase_item", {"product_query": "[red]ⓧ[/red]", "notes": [*range(100)]}, actor="ann")
    store.send("s-1", "BEGIN", actor="bob", note={"why": "[b]"})


def test_show_tells_a_person_state_and_what_could_happen_next(
    fsmstore_command: Command, store: SessionStore, app_dsn: str
) -> None:
    _searching(store)
    done = fsmstore_command("show", "s-1", dsn=app_dsn)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert "machine  purchase_item, version 1" in lines
    assert "state    search" in lines
    assert "version  2" in lines
    row = next(line for line in lines if "refine_constraints" in line)
    assert row.split()[:3] == ["RESULTS", "refine_constraints", "no"]
    assert [line.split()[:3] for line in lines if "CANCEL" in line] == [["CANCEL", "cancelled", "yes"]]
    assert '  product_query  "[red]ⓧ[/red]"' in lines  # as it is: no markup
    assert "100 elements; --whole shows all)" in " ".join(done.out.split())
    whole = fsmstore_command("show", "s-1", "--whole", dsn=app_dsn).out
    assert "--whole" not in whole
    assert json.loads(whole.partition("context\n")[2]) == {"product_query": "[red]ⓧ[/red]", "notes": [*range(100)]}


def test_show_says_that_a_session_is_over(fsmstore_command: Command, store: SessionStore, app_dsn: str) -> None:
    store.create("s-1", "purchase_item")
    store.send("s-1", "CANCEL")
    out = fsmstore_command("show", "s-1", dsn=app_dsn).out
    assert "state    cancelled (final)" in out
    assert "what could happen next" not in out


def test_show_gives_a_script_the_whole_session(fsmstore_command: Command, store: SessionStore, app_dsn: str) -> None:
    _searching(store)
    session = store.load("s-1")
    assert session is not None
    told = fsmstore_command("show", "s-1", "--json", dsn=app_dsn).json
    assert told["context"] == session.context
    assert (told["state"], told["version"], told["is_final"]) == ("search", 2, False)
    assert datetime.fromisoformat(told["updated_at"]) == session.updated_at
    assert told["allowed_events"][0].pop("reason")
    assert told["allowed_events"][0] == {"event": "CANCEL", "to_state": "cancelled", "guard": None, "allowed": True}
    fields = {"session_id", "machine", "machine_version", "context_version", "entered_at", "created_at"}
    assert set(told) == fields | {"state", "version", "is_final", "updated_at", "context", "allowed_events"}


def test_history_reads_from_top_to_bottom(fsmstore_command: Command, store: SessionStore, app_dsn: str) -> None:
    _searching(store)
    store.update("s-1", {"x": 1})
    done = fsmstore_command("history", "s-1", dsn=app_dsn)
    rows = [line.split() for line in done.out.splitlines()][3:]
    assert [(row[0], row[2:]) for row in rows if row] == [
        ("1", ["(create)", "start", "ann"]),
        ("2", ["BEGIN", "start", "→", "search", "bob"]),
        ("3", ["(update)", "search", "test_app"]),
    ]


def test_history_marks_loops(fsmstore_command: Command, store: SessionStore, app_dsn: str) -> None:
    store.create("s-1", "purchase_item")
    for _ in range(4):
        store.send("s-1", "STAY")
    out = fsmstore_command("history", "s-1", dsn=app_dsn).out
    assert [line.split()[0] for line in out.splitlines() if "loop!" in line] == ["5"]


def test_history_gives_a_script_the_newest_first(fsmstore_command: Command, store: SessionStore, app_dsn: str) -> None:
    _searching(store)
    entries = fsmstore_command("history", "s-1", "--json", dsn=app_dsn).json
    assert [entry["version"] for entry in entries] == [2, 1]
    assert entries[0]["note"] == {"why": "[b]"}
    assert entries[0]["db_user"] == "test_app"
    assert set(entries[0]) == {
        "version", "kind", "from_state", "to_state", "event", "actor", "db_user", "note", "loop_detected", "at",
    }  # fmt: skip


def test_history_can_be_paged(fsmstore_command: Command, store: SessionStore, app_dsn: str) -> None:
    _searching(store)
    newest = fsmstore_command("history", "s-1", "--json", "--limit", "1", dsn=app_dsn).json
    before = fsmstore_command("history", "s-1", "--json", "--before", "2", dsn=app_dsn).json
    assert [entry["version"] for entry in newest + before] == [2, 1]
    assert fsmstore_command("history", "s-1", "--limit", "0", dsn=app_dsn).status == 2


@pytest.mark.parametrize("command", ["show", "history"])
def test_a_session_that_is_not_there_is_status_3(fsmstore_command: Command, app_dsn: str, command: str) -> None:
    done = fsmstore_command(command, "nobody", dsn=app_dsn)
    assert (done.status, done.out) == (3, "")
    assert "nobody" in done.err
    done = fsmstore_command(command, "nobody", "--json", dsn=app_dsn)
    assert done.status == 3
    assert done.error["message"] in ("there is no session 'nobody'", "session not found")


def test_a_refusal_is_told_with_message_detail_and_hint(fsmstore_command: Command, dsn: Callable[..., str]) -> None:
    done = fsmstore_command("history", "x" * 513, dsn=dsn("test_app"))
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("22023  argument empty or too long\n")
    assert "DETAIL  {" in done.err
    assert "HINT    " in done.err
    error = fsmstore_command("history", "x" * 513, "--json", dsn=dsn("test_app")).error
    assert error["sqlstate"] == "22023"
    assert error["detail"]["argument"] == "p_session_id"
    assert error["hint"]


def test_a_login_without_the_right_is_status_1(fsmstore_command: Command, dsn: Callable[..., str]) -> None:
    done = fsmstore_command("show", "s-1", dsn=dsn("test_nobody"))
    assert done.status == 1
    assert done.err.startswith("42501  permission denied for schema fsm")


def test_a_database_without_the_schema_is_named(fsmstore_command: Command, dsn: Callable[..., str]) -> None:
    done = fsmstore_command("show", "s-1", dsn=psycopg.conninfo.make_conninfo(dsn(), dbname="postgres"))
    assert done.status == 1
    assert done.err.startswith("SM070  the database lacks a function that this client calls  (SchemaMismatch)")
    assert "fsmstore migrate" in done.err


@pytest.mark.parametrize("wrong", [{"dbname": "nowhere"}, {"host": "/nowhere"}])
def test_a_database_that_cannot_be_reached_is_status_4(
    fsmstore_command: Command, dsn: Callable[..., str], wrong: dict[str, str]
) -> None:
    done = fsmstore_command("show", "s-1", dsn=psycopg.conninfo.make_conninfo(dsn(), **wrong))
    assert (done.status, done.out) == (4, "")
    assert "nowhere" in done.err
    done = fsmstore_command("show", "s-1", "--json", dsn=psycopg.conninfo.make_conninfo(dsn(), **wrong))
    assert done.status == 4
    assert done.error["sqlstate"] is None
    assert "nowhere" in done.error["message"]
