"""Shelves of every form, read without their libraries and without leaving a trace."""

from __future__ import annotations

import dbm.dumb
import pickle
import shelve
import shutil
import sqlite3
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsmstore.legacy import SourceUnreadable, find_shelf
from support.legacy import DATA, SHELF

from .conftest import listing

FORMATS = {"": "dbm.dumb", "_gnu": "dbm.gnu", "_ndbm": "dbm.ndbm", "_sqlite3": "dbm.sqlite3"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A directory with a copy of each shelf, that may be damaged."""
    for directory in DATA.glob("shelve*"):
        shutil.copytree(directory, tmp_path / directory.name)
    return tmp_path


@pytest.mark.parametrize("back_end", sorted(FORMATS))
def test_the_content_tells_the_form(back_end: str) -> None:
    directory = DATA / f"shelve{back_end}"
    found = find_shelf(directory / SHELF)
    assert found.format == FORMATS[back_end]
    assert sorted(found.files) == sorted(directory.iterdir())
    for file in directory.iterdir():
        assert find_shelf(file).files == found.files


def test_what_python_writes_is_read(tmp_path: Path) -> None:
    for place in (tmp_path / "shelf", tmp_path / "a.db", tmp_path / "b.dat"):
        values = {f"s-{number} ' \" \\ é\n": {"n": [number] * number} for number in range(100)}
        with shelve.Shelf(dbm.dumb.open(str(place), "n")) as shelf:
            shelf.update(values)
            del shelf[next(iter(values))]
        del values[next(iter(values))]
        before = listing(tmp_path)
        found = dict(find_shelf(place).pairs())
        assert {key.decode(): pickle.loads(value) for key, value in found.items()} == values
        assert listing(tmp_path) == before


def test_a_name_may_end_like_a_file(tmp_path: Path) -> None:
    with dbm.dumb.open(str(tmp_path / "x.db"), "n") as database:
        database[b"k"] = b"v"
    assert dict(find_shelf(tmp_path / "x.db").pairs()) == {b"k": b"v"}
    (tmp_path / "x.db").write_text("something else")
    assert dict(find_shelf(tmp_path / "x.db").pairs()) == {b"k": b"v"}
    (tmp_path / "y.db").write_text("something else")
    with pytest.raises(SourceUnreadable, match=r"y\.db: this is no shelf of a known form"):
        find_shelf(tmp_path / "y.db")


@given(st.dictionaries(st.binary(max_size=8), st.binary(max_size=20), max_size=6))
def test_any_bytes_are_keys_and_values(tmp_path: Path, pairs: dict[bytes, bytes]) -> None:
    with dbm.dumb.open(str(tmp_path / "any"), "n") as database:
        for key, value in pairs.items():
            database[key] = value
    assert dict(find_shelf(tmp_path / "any").pairs()) == pairs


def test_a_directory_that_was_moved_away_by_a_crash(copy: Path) -> None:
    stem = copy / "shelve" / SHELF
    whole = dict(find_shelf(stem).pairs())
    (copy / "shelve" / f"{SHELF}.dir").unlink()
    found = find_shelf(stem)
    assert dict(found.pairs()) == whole
    assert len(found.files) == 2


def test_the_last_entry_of_a_key_counts(tmp_path: Path) -> None:
    (tmp_path / "s.dat").write_bytes(b"oldnewer")
    (tmp_path / "s.dir").write_text("'a', (0, 3)\n'b', (1, 1)\n'a', (3, 5)\n")
    with dbm.dumb.open(str(tmp_path / "s"), "r") as database:
        assert {key: database[key] for key in database.keys()} == {b"a": b"newer", b"b": b"l"}  # noqa: SIM118
    assert list(find_shelf(tmp_path / "s").pairs()) == [(b"a", b"newer"), (b"b", b"l")]


def test_values_that_are_cut_off_are_kept_as_they_are(copy: Path) -> None:
    data = copy / "shelve" / f"{SHELF}.dat"
    data.write_bytes(data.read_bytes()[:700])
    items = list(find_shelf(data).items())
    assert len(items) == 27
    assert sum(item.problem == "shelve_corrupt_pickle" for item in items) >= 25


@pytest.mark.parametrize(
    "line",
    [
        "'a', (0, 1", "'a', (0, -1)", "'a', (-1, 1)", "'a', (0, 'x')", "1, (0, 1)", "'\\u0100', (0, 1)", "'a'",
        "print()", "(" * 300,
    ],
)  # fmt: skip
def test_a_broken_directory_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "s.dat").write_bytes(b"x")
    (tmp_path / "s.dir").write_text(f"'a', (0, 1)\n\n{line}\n")
    with pytest.raises(SourceUnreadable, match=r"s\.dir, line \d: this is not"):
        list(find_shelf(tmp_path / "s").pairs())


def test_a_log_of_sqlite_is_read_in_a_copy(tmp_path: Path) -> None:
    place = tmp_path / "shelf"
    connection = sqlite3.connect(place)
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table Dict (key blob unique not null, value blob not null)")
    connection.execute("insert into Dict values (?, ?), ('text', 5)", (b"k\xff", b"v"))
    connection.commit()
    live = tmp_path / "live"
    live.mkdir()
    for file in tmp_path.glob("shelf*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, live)
    connection.close()
    before = listing(live)
    assert any(name.endswith("-wal") for name in before)
    found = find_shelf(live / "shelf")
    assert found.format == "dbm.sqlite3"
    assert len(found.files) == 2
    assert dict(found.pairs()) == {b"k\xff": b"v", b"text": b"5"}
    assert listing(live) == before


def test_a_python_without_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(SourceUnreadable, match=r"this Python cannot read it: .*sqlite3"):
        list(find_shelf(DATA / "shelve_sqlite3" / SHELF).pairs())
    assert len(list(find_shelf(DATA / "shelve_gnu" / SHELF).pairs())) == 27


def test_a_database_that_is_no_shelf(tmp_path: Path) -> None:
    place = tmp_path / "other"
    with sqlite3.connect(place) as connection:
        connection.execute("create table x (y)")
    with pytest.raises(SourceUnreadable, match="no such table: Dict"):
        list(find_shelf(place).pairs())


def test_what_is_not_there_or_no_shelf(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="no shelf is there"):
        find_shelf(tmp_path / "none")
    with pytest.raises(SourceUnreadable, match="no shelf is there"):
        find_shelf(tmp_path / "none.db")
    with pytest.raises(SourceUnreadable, match="File name too long"):
        find_shelf(tmp_path / ("x" * 300))
    (tmp_path / "text").write_text("not a shelf")
    with pytest.raises(SourceUnreadable, match="no shelf of a known form"):
        find_shelf(tmp_path / "text")
    (tmp_path / "empty").touch()
    with pytest.raises(SourceUnreadable, match="no shelf of a known form"):
        find_shelf(tmp_path / "empty")


def test_files_that_vanish(copy: Path) -> None:
    for directory, name in (("shelve", f"{SHELF}.dat"), ("shelve_gnu", SHELF), ("shelve_ndbm", f"{SHELF}.db")):
        found = find_shelf(copy / directory / SHELF)
        (copy / directory / name).unlink()
        with pytest.raises(SourceUnreadable, match="No such file"):
            list(found.pairs())


# GNU dbm and Berkeley DB.


def test_the_imitation_of_ndbm_by_gnu(copy: Path) -> None:
    whole = dict(find_shelf(copy / "shelve_gnu" / SHELF).pairs())
    pages = copy / "imitation.pag"
    (copy / "shelve_gnu" / SHELF).rename(pages)
    (copy / "imitation.dir").touch()
    found = find_shelf(copy / "imitation")
    assert (found.format, len(found.files)) == ("dbm.ndbm", 2)
    assert dict(found.pairs()) == whole


@pytest.mark.parametrize(
    ("directory", "name"), [("shelve_hostile_gnu", SHELF), ("shelve_hostile_ndbm", f"{SHELF}.db")], ids=["gnu", "ndbm"]
)
def test_damage_is_told_or_does_no_harm(copy: Path, directory: str, name: str) -> None:
    """Whatever is overwritten: an error that says so, or pairs; never another exception, never an endless loop."""
    file = copy / directory / name
    whole = file.read_bytes()
    told = 0
    places = [*range(0, 128, 4), *range(128, len(whole), 197)]
    for number, place in enumerate(places):
        noise = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x0d\x00\x00\x7f")[number % 3]
        file.write_bytes(whole[:place] + noise + whole[place + 4 :])
        try:
            list(find_shelf(file).pairs())
        except SourceUnreadable:
            told += 1
    for length in range(64, len(whole), 1031):
        file.write_bytes(whole[:length])
        with pytest.raises(SourceUnreadable):
            list(find_shelf(file).pairs())
    assert told > 5


def test_the_other_byte_order(tmp_path: Path) -> None:
    """A file of GNU dbm with one pair, as a machine with the most significant byte first writes it."""
    bucket = struct.pack(">8x96xii", 0, 1) + struct.pack(">i4sqii", 7, b"k", 512, 1, 5)
    bucket += struct.pack(">i4sqii", -1, b"", 0, 0, 0)
    header = struct.pack(">IIqiiiiq", 0x13579ACF, 512, 64, 16, 1, len(bucket), 2, 518)
    content = header.ljust(64, b"\0") + struct.pack(">qq", 128, 128)
    place = tmp_path / "big"
    place.write_bytes(content.ljust(128, b"\0") + bucket.ljust(512 - 128, b"\0") + b"kvalue")
    assert list(find_shelf(place).pairs()) == [(b"k", b"value")]
    place.write_bytes(place.read_bytes()[:8] + struct.pack(">q", 1 << 40) + place.read_bytes()[16:])
    with pytest.raises(SourceUnreadable, match="is not in the file"):
        list(find_shelf(place).pairs())


def berkeley(pages: list[bytes], **header: int) -> bytes:
    first = struct.pack(
        "<8xIIIIBBBBIIIIII", 0, 0x061561, header.get("version", 9), header.get("page_size", 512),
        header.get("encrypted", 0), 8, header.get("flags", 0), 0, 0, len(pages), 0, 0, 0, 0,
    )  # fmt: skip
    return b"".join(page.ljust(512, b"\0") for page in [first, *pages])


def hash_page(*entries: bytes, kind: int = 13, count: int | None = None) -> bytes:
    places, end = [], 512
    for entry in entries:
        end -= len(entry)
        places.append(end)
    count = len(entries) if count is None else count
    head = struct.pack("<8xIIIHHBB", 1, 0, 0, count, end, 0, kind) + struct.pack(f"<{len(places)}H", *places)
    return head.ljust(end, b"\0") + b"".join(reversed(entries))


def test_pages_of_berkeley_db(tmp_path: Path) -> None:
    place = tmp_path / "shelf.db"
    chain = (
        struct.pack("<8xIIIHHBB", 2, 0, 3, 1, 4, 0, 7) + b"long",
        struct.pack("<8xIIIHHBB", 3, 0, 0, 1, 3, 0, 7) + b"er!",
    )
    off_page = struct.pack("<B3xII", 3, 2, 7)
    place.write_bytes(berkeley([hash_page(b"\x01k", off_page, b"\x01", b"\x01v"), *chain, b""]))
    assert list(find_shelf(place).pairs()) == [(b"k", b"longer!"), (b"", b"v")]
    for pages, header, why in (
        ([hash_page(b"\x01k", b"\x02v")], {}, "several values of a key"),
        ([hash_page(b"\x01k")], {}, "impossible number of entries"),
        ([hash_page(count=300)], {}, "impossible number of entries"),
        ([hash_page(b"\x01k", b"\x01v", count=4)], {}, "outside of itself"),
        ([hash_page(b"\x01k", struct.pack("<B3xII", 3, 1, 7))], {}, "does not go on with a long value"),
        ([hash_page(b"\x01k", struct.pack("<B3xII", 3, 9, 7))], {}, "is not in the file"),
        ([], {"version": 99}, "makes no sense"),
        ([], {"page_size": 1000}, "makes no sense"),
        ([], {"encrypted": 1}, "encrypted"),
        ([], {"flags": 1}, "encrypted"),
    ):
        place.write_bytes(berkeley(pages, **header))
        with pytest.raises(SourceUnreadable, match=why):
            list(find_shelf(place).pairs())
