"""fsm.doctor finds settings that endanger data, or let one caller keep the others waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fsmstore import migrate
from fsmstore.devdb import Server
from support.psql import Psql
from support.servers import own_server
from support.waiting import wait_until

Findings = Callable[..., list[tuple[str, str, str]]]
RECOMMENDED = Path(__file__).parents[3] / "db/recommended_settings.sql"
TIMEOUTS = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "client_connection_check_interval",
]
SAFE = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_prepared_transactions": "2",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    """A server of this module's own, with safe settings and an installation that nobody but us may connect to."""
    with own_server(settings=SAFE) as server:
        migrate.apply(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute("revoke connect on database postgres from public")
        yield server


@pytest.fixture
def inside(cluster: Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        yield conn


def _doctor(dsn: str) -> list[tuple[str, str]]:
    """Ask as somebody who comes anew."""
    with psycopg.connect(dsn) as conn:
        return conn.execute("select severity, check_name from fsm.doctor()").fetchall()


def test_nothing_to_say(cluster: Server) -> None:
    assert _doctor(cluster.dsn()) == []


@pytest.mark.parametrize(
    ("setting", "value", "finding"),
    [
        ("fsync", "off", ("error", "fsync")),
        ("full_page_writes", "off", ("error", "full_page_writes")),
        ("synchronous_commit", "off", ("warning", "synchronous_commit")),
        ("track_counts", "off", ("warning", "track_counts")),
        ("autovacuum", "off", ("warning", "autovacuum")),
        ("default_transaction_isolation", "'repeatable read'", ("warning", "default_transaction_isolation")),
        ("default_transaction_isolation", "serializable", ("warning", "default_transaction_isolation")),
    ],
)
def test_each_setting(setting: str, value: str, finding: tuple[str, str]) -> None:
    """Each on a server of its own: what its command line says, a file cannot change."""
    with own_server(settings={**SAFE, setting: value.strip("'")}) as server:
        migrate.apply(server.dsn())
        assert [found for found in _doctor(server.dsn()) if found[1] != "public_connect"] == [finding]


def test_a_setting_of_the_database_counts_and_one_of_the_session_does_not(
    inside: psycopg.Connection[Any], cluster: Server
) -> None:
    inside.execute("set synchronous_commit = off")
    inside.execute("set default_transaction_isolation = serializable")
    assert inside.execute("select * from fsm.doctor()").fetchall() == []
    inside.execute("alter database postgres set synchronous_commit = off")
    try:
        assert _doctor(cluster.dsn()) == [("warning", "synchronous_commit")]
    finally:
        inside.execute("alter database postgres reset synchronous_commit")


def test_a_server_that_is_too_old(inside: psycopg.Connection[Any]) -> None:
    ask = "select severity, check_name from fsm_internal.doctor_server_version(%s)"
    assert inside.execute(ask, (130011,)).fetchall() == [("error", "server_version")]
    assert inside.execute(ask, (140000,)).fetchall() == []


def test_prepared_transactions(inside: psycopg.Connection[Any], cluster: Server) -> None:
    inside.execute("begin")
    inside.execute("insert into fsm_internal.history_cuts values ('s-1', 1, null, now())")
    inside.execute("prepare transaction 'it''s mine'")
    try:
        assert _doctor(cluster.dsn()) == [], "ten minutes have not passed"
        [(severity, message, hint)] = inside.execute(
            "select severity, message, hint from fsm_internal.doctor_locks(p_prepared => '0')"
        ).fetchall()
        assert severity == "warning"
        assert message.startswith("transaction 'it''s mine' of postgres in database postgres is prepared since ")
        assert "rollback prepared 'it''s mine';" in hint
    finally:
        inside.execute("rollback prepared 'it''s mine'")


# -- logins: with those of the run's server, whose settings for this test's database are its own ----------------------


@pytest.fixture
def lacking(findings: Findings) -> Callable[[str], list[str]]:
    """``lacking("test_app")`` is what the login is said to work without."""

    def ask(login: str) -> list[str]:
        start = f"login {login} works without "
        found = [
            message.removeprefix(start) for _, message, _ in findings("login_settings") if message.startswith(start)
        ]
        assert len(found) <= 1
        return found[0].split(", ") if found else []

    return ask


def test_logins_that_may_write_need_timeouts(lacking: Callable[[str], list[str]]) -> None:
    assert lacking("test_app") == TIMEOUTS
    assert lacking("test_admin") == TIMEOUTS
    for login in ("test_reader", "test_monitor", "test_nobody", "postgres"):
        assert lacking(login) == []


def test_the_hint_sets_them(
    db: psycopg.Connection[Any], findings: Findings, lacking: Callable[[str], list[str]]
) -> None:
    [hint] = [hint for _, message, hint in findings("login_settings") if "test_app" in message]
    for statement in hint.split("; "):
        db.execute(statement)
    assert lacking("test_app") == []
    assert lacking("test_admin") == TIMEOUTS


def test_the_script_sets_them(
    db: psycopg.Connection[Any], psql: Psql, lacking: Callable[[str], list[str]], connect_as: Callable[..., Any]
) -> None:
    done = psql("-v", "login=test_admin", "-f", str(RECOMMENDED))
    assert done.returncode == 0, done.stderr
    assert lacking("test_admin") == []
    assert lacking("test_app") == TIMEOUTS
    shown = {name: connect_as("test_admin").execute(f"show {name}").fetchone()[0] for name in TIMEOUTS}
    assert list(shown.values()) == ["10s", "5s", "15s", "5s"]


def test_the_script_needs_a_login_that_exists(psql: Psql) -> None:
    assert psql("-f", str(RECOMMENDED)).returncode != 0
    assert 'role "nobody\'s" does not exist' in psql("-v", "login=nobody's", "-f", str(RECOMMENDED)).stderr


@pytest.mark.parametrize(
    ("value", "enough"),
    [
        ("0", False),
        ("'0s'", False),
        ("'0 ms'", False),
        ("'1ms'", True),
        ("10", True),
        ("'1min'", True),
        ("'0.5s'", True),
    ],
)
def test_zero_is_no_timeout_in_any_unit(
    db: psycopg.Connection[Any], dbname: str, lacking: Callable[[str], list[str]], value: str, enough: bool
) -> None:
    db.execute(f"alter role test_app in database {dbname} set lock_timeout = {value}")
    assert ("lock_timeout" not in lacking("test_app")) is enough


def test_another_isolation_level(db: psycopg.Connection[Any], dbname: str, lacking: Callable[[str], list[str]]) -> None:
    name = "default_transaction_isolation"
    db.execute(f"alter role test_app in database {dbname} set {name} = 'serializable'")
    assert lacking("test_app") == [name, *TIMEOUTS]
    db.execute(f"alter role test_app in database {dbname} set {name} = 'read committed'")
    assert lacking("test_app") == TIMEOUTS


def test_what_is_nearer_counts(db: psycopg.Connection[Any], dbname: str, lacking: Callable[[str], list[str]]) -> None:
    db.execute(f"alter database {dbname} set lock_timeout = '5s'")
    wait_until(lambda: "lock_timeout" not in lacking("test_app"), "the setting of the database counts")
    db.execute(f"alter role test_app in database {dbname} set lock_timeout = 0")
    assert "lock_timeout" in lacking("test_app")
    assert "lock_timeout" not in lacking("test_admin")
    with db.transaction(force_rollback=True):
        db.execute("alter role test_admin set lock_timeout = 0")
        assert "lock_timeout" in lacking("test_admin"), "the role everywhere goes before the database"
