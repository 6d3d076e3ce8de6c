"""fsmstore import-legacy and undo-import, from the sources to the sessions and back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from cli.conftest import Command
from fsmstore.cli import import_tables
from support import legacy
from support.databases import Connection
from support.legacy import DATA, DUMPS, SHELF
from support.waiting import wait_until

Ask = Callable[..., list[Any]]

SHELVE = ("--shelve", str(DATA / "shelve" / SHELF))
HOSTILE = ("--shelve", str(DATA / "shelve_hostile" / SHELF))
BOTH_DUMPS = ("--dump", str(DUMPS[0]), "--dump", str(DUMPS[1]))
EVERYTHING = (*BOTH_DUMPS, *SHELVE)
STATES = "select session_id, state, version, md5(s::text) from fsm_internal.sessions s order by 1"


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def test_everything_is_tried_copied_imported_and_taken_back(
    fsmstore_command: Command, admin: str, ask: Ask, tmp_path: Path
) -> None:
    done = fsmstore_command("import-legacy", *EVERYTHING, "--json", dsn=admin)
    assert (done.status, done.err) == (0, "")
    told = done.json
    assert list(told) == ["batch", "dry_run", "backup", "counts", "codes", "rows"]
    assert told["dry_run"] is False
    assert told["counts"] == {
        name: sum(row["outcome"] == name for row in told["rows"]) for name in import_tables.OUTCOMES
    }
    made = told["counts"]["imported"] + told["counts"]["conflict_resolved"]
    assert made > 150
    assert ask("select count(*) from fsm.sessions") == [made]
    assert ask("select count(*) from fsm_internal.history where kind = 'import'") == [made]
    assert ask("select count(*) from fsm.quarantine") == [told["counts"]["quarantined"]]
    # The shared row went along with every call and is told once.
    assert [row["code"] for row in told["rows"] if row["session_id"] == "default_fsm_session"] == ["sentinel_session"]
    assert {row["session_id"] for row in told["rows"]} == {
        item.session_id for item in (*legacy.table_rows(), *legacy.shelve_entries("shelve"))
    }
    place = tmp_path / f"fsmstore-backup-{told['batch']}"
    assert sorted(told["backup"]) == sorted(str(path.relative_to(tmp_path)) for path in place.iterdir())
    assert (place / DUMPS[0].name).read_bytes() == DUMPS[0].read_bytes()

    undone = fsmstore_command("undo-import", told["batch"], "--json", dsn=admin)
    assert undone.json == {"batch": told["batch"], "removed": made, "kept": 0}
    assert ask("select count(*) from fsm.sessions") == [0]


def test_a_dry_run_says_the_same_and_writes_nothing(
    fsmstore_command: Command, admin: str, ask: Ask, tmp_path: Path
) -> None:
    tried = fsmstore_command("import-legacy", *EVERYTHING, "--dry-run", "--json", dsn=admin).json
    assert (tried["dry_run"], tried["backup"], files(tmp_path)) == (True, [], [])
    for table in ("sessions", "history", "machines", "machine_versions", "import_items"):
        if ask("select to_regclass(%s) is not null", f"fsm_internal.{table}") == [True]:
            assert ask(f"select count(*) from fsm_internal.{table}") == [0], table
    done = fsmstore_command("import-legacy", *EVERYTHING, "--json", dsn=admin).json
    assert {**done, "dry_run": True, "backup": []} == tried


def test_the_report_is_for_people(fsmstore_command: Command, admin: str, tmp_path: Path) -> None:
    done = fsmstore_command("import-legacy", *EVERYTHING, "--backup", "copies", dsn=admin)
    assert (done.status, done.err) == (0, "")
    batch = UUID(done.out.split()[1])
    words = " ".join(done.out.split())
    assert words.startswith(f"batch {batch} read 243 sessions machine purchase_item copied copies/")
    assert "dry run: nothing is written imported" in words
    assert "quarantined unknown_state 4" in words
    assert '"" empty_session_id' in words
    assert "more; --json shows all" in words
    assert "view fsm.quarantine has them" in words
    assert words.endswith(f"To take it back: fsmstore undo-import {batch}")
    assert files(tmp_path / "copies") == sorted(
        [*(dump.name for dump in DUMPS), f"{SHELF}.bak", f"{SHELF}.dat", f"{SHELF}.dir"]
    )
    made = fsmstore_command("undo-import", str(batch), dsn=admin).out
    assert made.startswith("removed ")
    assert made.endswith(" sessions\nkept none\n")
    good = fsmstore_command("import-legacy", "--shelve", str(good_shelf(tmp_path)), dsn=admin).out
    assert "quarantine has" not in good
    assert "why" not in good


def good_shelf(place: Path) -> Path:
    import dbm.dumb
    import pickle

    with dbm.dumb.open(str(place / "good"), "n") as database:
        database["s-1"] = pickle.dumps({"chat_history": [], "title": "t"})
    return place / "good"


def test_the_same_command_again_changes_nothing(
    fsmstore_command: Command, admin: str, ask: Ask, tmp_path: Path
) -> None:
    first = fsmstore_command("import-legacy", *EVERYTHING, "--json", dsn=admin).json
    before, copies = ask(STATES), files(tmp_path)
    again = fsmstore_command("import-legacy", *EVERYTHING, "--json", dsn=admin).json
    assert again["batch"] == first["batch"]
    assert (ask(STATES), files(tmp_path)) == (before, copies)
    assert again["counts"]["imported"] == again["counts"]["conflict_resolved"] == 0
    assert again["counts"]["quarantined"] == first["counts"]["quarantined"]
    assert set(again["codes"]["skipped"]) == {"sentinel_session", "already_imported"}


def test_what_was_written_since_is_kept(fsmstore_command: Command, admin: str, db: Connection, ask: Ask) -> None:
    batch = fsmstore_command("import-legacy", *SHELVE, "--json", dsn=admin).json["batch"]
    (name, *_) = ask("select session_id from fsm.sessions order by 1")
    db.execute("select fsm.update_context(%s, '{\"a\": 1}')", (name,))
    fsmstore_command("import-legacy", *SHELVE, dsn=admin)
    assert ask("select version from fsm.sessions where session_id = %s", name) == [2]
    done = fsmstore_command("undo-import", batch, dsn=admin)
    assert "kept 1 session: written since" in done.out
    assert ask("select session_id from fsm.sessions") == [name]


def test_a_batch_can_be_named(fsmstore_command: Command, admin: str) -> None:
    batch = str(uuid4())
    assert fsmstore_command("import-legacy", *SHELVE, "--json", "--batch", batch, dsn=admin).json["batch"] == batch


def test_hostile_entries_are_quarantined_and_never_run(fsmstore_command: Command, admin: str, ask: Ask) -> None:
    done = fsmstore_command("import-legacy", *HOSTILE, "--json", dsn=admin).json
    expected = {
        one["session_id"]: one["expected"].get("problem")
        for one in legacy.manifest()["sessions"]
        if one["file"].startswith("shelve_hostile/")
    }
    assert {row["session_id"]: row["code"] for row in done["rows"]} == expected
    assert ask("select session_id from fsm.sessions order by 1") == ["good-neighbour-o", "protocol0-o"]
    assert "LEGACY_PICKLE_EXECUTED" not in os.environ


def test_from_the_table_itself(
    fsmstore_command: Command, admin: str, ask: Ask, old_database: Callable[..., str], tmp_path: Path
) -> None:
    dsn = old_database()
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(legacy.CREATE_TABLE)
        for dump in DUMPS:
            legacy.load(db, dump)
    done = fsmstore_command("import-legacy", "--dsn", dsn, *SHELVE, "--json", dsn=admin).json
    states = ask(STATES.replace(", md5(s::text)", ""))
    fsmstore_command("undo-import", done["batch"], dsn=admin)
    dumped = fsmstore_command("import-legacy", *EVERYTHING, "--json", dsn=admin).json
    assert ask(STATES.replace(", md5(s::text)", "")) == states
    assert dumped["counts"] == done["counts"]
    fsmstore_command("undo-import", dumped["batch"], dsn=admin)
    (copy,) = [path for path in done["backup"] if path.endswith("public.swisper_sessions.sql")]
    from_copy = fsmstore_command("import-legacy", "--dump", copy, *SHELVE, "--json", dsn=admin).json
    assert ask(STATES.replace(", md5(s::text)", "")) == states
    assert from_copy["counts"] == done["counts"]


def test_the_machine_is_defined_when_it_is_missing(fsmstore_command: Command, admin: str, ask: Ask) -> None:
    fsmstore_command("import-legacy", *SHELVE, dsn=admin)
    fsmstore_command("import-legacy", *SHELVE, dsn=admin)
    assert ask("select machine, machine_version from fsm.machines") == [("purchase_item", 1)]
    done = fsmstore_command("import-legacy", *SHELVE, "--machine", "none", dsn=admin)
    assert (done.status, done.err.split()[0]) == (1, "SM001")


@pytest.fixture
def poison(tmp_path: Path) -> Path:
    """A dump whose first row is JSON, but no jsonb."""
    file = tmp_path / "poison.sql"
    head = "INSERT INTO swisper_sessions VALUES ('{}', NULL, now, now, 0, NULL, NULL, NULL, '{}', '{{}}', false);\n"
    head = head.replace("now", "'2025-06-03 10:31:37'")
    file.write_text(head.format("bad", '["\\u0000"]') + head.format("good", "[]"))
    return file


def test_one_row_that_no_jsonb_can_hold(fsmstore_command: Command, admin: str, ask: Ask, poison: Path) -> None:
    tried = fsmstore_command("import-legacy", "--dump", str(poison), "--dry-run", dsn=admin)
    assert tried.status == 1
    assert "define machine purchase_item first" in " ".join(tried.err.split())
    done = fsmstore_command("import-legacy", "--dump", str(poison), "--json", dsn=admin).json
    assert {row["session_id"]: (row["outcome"], row["code"]) for row in done["rows"]} == {
        "bad": ("quarantined", "text_not_storable"), "good": ("imported", None),
    }  # fmt: skip
    tried = fsmstore_command("import-legacy", "--dump", str(poison), "--dry-run", dsn=admin)
    assert tried.status == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "nothing to import"),
        (("--dump", "x", "--dsn", "y"), "exclude each other"),
        ((*SHELVE, "--batch", "x"), "'x' is not a UUID"),
        ((*SHELVE, "--table", "a.b.c"), "'a.b.c' is not the name of a table"),
    ],
)
def test_wrong_usage(fsmstore_command: Command, admin: str, arguments: tuple[str, ...], told: str) -> None:
    done = fsmstore_command("import-legacy", *arguments, dsn=admin)
    assert (done.status, done.out) == (2, "")
    assert told in " ".join(done.err.split())
    assert fsmstore_command("undo-import", "x", dsn=admin).status == 2
    assert fsmstore_command("import-legacy", *SHELVE).status == 2  # where to is not said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--dump", "none.sql"), "No such file"),
        (("--shelve", "none"), "no shelf is there"),
        (("--dump", str(DUMPS[0]), "--table", "other"), "nothing of a table other is in it"),
        ((*SHELVE, "--backup", "/dev/null/x"), "Not a directory"),
    ],
)
def test_what_cannot_be_done_is_told(
    fsmstore_command: Command, admin: str, ask: Ask, arguments: tuple[str, ...], told: str
) -> None:
    done = fsmstore_command("import-legacy", *arguments, "--json", dsn=admin)
    assert done.status == 1
    assert told in done.error["message"]
    assert ask("select count(*) from fsm.machines") == [0]


def test_the_application_may_not_import(fsmstore_command: Command, dsn: Callable[..., str]) -> None:
    assert fsmstore_command("import-legacy", *SHELVE, dsn=dsn("test_app")).status == 1
    assert fsmstore_command("undo-import", str(uuid4()), dsn=dsn("test_app")).status == 1


def test_a_source_that_cannot_be_reached(fsmstore_command: Command, admin: str) -> None:
    away = "host=127.0.0.1 port=1 dbname=x connect_timeout=2"
    assert fsmstore_command("import-legacy", "--dsn", away, dsn=admin).status == 4
    assert fsmstore_command("import-legacy", *SHELVE, dsn=away).status == 4


def test_a_target_without_the_schema_is_told_first(
    fsmstore_command: Command, old_database: Callable[..., str], tmp_path: Path
) -> None:
    done = fsmstore_command("import-legacy", *SHELVE, dsn=old_database())
    assert (done.status, done.err.split()[0], files(tmp_path)) == (1, "SM070", [])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_is_stopped_goes_on(
    fsmstore_command: Command, dsn: Callable[..., str], admin: str, db: Connection, ask: Ask, how: signal.Signals
) -> None:
    """In calls of 20 items; somebody holds a session of one of the later ones while the import is stopped."""
    expected = fsmstore_command("import-legacy", *EVERYTHING, "--json", dsn=admin).json
    whole = ask("select session_id, state, context_version from fsm.sessions order by 1")
    fsmstore_command("undo-import", expected["batch"], dsn=admin)
    db.execute("select fsm.purge_import(%s)", (expected["batch"],))

    made = [row["session_id"] for row in expected["rows"] if row["outcome"] == "imported"]
    script = "import sys; from fsmstore.cli import importing, main; importing.ITEMS = 20; sys.exit(main())"
    command = [sys.executable, "-c", script, "import-legacy", *EVERYTHING]
    with psycopg.connect(dsn()) as holder:
        holder.execute("select fsm.create_session(%s, 'purchase_item')", (made[len(made) // 2],))
        process = subprocess.Popen(
            command,
            env={**os.environ, "FSMSTORE_DSN": admin},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            waiting = (
                "select count(*) from pg_locks l join pg_database d on d.oid = l.database"
                " where not l.granted and l.locktype = 'advisory' and d.datname = current_database()"
            )
            wait_until(lambda: ask(waiting) == [1], "the import waits for the session", timeout=60)
        finally:
            process.send_signal(how)
            out, err = process.communicate(timeout=60)
        holder.rollback()
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    wait_until(lambda: ask(others) == [0], "its backend has seen that it is gone", timeout=60)
    stopped = ask("select session_id from fsm.sessions")
    assert 0 < len(stopped) < len(whole)
    if how is signal.SIGINT:
        assert process.returncode == 1
        assert "the same command goes on from there" in " ".join(err.split())
        assert expected["batch"] in out

    again = fsmstore_command("import-legacy", *EVERYTHING, "--json", dsn=admin).json
    assert ask("select session_id, state, context_version from fsm.sessions order by 1") == whole
    assert again["counts"]["quarantined"] == expected["counts"]["quarantined"]
    assert again["codes"]["skipped"]["already_imported"] == len(stopped)


def test_ids_do_no_harm_to_a_terminal() -> None:
    assert import_tables.shown_id("s-1 ü") == "s-1 ü"
    assert import_tables.shown_id("") == '""'
    assert import_tables.shown_id("a\x1b[31m\n\u202e") == '"a\\u001b[31m\\n\\u202e"'
    assert len(import_tables.shown_id("x" * 500)) == 48
    assert json.loads(import_tables.shown_id("\t")) == "\t"
    assert import_tables.harmless("no state \x1b[2J\u202eü") == "no state \\x1b[2J\\u202eü"
