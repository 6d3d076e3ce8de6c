"""Who may migrate. On a cluster of its own, because the roles of fsmstore belong to whoever made them first."""

from collections.abc import Iterator

import psycopg
import pytest

from catalogue import differences, fingerprint, migrated
from fsmstore import migrate
from fsmstore.devdb import Server
from support.servers import own_server
from tree import ROOT

FRESH = ("one", "two", "three", "four")


@pytest.fixture
def cluster() -> Iterator[Server]:
    """A new cluster with a login that may create roles and nothing else, and databases it may create schemas in."""
    with own_server() as server:
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute("create role installer login createrole")
            for name in FRESH:
                conn.execute(f"create database {name}")
                conn.execute(f"grant create on database {name} to installer")
        yield server


def _memberships(server: Server) -> list[tuple[str, ...]]:
    with psycopg.connect(server.dsn()) as conn:
        return conn.execute(
            "select roleid::regrole::text, member::regrole::text from pg_auth_members"
            " where roleid::regrole::text ~ '^fsm_' and pg_has_role(member, roleid, 'usage') order by 1, 2"
        ).fetchall()


def test_a_role_that_may_create_roles_makes_the_same_database(cluster: Server) -> None:
    one, two = (cluster.dsn(name, "installer") for name in FRESH[:2])
    every = migrate.apply(one)
    assert every != []
    found = fingerprint(cluster.dsn("one"))
    migrated_by_superuser = migrated(cluster, ROOT / "migrations")
    assert differences(found, migrated_by_superuser, ("installer", "superuser")) == []
    assert _memberships(cluster) == []  # it took back what it gave itself
    assert migrate.apply(two) == every  # a second database, where the roles are there already
    assert migrate.rollback(one, len(every)) == every[::-1]
    assert fingerprint(cluster.dsn("one")) == []
    assert _memberships(cluster) == []
    assert migrate.apply(one) == every
    assert fingerprint(cluster.dsn("one")) == found


def test_a_membership_that_was_there_before_stays(cluster: Server) -> None:
    migrate.apply(cluster.dsn("one"))
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("create role member login; grant fsm_owner to member")
        conn.execute("grant create on database two to member")
    before = _memberships(cluster)
    assert before == [("fsm_owner", "member")]
    assert migrate.apply(cluster.dsn("two", "member")) != []
    assert _memberships(cluster) == before


def test_without_create_on_the_database(cluster: Server) -> None:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("revoke create on database one from installer")
    with pytest.raises(migrate.MigrationError, match='grant create on database "one" to "installer"'):
        migrate.apply(cluster.dsn("one", "installer"))
    with psycopg.connect(cluster.dsn("one"), autocommit=True) as conn:
        conn.execute("create schema fsm_migrations authorization installer")
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        migrate.apply(cluster.dsn("one", "installer"))
    assert "grant create on database one to installer" in (caught.value.diag.message_hint or "")
    assert fingerprint(cluster.dsn("one")) == []


def test_without_createrole(cluster: Server) -> None:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("alter role installer nocreaterole")
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        migrate.apply(cluster.dsn("one", "installer"))
    assert "alter role installer createrole" in (caught.value.diag.message_hint or "")
    assert fingerprint(cluster.dsn("one")) == []
    assert migrate.applied(cluster.dsn("one")) == []


def test_where_another_role_made_the_owner(cluster: Server) -> None:
    """Since PostgreSQL 16 CREATEROLE alone does not let a role become one that somebody else made."""
    migrate.apply(cluster.dsn("one"))
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        since_16 = conn.info.server_version >= 160000
        if since_16:
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
                migrate.apply(cluster.dsn("two", "installer"))
            hint = caught.value.diag.message_hint or ""
            assert "grant fsm_owner to installer with admin option" in hint
            conn.execute("grant fsm_owner to installer with admin true, inherit false, set false")
    assert migrate.apply(cluster.dsn("two", "installer")) != []
    assert _memberships(cluster) == []
