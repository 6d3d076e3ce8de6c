"""A migration tool that is killed between the schema's change and its own mark: asking again repairs it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from catalogue import fingerprint, migrated
from fsmstore import migrate
from fsmstore.devdb import Server
from support.waiting import wait_until
from tree import ROOT

_PROGRAM = "import sys; from fsmstore import migrate; getattr(migrate, sys.argv[1])(sys.argv[2])"


@contextmanager
def _killed_before_the_mark(dsn: str, what: str) -> Iterator[None]:
    """Run apply or rollback in a process of its own, and kill it after its SQL was committed and before yoyo's mark.

    The process is held there by a lock on yoyo's log, which yoyo writes between the two.
    """
    with psycopg.connect(dsn) as holder, psycopg.connect(dsn, autocommit=True) as looker:
        holder.execute("lock table fsm_migrations._yoyo_log in exclusive mode")
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM, what, dsn])

        def blocked() -> bool:
            assert process.poll() is None, "it ended before it came to the mark"
            row = looker.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
            return row == (1,)

        try:
            wait_until(blocked, f"{what} waits for yoyo's log", timeout=30)
        finally:
            process.kill()
            process.wait()
        holder.rollback()
        here = "select count(*) from pg_stat_activity where datname = current_database() and client_port is not null"
        wait_until(lambda: looker.execute(here).fetchone() == (2,), "the killed process's connections are gone")
        yield


def test_a_kill_between_the_schema_and_the_mark_is_repaired_by_applying_again(server: Server, empty: str) -> None:
    wanted = migrated(server, ROOT / "migrations")
    first = migrate.apply(empty)
    migrate.rollback(empty, len(first))  # now yoyo's tables are there, to hold it by
    with _killed_before_the_mark(empty, "apply"):
        assert fingerprint(empty) != []
        assert migrate.pending(empty)[0] == first[0]
    assert migrate.apply(empty) == first
    assert migrate.applied(empty) == first
    assert fingerprint(empty) == wanted
    assert migrate.apply(empty) == []


def test_a_kill_between_the_way_back_and_its_mark_is_repaired_by_rolling_back_again(empty: str) -> None:
    before = fingerprint(empty)
    first = migrate.apply(empty)
    migrate.rollback(empty, len(first) - 1)
    with _killed_before_the_mark(empty, "rollback"):
        assert fingerprint(empty) == before
        assert migrate.applied(empty) == first[:1]
    assert migrate.rollback(empty) == first[:1]
    assert migrate.applied(empty) == []
    assert fingerprint(empty) == before


def test_a_failing_migration_leaves_nothing(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as conn:
        conn.execute("create schema fsm; create table fsm.mine ()")
    before = fingerprint(empty)
    with pytest.raises(psycopg.errors.DuplicateSchema):
        migrate.apply(empty)
    assert fingerprint(empty) == before
    assert migrate.applied(empty) == []
