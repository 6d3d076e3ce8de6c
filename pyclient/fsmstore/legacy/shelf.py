"""A shelf: which files it consists of, what wrote them, and its keys and values as bytes. Nothing is ever written."""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from . import berkeleydb, gdbm
from .errors import SourceUnreadable
from .items import Item, shelve_item

Pairs = Iterator[tuple[bytes, bytes]]
_SUFFIXES = (".dir", ".dat", ".bak", ".db", ".pag")


@dataclass(frozen=True, slots=True)
class Shelf:
    """A shelf that was found."""

    format: str
    """dbm.dumb, dbm.gnu, dbm.ndbm or dbm.sqlite3."""
    files: tuple[Path, ...]
    """All that belongs to it."""
    pairs: Callable[[], Pairs]
    """Reads its keys and values.

    Raises:
        SourceUnreadable: a file is not what it seems to be, or is not whole.
    """

    def items(self) -> Iterator[Item]:
        """Read it as items; what is wrong with one entry is that item's problem.

        Raises:
            SourceUnreadable: a file is not what it seems to be, or is not whole.
        """
        for key, value in self.pairs():
            yield shelve_item(key, value)


def find_shelf(path: Path) -> Shelf:
    """Find the shelf of that name, as it was given to ``shelve.open``, or by one of its files.

    What is in the files tells what wrote them, not what they are called.

    Raises:
        SourceUnreadable: there is none, or none that can be read.
    """
    # A name may itself end like one of a shelf's files, so it is taken as it is first.
    stems = [path, path.with_suffix("")] if path.suffix in _SUFFIXES else [path]
    refusal: SourceUnreadable | None = None
    for stem in stems:
        try:
            found = _found(stem)
        except SourceUnreadable as error:
            refusal = refusal or error
        except OSError as error:
            raise SourceUnreadable(f"{stem}: {error.strerror}") from error
        else:
            if found is not None:
                return found
    raise refusal or SourceUnreadable(
        f"{path}: no shelf is there. Looked for it as dbm.dumb, dbm.gnu, dbm.ndbm and dbm.sqlite3 write one"
    )


def _found(stem: Path) -> Shelf | None:
    directory, data, backup, pages = (_beside(stem, suffix) for suffix in (".dir", ".dat", ".bak", ".pag"))
    if data.is_file() and (directory.is_file() or backup.is_file()):
        files = tuple(file for file in (directory, data, backup) if file.is_file())
        # Its own writer moves the directory to .bak before it writes a new one: a crash leaves it there.
        index = directory if directory.is_file() else backup
        return Shelf("dbm.dumb", files, lambda: _dumb(index, data))
    for file in (stem, _beside(stem, ".db"), pages):
        if file.is_file():
            return _one_file(file, directory if file == pages and directory.is_file() else None)
    return None


def _one_file(file: Path, index: Path | None) -> Shelf:
    with file.open("rb") as opened:
        head = opened.read(64)
    if head.startswith(b"SQLite format 3\0"):
        logs = [_beside(file, suffix) for suffix in ("-wal", "-journal")]
        files = (file, *(log for log in logs if log.is_file()))
        return Shelf("dbm.sqlite3", files, lambda: _sqlite(files))
    if gdbm.recognises(head):
        # The library's own imitation of ndbm: pages in one file, nothing of interest in the other.
        if index is not None:
            return Shelf("dbm.ndbm", (file, index), lambda: gdbm.pairs(file))
        return Shelf("dbm.gnu", (file,), lambda: gdbm.pairs(file))
    if berkeleydb.recognises(head):
        return Shelf("dbm.ndbm", (file,), lambda: berkeleydb.pairs(file))
    raise SourceUnreadable(
        f"{file}: this is no shelf of a known form; copy it to dbm.dumb with the Python that wrote it"
    )


def _beside(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def _dumb(index: Path, data: Path) -> Pairs:
    """Read the directory, whose lines are ``'key', (position, size)`` in Latin-1, and from the data what it names."""
    try:
        entries: dict[bytes, tuple[int, int]] = {}
        for number, line in enumerate(index.read_bytes().decode("latin-1").split("\n"), start=1):
            if line.strip():
                key, position, size = _entry(line.strip(), f"{index}, line {number}")
                entries[key] = position, size  # a key that comes again was written again
        with data.open("rb") as values:
            for key, (position, size) in entries.items():
                yield key, _value(values, position, size)
    except OSError as error:
        raise SourceUnreadable(f"{error.filename or index}: {error}") from error


def _entry(line: str, place: str) -> tuple[bytes, int, int]:
    try:
        key, (position, size) = ast.literal_eval(line)
        if isinstance(position, int) and isinstance(size, int) and position >= 0 and size >= 0:
            return key.encode("latin-1"), position, size
    except (ValueError, SyntaxError, TypeError, AttributeError, MemoryError, RecursionError):
        pass  # told below, as a line of any other form is
    raise SourceUnreadable(f"{place}: this is not 'key', (position, size)")


def _value(file: BinaryIO, position: int, size: int) -> bytes:
    # The file may be shorter than it should be. Then so is the value, which cannot be unpickled, and is kept as it is.
    end = file.seek(0, 2)
    file.seek(min(position, end))
    return file.read(min(size, end))


def _sqlite(files: tuple[Path, ...]) -> Pairs:
    try:
        import sqlite3  # not every Python has it, and no other shelf needs it
    except ImportError as error:
        raise SourceUnreadable(f"{files[0]}: this Python cannot read it: {error}") from error
    with ExitStack() as stack:
        database, options = files[0], "mode=ro&immutable=1"
        if len(files) > 1:
            # Its newest entries are in a log, which SQLite would write into the database: into a copy, then.
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fsmstore-")))
            for file in files:
                shutil.copyfile(file, place / file.name)
            database, options = place / database.name, "mode=rw"
        try:
            with closing(sqlite3.connect(f"{database.resolve().as_uri()}?{options}", uri=True)) as connection:
                for key, value in connection.execute("select cast(key as blob), cast(value as blob) from Dict"):
                    yield key, b"" if value is None else value
        except sqlite3.Error as error:
            raise SourceUnreadable(f"{files[0]}: {error}") from error
