"""What one import reads: its name, its copies, and how it is handed on."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from fsmstore.legacy import SHARED_SESSION, Backup, Item, Sources, SourceUnreadable, Spool, TableName, spooling
from support import legacy
from support.legacy import DATA, DUMPS, SHELF

SHELVE = DATA / "shelve" / SHELF


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def item(session_id: str, size: int = 0) -> Item:
    return Item("postgres", session_id, "{}", None, "x" * size)


def sent(spool: Spool, items: int = 10, characters: int = 10**6) -> list[tuple[int, list[str]]]:
    return [
        (sessions, [json.loads(text)["session_id"] for text in chunk])
        for sessions, chunk in spool.chunks(items, characters)
    ]


def test_items_come_back_by_session_in_the_order_of_their_first() -> None:
    with spooling("m") as spool:
        assert (len(spool), sent(spool), spool.shared()) == (0, [], [])
        for name in ("b", "ü\0", "a", "b", "c"):
            spool.add(item(name))
        assert len(spool) == 4
        assert sent(spool) == [(4, ["b", "b", "ü\0", "a", "c"])]
        assert sent(spool, items=2) == [(1, ["b", "b"]), (2, ["ü\0", "a"]), (1, ["c"])]
        assert sent(spool, items=1) == [(1, ["b", "b"]), (1, ["ü\0"]), (1, ["a"]), (1, ["c"])]
        (_, texts), *_ = spool.chunks(1, 1)
        assert texts == [item("b").text("m")] * 2
        spool.add(item("a"))
        assert sent(spool) == [(4, ["b", "b", "ü\0", "a", "a", "c"])]


def test_a_long_item_goes_alone() -> None:
    with spooling("m") as spool:
        for name, size in (("a", 10), ("b", 5000), ("c", 10), ("d", 10)):
            spool.add(item(name, size))
        assert sent(spool, characters=1000) == [(1, ["a"]), (1, ["b"]), (2, ["c", "d"])]


def test_the_shared_row_is_kept_apart() -> None:
    with spooling("m") as spool:
        spool.add(item(SHARED_SESSION))
        assert sent(spool) == [(0, [])]
        spool.add(item("a"))
        assert sent(spool) == [(1, ["a"])]
        assert spool.shared() == [item(SHARED_SESSION).text("m")]


def test_all_sources_are_read() -> None:
    sources = Sources(DUMPS, None, SHELVE)
    assert [*legacy.table_rows(), *legacy.shelve_entries("shelve")] == list(sources.items())


def test_an_import_is_named_for_what_it_reads(tmp_path: Path) -> None:
    batch = Sources(DUMPS, None, SHELVE).batch("m")
    assert Sources(DUMPS, None, SHELVE).batch("m") == batch
    assert Sources(DUMPS, None, SHELVE).batch("other") != batch
    assert Sources(DUMPS, None, None).batch("m") != batch
    assert Sources(DUMPS[:1], None, SHELVE).batch("m") != batch
    moved = [Path(shutil.copy(dump, tmp_path / f"moved{number}")) for number, dump in enumerate(DUMPS)]
    assert Sources(moved, None, SHELVE).batch("m") == batch
    with moved[0].open("ab") as file:
        file.write(b"\0")
    assert Sources(moved, None, SHELVE).batch("m") != batch
    with pytest.raises(SourceUnreadable, match="No such file"):
        Sources([tmp_path / "none"], None, None).batch("m")


def test_a_dump_without_the_table_is_an_error() -> None:
    with pytest.raises(SourceUnreadable, match=r"nothing of a table public[.]other is in it:"):
        list(Sources(DUMPS[:1], None, None, TableName("public", "other")).items())


def test_files_are_copied_before_they_are_read(tmp_path: Path) -> None:
    backup = Backup(tmp_path / "deep" / "er")
    items = Sources(DUMPS, None, SHELVE).items(backup)
    next(items)
    assert [one.name for one in backup.files] == [
        *(dump.name for dump in DUMPS), f"{SHELF}.dir", f"{SHELF}.dat", f"{SHELF}.bak",
    ]  # fmt: skip
    for copy, source in zip(
        backup.files, [*DUMPS, *(SHELVE.with_suffix(one) for one in (".dir", ".dat", ".bak"))], strict=True
    ):
        assert copy.read_bytes() == source.read_bytes()
    assert stat.S_IMODE((tmp_path / "deep" / "er").stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in backup.files} == {0o600}


def test_a_copy_never_replaces_another(tmp_path: Path) -> None:
    source = tmp_path / "dump.sql"
    for content, name in (
        ("1", "dump.sql"),
        ("1", "dump.sql"),
        ("2", "dump.sql.2"),
        ("3", "dump.sql.3"),
        ("2", "dump.sql.2"),
    ):
        source.write_text(content)
        backup = Backup(tmp_path / "copies")
        backup.copy(source)
        assert [one.name for one in backup.files] == [name]
        assert backup.files[0].read_text() == content
    assert sorted(names(tmp_path / "copies")) == ["dump.sql", "dump.sql.2", "dump.sql.3"]


def test_a_copy_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    backup = Backup(tmp_path)

    def broken_off() -> None:
        with backup.writing("x.sql") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert (backup.files, names(tmp_path)) == ([], [])


def test_a_table_is_copied_while_it_is_read(old_database: Callable[..., str], tmp_path: Path) -> None:
    dsn = old_database()
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(legacy.CREATE_TABLE)
        legacy.load(db, DUMPS[1])
    sources = Sources((), dsn, None)
    assert sources.batch("m") == Sources((), dsn, None).batch("m")
    backup = Backup(tmp_path)
    items = list(sources.items(backup))
    assert len(items) == 8
    assert [one.name for one in backup.files] == ["public.swisper_sessions.sql"]
    assert list(Sources(backup.files, None, None).items()) == items
    assert list(sources.items()) == items
    abandoned = sources.items(Backup(tmp_path / "other"))
    next(abandoned)
    abandoned.close()
    assert names(tmp_path / "other") == []
