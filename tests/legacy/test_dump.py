"""Dumps as plain SQL, in every form that pg_dump writes and a few that people write."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsmstore.legacy import DumpReader, Item, SourceUnreadable, TableName
from fsmstore.legacy.sqltokens import Token, Tokens, copied_value

CREATE = "CREATE TABLE public.t (session_id text, a text, b integer, c jsonb, d boolean);\n"
T = TableName("public", "t")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@pytest.fixture
def reads(tmp_path: Path) -> Any:
    """``reads("insert …")`` returns the rows of table t as dicts; bytes are written as they are."""

    def read(text: str | bytes, table: TableName = T) -> list[Any]:
        file = tmp_path / "dump.sql"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [json.loads(str(item.data)) for item in DumpReader(table).read(file)]

    return read


def rows_of(lines: list[str], table: TableName = T) -> Iterator[Item]:
    return DumpReader(table)._statements(Tokens(lines, "dump"))


def literal(value: str | None, form: str) -> str:
    if value is None:
        return "NULL"
    if form == "plain":
        return "'" + value.replace("'", "''") + "'"
    if form == "escaped":
        inner = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
        return f"E'{inner}'"
    if form == "doubled":
        return "e'" + value.replace("\\", "\\\\").replace("'", "''") + "'::text"
    if form == "coded":
        return (
            "E'" + "".join(f"\\U{ord(one):08x}" if ord(one) > 0xFFFF else f"\\u{ord(one):04x}" for one in value) + "'"
        )
    if form == "bytes":
        return "E'" + "".join(f"\\{byte:03o}" for byte in value.encode()) + "'"
    return f"$x${value}$x$" if "$x" not in value and not value.endswith("$") else literal(value, "plain")


FORMS = st.sampled_from(["plain", "escaped", "doubled", "coded", "bytes", "dollar"])


@given(st.lists(st.tuples(TEXT | st.none(), FORMS), min_size=1, max_size=4), st.booleans())
def test_values_of_inserts_come_back(values: list[tuple[str | None, str]], one_statement: bool) -> None:
    rendered = [f"('s', {literal(value, form)})" for value, form in values]
    if one_statement:
        text = f"INSERT INTO t (session_id, a) VALUES\n{', '.join(rendered)};\n"
    else:
        text = "".join(f"insert into public.t(session_id,a)values{one};" for one in rendered)
    lines = [line + "\n" for line in text.split("\n")]
    found = [json.loads(str(item.data))["a"] for item in rows_of(lines)]
    assert found == [value for value, _ in values]


def copied(value: str | None) -> str:
    if value is None:
        return "\\N"
    for plain, letter in (("\\", "\\"), ("\b", "b"), ("\f", "f"), ("\n", "n"), ("\r", "r"), ("\t", "t"), ("\v", "v")):
        value = value.replace(plain, f"\\{letter}")
    return value


@given(st.lists(TEXT | st.none(), min_size=1, max_size=4))
def test_values_of_copies_come_back(values: list[str | None]) -> None:
    lines = ["COPY public.t (session_id, a) FROM stdin;\n", *(f"s\t{copied(one)}\n" for one in values), "\\.\n"]
    assert [json.loads(str(item.data))["a"] for item in rows_of(lines)] == values


@given(TEXT)
def test_tokens_are_cut_where_they_end(text: str) -> None:
    lines = f"x '{text.replace(chr(39), chr(39) * 2)}' \"{text.replace(chr(34), chr(34) * 2)}\" y".split("\n")
    tokens = Tokens([line + "\n" for line in lines], "dump")
    assert tokens.next() == Token("word", "x")
    assert tokens.next() == Token("string", text)
    assert tokens.next() == Token("name", text)
    assert tokens.next() == Token("word", "y")
    assert tokens.next() is None


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    told = "dump, line "
    try:
        list(rows_of([f"{line}\n" for line in text.split("\n")]))
    except SourceUnreadable as error:
        told = str(error)
    assert told.startswith("dump, line ")


def test_every_form_of_a_row(reads: Any) -> None:
    found = reads(
        CREATE
        + """
        INSERT INTO public.t VALUES ('1', 'a', 2, '{"x": [1]}', true);
        INSERT INTO t (c, "session_id") VALUES ('[]'::jsonb, '2');
        insert /* a /* comment */ ; */ into "public"."t" -- another ;
          (session_id, b, d) overriding system value values ('3', -4, FALSE), ('4', +5.5, null),
          (CAST('5' AS text), NULL, 't')
          on conflict do nothing;
        insert into t values ('6', text 'b', '7'::integer, jsonb '{}', 'f'::boolean), ('7', 'short');
        insert into only_another.t values ('8');
        insert into t2 select 1; insert into other.t default values;
        """
    )
    assert found == [
        {"session_id": "1", "a": "a", "b": 2, "c": {"x": [1]}, "d": True},
        {"c": [], "session_id": "2"},
        {"session_id": "3", "b": -4, "d": False},
        {"session_id": "4", "b": 5.5, "d": None},
        {"session_id": "5", "b": None, "d": True},
        {"session_id": "6", "a": "b", "b": 7, "c": {}, "d": False},
        {"session_id": "7", "a": "short"},
    ]


def test_statements_of_others_are_passed_over(reads: Any) -> None:
    found = reads(
        '\ufeff\\restrict abc\'def\n\\connect "a;b"\n'
        + CREATE
        + """
        CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $_$ insert into t values ('no'); $_$;
        CREATE FUNCTION g() RETURNS int LANGUAGE sql BEGIN ATOMIC
          INSERT INTO t VALUES ('no'); SELECT CASE WHEN true THEN 1 END; END;
        CREATE TABLE IF NOT EXISTS t2 (session_id text); CREATE UNLOGGED TABLE x (y int);
        CREATE TABLE "T" (a text);
        COMMENT ON TABLE t IS 'insert into t values (''no'');';
        SELECT pg_catalog.set_config('search_path', '', false); ;
        COPY t2 (a) FROM stdin;
insert into t values ('no');
'unclosed
\\.
        COPY (select 1) TO stdout; COPY t TO stdout; COPY t2 TO '/tmp/x' WITH csv;
        INSERT INTO t VALUES ('yes');
        ALTER TABLE ONLY t ADD CONSTRAINT p PRIMARY KEY (session_id);
        """
    )
    assert [one["session_id"] for one in found] == ["yes"]


def test_a_copy_of_any_columns(reads: Any) -> None:
    text = (
        CREATE
        + 'COPY public.t FROM stdin WITH;\r\n1\tx\\ty\t\\N\t{"a": "\\\\n"}\tt\r\n\\.\r\n'
        + "COPY t (d, session_id) FROM stdin;\nf\t2\n\\.\n"
    )
    assert reads(text) == [
        {"session_id": "1", "a": "x\ty", "b": None, "c": {"a": "\n"}, "d": True},
        {"d": False, "session_id": "2"},
    ]
    assert copied_value("\\101\\x42\\q\\303\\251") == "ABqé"
    assert copied_value("\\\\N") == "\\N"


def test_columns_come_from_the_table_or_are_known(reads: Any) -> None:
    (found,) = reads(
        "INSERT INTO swisper_sessions VALUES ('s', NULL, 'infinity');", TableName("public", "swisper_sessions")
    )
    assert found == {"session_id": "s", "title": None, "created_at": "infinity"}
    (found,) = reads(
        """CREATE TABLE t (
          "session_id" character varying(10) DEFAULT 'a,b'::text NOT NULL, n pg_catalog.int4,
          tags text[] DEFAULT ARRAY['a', 'b'],
          money numeric(10,2), "primary" jsonb, PRIMARY KEY (session_id), CONSTRAINT c CHECK ((n > 0)), UNIQUE (n)
        );
        INSERT INTO t VALUES ('s', 1, '{a,b}', 1.50, '{}');
        INSERT INTO t (session_id, extra) VALUES ('s', 'x');"""
    )[:1]
    assert found == {"session_id": "s", "n": 1, "tags": "{a,b}", "money": 1.5, "primary": {}}


def test_columns_hold_for_the_next_dump(tmp_path: Path) -> None:
    first, second = tmp_path / "1.sql", tmp_path / "2.sql"
    first.write_text(CREATE)
    second.write_text("INSERT INTO t VALUES ('s', 'a', 1, '{}', 't');")
    reader = DumpReader(T)
    assert not reader.found
    assert list(reader.read(first)) == []
    assert reader.found
    (item,) = reader.read(second)
    assert json.loads(str(item.data))["d"] is True
    second.write_text("select 1;")
    assert list(reader.read(second)) == []
    assert not reader.found


def test_bytes_that_are_no_characters_spoil_only_their_row(tmp_path: Path) -> None:
    file = tmp_path / "dump.sql"
    file.write_bytes(CREATE.encode() + b"INSERT INTO t VALUES ('1', 'caf\xe9'), ('2', 'ok'), ('caf\xe9', 'ok');\n"
                     b"COPY t (session_id, a) FROM stdin;\n4\t\xff\n5\tok\n6\t\\xff\n\\.\n"
                     b"INSERT INTO t VALUES ('7', 'a\0b'); /* \xff */ INSERT INTO \xffx VALUES (1);")  # fmt: skip
    found = [(item.session_id, item.problem) for item in DumpReader(T).read(file)]
    assert found == [
        ("1", "text_not_storable"), ("2", None), ("caf\\xe9", "session_id_not_utf8"), ("4", "text_not_storable"),
        ("5", None), ("6", "text_not_storable"), ("7", "text_not_storable"),
    ]  # fmt: skip


def test_other_encodings_and_old_strings(reads: Any) -> None:
    assert reads(b"SET client_encoding = 'LATIN1';\nINSERT INTO t (session_id) VALUES ('caf\xe9');") == [
        {"session_id": "café"}
    ]
    assert reads(b"SET NAMES 'WIN1252';\nCOPY t (session_id) FROM stdin;\n\x80\n\\.\n") == [{"session_id": "€"}]
    old = "SET standard_conforming_strings = off;\nINSERT INTO t (session_id) VALUES ('a\\'b\\\\');\n"
    assert reads(old + "SET standard_conforming_strings TO on; INSERT INTO t (session_id) VALUES ('\\');") == [
        {"session_id": "a'b\\"},
        {"session_id": "\\"},
    ]
    assert reads(r"INSERT INTO t (session_id) VALUES (E'\ud83d\ude00\x41\q');") == [{"session_id": "😀Aq"}]


def test_halves_of_characters_spoil_only_their_row(tmp_path: Path) -> None:
    file = tmp_path / "dump.sql"
    file.write_text(r"INSERT INTO t (session_id) VALUES (E'a\ud83d'), (E'\ude00\udc80'), (E'\U00110000'), ('b');")
    found = [(item.session_id, item.problem) for item in DumpReader(T).read(file)]
    assert found == [
        ("a\\xed\\xa0\\xbd", "session_id_not_utf8"), ("\\xed\\xb8\\x80\\x80", "session_id_not_utf8"), ("\ufffd", None),
        ("b", None),
    ]  # fmt: skip


def test_a_compressed_dump(tmp_path: Path) -> None:
    file = tmp_path / "dump.sql.gz"
    content = gzip.compress((CREATE + "INSERT INTO t VALUES ('s');").encode())
    file.write_bytes(content)
    assert [item.session_id for item in DumpReader(T).read(file)] == ["s"]
    for broken in (content[:-12], content[:20] + b"\0\0\0\0" + content[24:], content[:-4] + b"\0\0\0\0"):
        file.write_bytes(broken)
        with pytest.raises(SourceUnreadable, match=r"dump\.sql\.gz"):
            list(DumpReader(T).read(file))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("INSERT INTO t VALUES ('a'", "line 1: it ends inside a statement"),
        ("\nINSERT INTO t VALUES ('a", "line 2: it ends before a closing '"),
        ("COPY t (session_id) FROM stdin;\na\n", "it ends inside the data of a COPY"),
        ("/* /* */", "it ends inside a comment"),
        ("select $a$ $b$", "it ends before a closing $a$"),
        ("select 1", "it ends inside a statement"),
        ("INSERT INTO t (session_id) VALUES ('a', 'b');", "a row has 2 values for 1 columns"),
        ("INSERT INTO t (session_id) VALUES (now());", "'now ( )' is not a constant value"),
        ("INSERT INTO t (session_id) VALUES (DEFAULT);", "'default' is not a constant value"),
        ("INSERT INTO t (session_id) VALUES ();", "'' is not a constant value"),
        ("INSERT INTO t (session_id) VALUES ('a' 'b');", "is not a constant value"),
        ("INSERT INTO t (session_id) VALUES (U&'x');", "of the form U&'...' is not read"),
        ("INSERT INTO t SELECT 1;", "has no values that can be read"),
        ("INSERT INTO t VALUES 1;", "( is expected where '1' stands"),
        ("INSERT t VALUES (1);", "INTO is expected where 't' stands"),
        ("INSERT INTO 'x' VALUES (1);", "a name is expected where 'x' stands"),
        ("INSERT INTO t (a b) VALUES (1);", "a list of columns goes on with 'b'"),
        ("COPY t (session_id) FROM stdin WITH (FORMAT csv);\n\\.\n", "this COPY is not in the text format"),
        ("SET client_encoding = 'SJIS';", "the encoding 'SJIS' is not read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_place(reads: Any, text: str, why: str) -> None:
    with pytest.raises(SourceUnreadable) as refused:
        reads(text)
    assert why in str(refused.value)
    assert "dump.sql, line " in str(refused.value)


@pytest.mark.parametrize(("content", "why"), [(b"PGDMP\x01", "pg_restore"), ("x".encode("utf-16"), "UTF-16")])
def test_other_files_are_told_by_their_beginning(reads: Any, content: bytes, why: str) -> None:
    with pytest.raises(SourceUnreadable, match=why):
        reads(content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="No such file"):
        list(DumpReader().read(tmp_path / "none.sql"))


@pytest.mark.parametrize("name", ["", ".", "a.", ".b", "a.b.c"])
def test_names_of_tables(name: str) -> None:
    with pytest.raises(ValueError, match=r"SCHEMA\.TABLE"):
        TableName.parse(name)
    assert str(TableName.parse("a.b")) == "a.b"
    assert TableName.parse("b") == TableName(None, "b")
    assert not TableName("a", "b").is_(TableName("c", "b"))
