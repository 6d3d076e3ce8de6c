"""fsmstore.migrate: connection strings, runs that meet, and what it refuses."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo.connections import parse_uri

from fsmstore import migrate
from support.servers import own_server
from support.waiting import wait_until
from tree import ROOT

HARD_PASSWORD = "p@ss:w/ord?#%41&+ '\"\\é"
_ALONE = "select pg_advisory_xact_lock(hashtextextended('fsmstore:migrate', 0))"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://someone@/db?host=/run/pg&port=5433",
        "postgresql://someone:secret@host.example:5433/db?sslmode=require&application_name=x%20y",
        "host=a.example,b.example port=5432,5433 dbname=db target_session_attrs=read-write",
        make_conninfo(host="h", user="o'brien", password=HARD_PASSWORD, dbname="d b", options="-c work_mem=8MB"),
        "dbname=only",
        "",
    ],
)
def test_every_part_of_a_dsn_reaches_yoyo(dsn: str) -> None:
    parsed = parse_uri(migrate.yoyo_url(dsn))
    assert parsed.scheme == "postgresql+psycopg"
    assert (parsed.username, parsed.password, parsed.hostname, parsed.port) == (None, None, None, None)
    assert parsed.args == {**conninfo_to_dict(dsn), "schema": "fsm_migrations"}


def test_a_password_of_special_characters_over_tcp() -> None:
    with own_server(tcp=True) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute("create role careful login superuser")
            conn.execute(psycopg.sql.SQL("alter role careful password {}").format(HARD_PASSWORD))
        dsn = server.dsn(user="careful", password=HARD_PASSWORD)
        assert migrate.apply(dsn) == migrate.applied(dsn) != []


def test_apply_rollback_pending_applied(empty: str) -> None:
    every = migrate.pending(empty)
    assert migrate.applied(empty) == []
    assert migrate.apply(empty) == every
    assert migrate.applied(empty) == every
    assert migrate.pending(empty) == []
    assert migrate.apply(empty) == []
    assert migrate.rollback(empty, 0) == []
    assert migrate.rollback(empty) == every[-1:]
    assert migrate.pending(empty) == every[-1:]
    assert migrate.apply(empty, 1) == every[-1:]
    assert migrate.rollback(empty, 100) == every[::-1]
    assert migrate.rollback(empty) == []


def test_looking_changes_nothing(empty: str) -> None:
    migrate.pending(empty)
    migrate.applied(empty)
    with psycopg.connect(empty) as conn:
        assert conn.execute("select to_regnamespace('fsm_migrations')").fetchone() == (None,)


def test_yoyos_tables_stay_out_of_the_way(empty: str) -> None:
    migrate.apply(empty)
    with psycopg.connect(empty) as conn:
        places = conn.execute(
            "select distinct relnamespace::regnamespace::text from pg_class where relname like '%yoyo%'"
        )
        assert places.fetchall() == [("fsm_migrations",)]


def test_runs_that_meet_wait_for_each_other(empty: str) -> None:
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate.apply(empty))) for _ in range(3)]
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
    with psycopg.connect(empty) as holder, psycopg.connect(empty, autocommit=True) as looker:
        holder.execute(_ALONE)
        for thread in threads:
            thread.start()
        wait_until(lambda: looker.execute(waiting).fetchone() == (3,), "three runs wait")
    for thread in threads:
        thread.join()
    assert sorted(done, key=len) == [[], [], migrate.applied(empty)]


def test_a_run_that_does_not_end_is_named(empty: str) -> None:
    with psycopg.connect(empty) as holder:
        holder.execute(_ALONE)
        with pytest.raises(migrate.MigrationError, match=r"another migration of this database has run for 0\.05 s"):
            migrate.apply(empty, timeout=0.05)
    assert migrate.applied(empty) == []


def test_a_plain_yoyo_that_runs_is_respected(empty: str) -> None:
    migrate.rollback(empty, len(migrate.apply(empty)))
    with psycopg.connect(empty, autocommit=True) as conn:
        conn.execute("insert into fsm_migrations.yoyo_lock (ctime, pid) values (now(), 12345)")
        with pytest.raises(Exception, match="12345 has locked this database"):
            migrate.apply(empty, timeout=0.05)
        conn.execute("update fsm_migrations.yoyo_lock set pid = -12345")  # one of ours, whose process is gone
    assert migrate.apply(empty, timeout=0.05) != []


def test_an_idle_limit_of_the_role_does_not_end_a_long_run(empty: str) -> None:
    """A migration may work for minutes; the transaction that keeps others out is idle all the while."""
    migrate.rollback(empty, len(migrate.apply(empty)))
    impatient = make_conninfo(empty, options="-c idle_in_transaction_session_timeout=1s")
    done: list[list[str]] = []
    thread = threading.Thread(target=lambda: done.append(migrate.apply(impatient)))
    longer = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and state = 'idle in transaction' and query like '%fsmstore:migrate%' and now() - state_change > '1.2 s'"
    )
    with psycopg.connect(empty) as holder, psycopg.connect(empty, autocommit=True) as looker:
        holder.execute("lock table fsm_migrations._yoyo_log in exclusive mode")
        thread.start()
        wait_until(
            lambda: looker.execute(longer.encode()).fetchone() == (1,), "the run is idle for longer than allowed"
        )
    thread.join()
    assert done == [migrate.applied(empty)]
    assert done != [[]]


def test_the_plain_yoyo_command_does_the_same(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as conn:
        conn.execute("create schema fsm_migrations")
    program = [
        sys.executable,
        "-m",
        "yoyo",
        "apply",
        "--batch",
        "--config",
        "yoyo.ini",
        "--database",
        migrate.yoyo_url(empty),
    ]
    done = subprocess.run(
        program, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert migrate.applied(empty) != []
    assert migrate.pending(empty) == []


def test_a_newer_release_is_not_rolled_back(empty: str) -> None:
    migrate.apply(empty)
    with psycopg.connect(empty, autocommit=True) as conn:
        conn.execute(
            "insert into fsm_migrations._yoyo_migration (migration_hash, migration_id, applied_at_utc)"
            " values ('x', '9999_future', now() + interval '1 day')"
        )
    with pytest.raises(migrate.MigrationError, match="9999_future is of a newer release"):
        migrate.rollback(empty)


def test_a_broken_migration_is_told(empty: str, tmp_path: Path) -> None:
    (tmp_path / "0001_broken.py").write_text("raise RuntimeError('broken on purpose')")
    with pytest.raises(Exception, match="broken"):
        migrate.apply(empty, source=tmp_path)
    assert migrate.applied(empty) == []


def test_the_wheels_migrations_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert migrate.migrations_path() == ROOT / "migrations"
    package = tmp_path / "lib" / "fsmstore"
    package.mkdir(parents=True)
    monkeypatch.setattr(migrate, "__file__", str(package / "migrate.py"))
    with pytest.raises(migrate.MigrationError, match="install the wheel"):
        migrate.migrations_path()
    (package / "_migrations").mkdir()
    assert migrate.migrations_path() == package / "_migrations"


def test_a_user_without_a_name_can_migrate(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container that runs as some random uid the system knows no name, and yoyo asks for one after the DDL."""

    def nameless() -> str:
        if "LOGNAME" not in os.environ:
            raise OSError("No username set in the environment")
        return os.environ["LOGNAME"]

    monkeypatch.setenv("LOGNAME", "")
    monkeypatch.delenv("LOGNAME")
    monkeypatch.setattr("getpass.getuser", nameless)
    assert migrate.apply(empty) == migrate.applied(empty) != []


def test_without_yoyo_it_says_what_to_install(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yoyo", None)
    with pytest.raises(migrate.MigrationError, match=r"pip install 'fsmstore\[migrate\]'"):
        migrate.apply(empty)
