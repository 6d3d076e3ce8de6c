"""tools/freeze.py: the initial migration again and again, and the second one after the first was published."""

from pathlib import Path

import psycopg
import pytest

from catalogue import differences, fingerprint, installed, migrated, shadow
from freeze import freeze
from fsmstore import migrate
from fsmstore.devdb import Server
from support.schema import Copy
from tree import TreeError
from verify import problems

OLD = """
create table fsm_internal.extra (id text not null, constraint extra_pkey primary key (id));
comment on table fsm_internal.extra is 'old words';
create function fsm_internal.kept(p_a int) returns int language sql immutable return p_a + 1;
create function fsm_internal.base(p_a int) returns int language sql immutable return p_a;
create function fsm_internal.upon(p_a int) returns int language sql immutable return fsm_internal.base(p_a) * 2;
create function fsm_internal.gone(p_a int, p_b text = 'it''s') returns text language sql immutable return p_b || p_a;
create view fsm.upon_view as select fsm_internal.upon(1) as one;
comment on view fsm.upon_view is 'a view';
comment on column fsm.upon_view.one is 'a column';
comment on function fsm_internal.gone is 'to be dropped';
grant select on fsm.upon_view to fsm_reader;
grant execute on function fsm_internal.upon to fsm_app;
grant execute on function fsm_internal.gone to fsm_app with grant option;
create procedure fsm_internal.proc(p_a int) language plpgsql as 'begin null; end';
create type fsm_internal.pair as (a int, b int);
comment on type fsm_internal.pair is 'old pair';
create domain fsm_internal.small as int constraint is_small check (value < 9);
create index extra_by_id on fsm_internal.extra (id);
"""
# base changes its result, so it must be made anew, and with it upon (a body in standard SQL) and the view upon that.
NEW = """
create table fsm_internal.extra (
  id text not null, constraint extra_pkey primary key (id), added bigint not null default 7
);
comment on table fsm_internal.extra is 'new words, with ''quotes'' and \\backslash';
comment on column fsm_internal.extra.added is 'added';
create function fsm_internal.kept(p_a int) returns int language sql immutable return p_a + 2;
comment on function fsm_internal.kept is 'now with a comment';
create function fsm_internal.base(p_a int) returns bigint language sql immutable return p_a;
create function fsm_internal.upon(p_a int) returns int language sql immutable return fsm_internal.base(p_a) * 2;
create function fsm_internal.newcomer(p_a bigint[]) returns table (x bigint) language plpgsql stable security definer
set search_path = pg_catalog, pg_temp as $$ begin return query select e.added from fsm_internal.extra e; end $$;
create view fsm.upon_view with (security_barrier = true) as
  select fsm_internal.upon(1) as one, e.added as two from fsm_internal.extra e;
comment on view fsm.upon_view is 'a view';
comment on column fsm.upon_view.two is 'another column';
grant select on fsm.upon_view to fsm_reader, fsm_monitor;
grant select (id) on fsm_internal.extra to fsm_monitor;
grant execute on function fsm_internal.upon to fsm_app, fsm_admin;
create procedure fsm_internal.proc(p_a int) language plpgsql as 'begin perform 1; end';
create type fsm_internal.pair as (a int, b int);
comment on type fsm_internal.pair is 'new pair';
comment on column fsm_internal.pair.a is 'left';
create domain fsm_internal.small as int constraint is_small check (value < 9);
comment on domain fsm_internal.small is 'small';
comment on constraint is_small on domain fsm_internal.small is 'less than nine';
create index extra_by_id on fsm_internal.extra (id);
comment on index fsm_internal.extra_by_id is 'by id';
comment on constraint extra_pkey on fsm_internal.extra is 'the key';
revoke usage on type fsm_internal.pair from public;
insert into fsm_internal.releases (migration, release) values ('0002_second', '0.2.0');
"""
UP_DDL = "alter table fsm_internal.extra add added bigint not null default 7;"
DOWN_DDL = "alter table fsm_internal.extra drop added;"


def _tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def _published_with(copy: Copy, text: str) -> None:
    """Publish a first release that holds some more objects."""
    copy.include("extra.sql", text)
    freeze(copy.db, copy.migrations.root)
    copy.publish()


def test_freezing_again_changes_no_byte(copy: Copy) -> None:
    before = _tree(copy.migrations.root)
    freeze(copy.db, copy.migrations.root)
    assert _tree(copy.migrations.root) == before


def test_before_the_first_publication_the_initial_migration_follows_db(server: Server, copy: Copy) -> None:
    before = _tree(copy.migrations.root)
    copy.include("extra.sql", OLD)
    assert problems(server, copy.db, copy.migrations.root) != []
    assert freeze(copy.db, copy.migrations.root) == copy.migrations.ids()[0]
    assert _tree(copy.migrations.root).keys() == before.keys()
    assert problems(server, copy.db, copy.migrations.root) == []


def test_the_second_migration_leads_there_and_back(server: Server, copy: Copy) -> None:
    _published_with(copy, OLD)
    first, old = _tree(copy.migrations.root), migrated(server, copy.migrations.root)
    copy.include("extra.sql", NEW)
    assert freeze(copy.db, copy.migrations.root, "second", UP_DDL, DOWN_DDL) == "0002_second"

    now = _tree(copy.migrations.root)
    assert {name: text for name, text in now.items() if name in first and name != "SHA256SUMS"} == {
        name: text for name, text in first.items() if name != "SHA256SUMS"
    }
    assert problems(server, copy.db, copy.migrations.root) == []
    with shadow(server) as dsn:
        migrate.apply(dsn, source=copy.migrations.root)
        new = fingerprint(dsn)
        assert differences(new, installed(server, copy.db), ("migrations", "db/")) == []
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("insert into fsm_internal.extra (id) values ('kept')")
        assert migrate.rollback(dsn, source=copy.migrations.root) == ["0002_second"]
        assert fingerprint(dsn) == old
        assert migrate.apply(dsn, source=copy.migrations.root) == ["0002_second"]
        assert fingerprint(dsn) == new
        with psycopg.connect(dsn) as conn:
            assert conn.execute("select id, added from fsm_internal.extra").fetchall() == [("kept", 7)]

    freeze(copy.db, copy.migrations.root, "second", UP_DDL, DOWN_DDL)
    assert _tree(copy.migrations.root) == now  # not published yet: written anew, to the byte


def test_up_sql_by_psql_twice_says_that_it_was_applied(server: Server, copy: Copy) -> None:
    _published_with(copy, OLD)
    with shadow(server) as dsn:
        for name, sqlstate in (("up", None), ("up", "SM071"), ("down", None), ("down", "SM071")):
            text = (copy.migrations.root / copy.migrations.ids()[0] / f"{name}.sql").read_bytes()
            with psycopg.connect(dsn) as conn:
                try:
                    conn.execute(text)
                    found = None
                except psycopg.Error as error:
                    found = error.sqlstate
            assert (name, found) == (name, sqlstate)


def test_new_roles_go_with_the_migration_that_needs_them(server: Server, copy: Copy) -> None:
    _published_with(copy, OLD)
    roles = copy.db / "roles.sql"
    roles.write_text(roles.read_text().replace("'fsm_admin']", "'fsm_admin', 'fsm_extra']"))
    assert "fsm_extra" in roles.read_text()
    copy.include("extra.sql", NEW + "grant usage on schema fsm to fsm_extra;")
    freeze(copy.db, copy.migrations.root, "second", UP_DDL, DOWN_DDL)
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute("drop role fsm_extra")  # roles belong to the whole server
    folder = copy.migrations.root / "0002_second"
    assert "'fsm_extra']" in (folder / "up.sql").read_text()
    assert "create role" not in (folder / "down.sql").read_text()


@pytest.mark.parametrize(
    ("up_ddl", "down_ddl", "said"),
    [
        ("", DOWN_DDL, "column"),
        (UP_DDL.replace("7", "8"), DOWN_DDL, "up.sql does not lead to db/"),
        (UP_DDL, "", "down.sql does not lead back"),
    ],
)
def test_statements_that_do_not_lead_there_and_back_are_refused(
    copy: Copy, up_ddl: str, down_ddl: str, said: str
) -> None:
    _published_with(copy, OLD)
    before = _tree(copy.migrations.root)
    copy.include("extra.sql", NEW)
    with pytest.raises((TreeError, psycopg.Error), match=said):
        freeze(copy.db, copy.migrations.root, "second", up_ddl, down_ddl)
    assert _tree(copy.migrations.root) == before


def test_a_release_that_records_nothing_is_refused(copy: Copy) -> None:
    copy.publish()
    copy.include("extra.sql", "comment on schema fsm is 'other';")
    with pytest.raises(TreeError, match="with migration '0002_second'; it adds nothing"):
        freeze(copy.db, copy.migrations.root, "second")


def test_a_published_migration_that_was_changed_is_refused(copy: Copy) -> None:
    copy.publish()
    place = copy.migrations.root / copy.migrations.ids()[0] / "up.sql"
    place.write_text(place.read_text() + "-- \n")
    with pytest.raises(TreeError, match=r"published migrations were changed: .*up\.sql differs"):
        freeze(copy.db, copy.migrations.root, "second")


def test_names_are_refused(copy: Copy) -> None:
    with pytest.raises(TreeError, match="is not published yet"):
        freeze(copy.db, copy.migrations.root, "other")
    with pytest.raises(TreeError, match="made of a-z"):
        freeze(copy.db, copy.migrations.root, "Not this")
    copy.publish()
    with pytest.raises(TreeError, match="give the migration a name"):
        freeze(copy.db, copy.migrations.root)


def test_statements_of_its_own_are_refused_for_the_initial_migration(copy: Copy) -> None:
    with pytest.raises(TreeError, match="takes no statements"):
        freeze(copy.db, copy.migrations.root, up_ddl=UP_DDL)
