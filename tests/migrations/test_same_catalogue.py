"""The migrations, db/install.sql run by our tools and db/install.sql run by psql all make the same database."""

import psycopg
import pytest

from catalogue import differences, fingerprint, installed, migrated
from fsmstore import migrate
from fsmstore.devdb import Server
from support.psql import Psql
from tree import ROOT
from verify import problems


def test_the_migrations_make_what_db_says(server: Server) -> None:
    facts = migrated(server, ROOT / "migrations")
    assert differences(facts, installed(server, ROOT / "db"), ("migrations", "db/")) == []
    kinds = {fact.split(" ", 1)[0] for fact in facts}
    assert kinds >= {"schema", "function", "relation", "column", "constraint", "default", "release"}


def test_plain_psql_makes_what_db_says(server: Server, empty: str) -> None:
    done = Psql(empty)("-1", "-f", str(ROOT / "db" / "install.sql"))
    assert (done.returncode, done.stderr) == (0, "")
    assert differences(fingerprint(empty), installed(server, ROOT / "db"), ("psql", "db/")) == []


def test_a_database_made_by_psql_is_taken_over_by_the_migrations(empty: str) -> None:
    assert Psql(empty)("-1", "-f", str(ROOT / "db" / "install.sql")).returncode == 0
    before = fingerprint(empty)
    assert migrate.apply(empty) == migrate.applied(empty) != []
    assert fingerprint(empty) == before


def test_uninstall_by_psql_leaves_nothing(empty: str) -> None:
    before = fingerprint(empty)
    for script in ("install.sql", "uninstall.sql"):
        done = Psql(empty)("-1", "-f", str(ROOT / "db" / script))
        assert done.returncode == 0, done.stderr
    assert fingerprint(empty) == before


def test_the_repository_verifies(server: Server) -> None:
    """Checksums, one line, same catalogue; and each migration's down.sql leads back to what was before its up.sql."""
    assert problems(server, ROOT / "db", ROOT / "migrations") == []


def test_up_down_up_is_the_same_as_up(empty: str) -> None:
    assert migrate.apply(empty)
    first = fingerprint(empty)
    rolled_back = migrate.rollback(empty, len(migrate.applied(empty)))
    assert migrate.applied(empty) == []
    assert migrate.apply(empty) == rolled_back[::-1]
    assert fingerprint(empty) == first


# Statements that change one fact each. The gates above are worth what this list finds.
PLANTED = {
    "comment on schema": "comment on schema fsm is 'other'",
    "comment on table": "comment on table fsm_internal.releases is null",
    "comment on column": "comment on column fsm_internal.releases.release is 'other'",
    "comment on constraint": "comment on constraint releases_pkey on fsm_internal.releases is 'other'",
    "grant on schema": "grant usage on schema fsm_internal to fsm_app",
    "grant on table": "grant select on fsm_internal.releases to fsm_reader",
    "grant on column": "grant select (release) on fsm_internal.releases to fsm_reader",
    "grant to public": "grant usage on schema fsm to public",
    "owner of table": "alter table fsm_internal.releases owner to postgres",
    "default": "alter table fsm_internal.releases alter release set default 'x'",
    "not null": "alter table fsm_internal.releases alter release drop not null",
    "type": "alter table fsm_internal.releases alter applied_at type timestamp",
    "storage": "alter table fsm_internal.releases alter release set storage external",
    "option of table": "alter table fsm_internal.releases set (fillfactor = 42)",
    "option of toast": "alter table fsm_internal.releases set (toast.autovacuum_enabled = off)",
    "unlogged": "alter table fsm_internal.releases set unlogged",
    "row security": "alter table fsm_internal.releases enable row level security",
    "policy": "create policy p on fsm_internal.releases using (true)",
    "new column": "alter table fsm_internal.releases add extra int",
    "constraint": "alter table fsm_internal.releases add constraint extra check (release <> 'x')",
    "unvalidated constraint": "alter table fsm_internal.releases add constraint extra check (release <> 'x') not valid",
    "index": "create index extra on fsm_internal.releases (release)",
    "rule": "create rule r as on delete to fsm_internal.releases do instead nothing",
    "statistics": "create statistics fsm_internal.s on migration, release from fsm_internal.releases",
    "sequence": "create sequence fsm_internal.s",
    "enum": "create type fsm_internal.e as enum ('a')",
    "domain": "create domain fsm_internal.d as int check (value > 0)",
    "view": "create view fsm.v as select 1 as one",
    "function": "create function fsm.f() returns int language sql immutable as 'select 1'",
    "default privileges": "alter default privileges for role fsm_owner grant select on tables to fsm_reader",
    "release": "update fsm_internal.releases set release = 'x'",
}


@pytest.mark.parametrize("statement", PLANTED.values(), ids=PLANTED.keys())
def test_the_fingerprint_sees(db: psycopg.Connection, dsn, statement: str) -> None:
    before = fingerprint(dsn())
    db.execute(statement)
    assert differences(fingerprint(dsn()), before, ("after", "before")) != []


CHANGED_FUNCTION = {
    "body": "create or replace function fsm.f(p int) returns int language sql immutable as 'select 2'",
    "volatility": "alter function fsm.f stable",
    "strictness": "alter function fsm.f strict",
    "security": "alter function fsm.f security definer",
    "search_path": "alter function fsm.f set search_path = pg_catalog, pg_temp",
    "lost setting": "alter function fsm.f reset work_mem",
    "parallel": "alter function fsm.f parallel safe",
    "cost": "alter function fsm.f cost 7",
    "owner": "alter function fsm.f owner to postgres",
    "comment": "comment on function fsm.f is 'other'",
    "grant": "grant execute on function fsm.f to fsm_app",
    "public": "revoke execute on function fsm.f from public",
}


@pytest.mark.parametrize("statement", CHANGED_FUNCTION.values(), ids=CHANGED_FUNCTION.keys())
def test_the_fingerprint_sees_of_a_function(db: psycopg.Connection, dsn, statement: str) -> None:
    db.execute("create function fsm.f(p int) returns int language sql immutable set work_mem = '1MB' as 'select 1'")
    db.execute("alter function fsm.f owner to fsm_owner; grant execute on function fsm.f to public")
    before = fingerprint(dsn())
    db.execute(statement)
    assert differences(fingerprint(dsn()), before, ("after", "before")) != []


def test_the_fingerprint_says_the_same_of_another_database_and_another_time(server: Server) -> None:
    assert migrated(server, ROOT / "migrations") == migrated(server, ROOT / "migrations")
