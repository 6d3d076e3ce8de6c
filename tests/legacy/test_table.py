"""The old table itself, and the copy that is made of it."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fsmstore.legacy import DumpReader, SourceUnreadable, TableName, read_table
from fsmstore.legacy.table import place_of
from support import legacy
from support.databases import Connection, conninfo
from support.psql import Psql
from support.run import psql_program

OldDatabase = Callable[..., str]


@pytest.fixture
def old(old_database: OldDatabase) -> str:
    """A database with the old table and all its rows."""
    dsn = old_database()
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(legacy.CREATE_TABLE)
        for dump in legacy.DUMPS:
            legacy.load(db, dump)
    return dsn


def test_the_table_gives_what_its_dump_gives(old: str) -> None:
    by_id = {item.session_id: item for item in legacy.table_rows()}
    assert {item.session_id: item for item in read_table(old)} == by_id


@pytest.mark.parametrize(
    "options",
    [
        [], ["--data-only"], ["--inserts"], ["--column-inserts", "--data-only"],
        ["--quote-all-identifiers", "--inserts"], ["--inserts", "--rows-per-insert=100", "--on-conflict-do-nothing"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_whatever_pg_dump_writes_is_read(old: str, options: list[str], tmp_path: Path) -> None:
    program = Path(psql_program() or "none").with_name("pg_dump")
    if not program.exists():
        pytest.skip("there is no pg_dump beside psql")
    file = tmp_path / "dump.sql"
    with psycopg.connect(old, autocommit=True) as db:
        db.execute("create table other as select * from swisper_sessions; create view v as select 'a;b' as x")
    subprocess.run([program, "--dbname", old, "--file", file, *options], check=True, timeout=60)
    assert set(DumpReader().read(file)) == set(legacy.table_rows())


def test_nothing_depends_on_settings(old: str) -> None:
    with psycopg.connect(old, autocommit=True) as db:
        for setting in ("datestyle = 'German, DMY'", "timezone = 'Asia/Tokyo'", "default_transaction_read_only = on",
                        "client_encoding = 'LATIN1'", "default_transaction_isolation = 'read committed'"):  # fmt: skip
            db.execute(f"alter database {db.info.dbname} set {setting}")
    assert set(read_table(old)) == set(legacy.table_rows())


def test_one_moment_is_read_and_nothing_written(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsmstore.legacy.table.ROWS", 10)
    rows = read_table(old)
    found = [next(rows)]
    with psycopg.connect(old, autocommit=True) as db:
        db.execute("delete from swisper_sessions")
    assert len([*found, *rows]) == 225
    assert list(read_table(old)) == []


def test_other_columns_are_kept(old: str) -> None:
    with psycopg.connect(old, autocommit=True) as db:
        db.execute(
            'alter table swisper_sessions add "a ""b" int default 3, add tags text[] default \'{a,b}\', drop title'
        )
        db.execute("delete from swisper_sessions where session_id <> ''")
    (item,) = read_table(old)
    data = json.loads(str(item.data))
    assert (data['a "b'], data["tags"], "title" in data) == (3, "{a,b}", False)


def test_bytes_that_are_no_characters(old_database: OldDatabase) -> None:
    dsn = old_database("SQL_ASCII")
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(legacy.CREATE_TABLE.replace("jsonb", "text"))
        for session_id, title in (("E'a\\xe9'", "'ok'"), ("'b'", "E'\\xff'"), ("'c'", "E'\\xc3\\xa9'")):
            db.execute(
                f"insert into swisper_sessions values ({session_id}, {title}, now(), now(), 1, '', now(), '', '', '')"
            )
    copy = io.BytesIO()
    items = {item.session_id: item for item in read_table(dsn, copy=copy)}
    assert {key: item.problem for key, item in items.items()} == {
        "a\\xe9": "session_id_not_utf8", "b": "text_not_storable", "c": None,
    }  # fmt: skip
    assert json.loads(str(items["c"].data))["title"] == "é"
    assert b"'a\xe9'" in copy.getvalue()
    assert b"'\xff'" in copy.getvalue()


def test_a_table_of_another_name(old: str) -> None:
    with psycopg.connect(old, autocommit=True) as db:
        db.execute('create schema "Old Store"')
        db.execute('alter table swisper_sessions set schema "Old Store"')
        db.execute('alter table "Old Store".swisper_sessions rename to "Sessions; --"')
    assert len(list(read_table(old, TableName("Old Store", "Sessions; --")))) == 225
    for missing in (TableName("public", "swisper_sessions"), TableName(None, "none"), TableName("none", "none")):
        with pytest.raises(SourceUnreadable, match="there is no table"):
            list(read_table(old, missing))


def test_a_table_that_may_not_be_read(old: str, db: Connection) -> None:
    dsn = conninfo(psycopg.conninfo.conninfo_to_dict(old)["dbname"], "test_nobody")  # type: ignore[arg-type]
    with pytest.raises(SourceUnreadable, match="permission denied for table"):
        list(read_table(dsn))
    with psycopg.connect(old, autocommit=True) as owner:
        owner.execute(
            "grant select on swisper_sessions to public; alter table swisper_sessions enable row level security"
        )
    with pytest.raises(SourceUnreadable, match="row-level security"):
        list(read_table(dsn))


def test_where_a_table_is(old: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(old)["dbname"]
    assert place_of(old, TableName("public", "t")).endswith(f"/{name}/public.t")
    assert place_of(f"{old} application_name=x", TableName("public", "t")) == place_of(old, TableName("public", "t"))


def test_the_copy_can_be_restored(old: str, old_database: OldDatabase, psql: Psql, tmp_path: Path) -> None:
    with psycopg.connect(old, autocommit=True) as db:
        db.execute(
            "alter table swisper_sessions add \"a ' b\" numeric(10,2) default 1.5, add note text default E'\\\\x''\\n'"
        )
    file = tmp_path / "copy.sql"
    with file.open("wb") as copy:
        items = list(read_table(old, copy=copy))
    new = old_database()
    done = psql("-q", "-f", str(file), dsn=new)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def content(dsn: str) -> list[Any]:
        query = "select session_id, md5(s::text) from swisper_sessions s order by 1"
        definition = (
            "select attname::text, format_type(atttypid, atttypmod), attnotnull from pg_attribute"
            " where attrelid = 'swisper_sessions'::regclass and attnum > 0 order by attnum"
        )
        key = "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'swisper_sessions'::regclass"
        with psycopg.connect(dsn) as db:
            return [db.execute(one).fetchall() for one in (query, definition, f"{key} and contype = 'p'")]

    assert content(new) == content(old)
    assert set(read_table(new)) == set(items)
    # The copy is a dump that the import itself reads.
    assert list(DumpReader().read(file)) == items
