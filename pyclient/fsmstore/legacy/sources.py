"""The old stores that one import reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID, uuid5

from .backup import Backup
from .dump import DEFAULT_TABLE, DumpReader, TableName
from .errors import SourceUnreadable
from .items import Item
from .shelf import find_shelf
from .table import place_of, read_table

_IMPORTS = UUID("5d5b6e3a-3c0d-5a53-9d3f-6c1a3a3f6d0e")


class Sources:
    """Dumps, a table, a shelf: whatever is given.

    Args:
        dumps: files of plain SQL.
        dsn: the database that has the table.
        shelf: as it was given to ``shelve.open``.
        table: the table's name, in the database and in the dumps.

    Raises:
        SourceUnreadable: there is no shelf at that place.
    """

    def __init__(
        self, dumps: Sequence[Path], dsn: str | None, shelf: Path | None, table: TableName = DEFAULT_TABLE
    ) -> None:
        self._dumps = dumps
        self._dsn = dsn
        self._shelf = None if shelf is None else find_shelf(shelf)
        self._table = table

    def batch(self, machine: str) -> UUID:
        """Return the name of this import: the same for the same sources and machine, every time.

        A file is told by what is in it, a table by where it is.

        Raises:
            SourceUnreadable: a file cannot be read.
            psycopg.Error: the database cannot be reached.
        """
        parts = [f"machine {machine}", *(f"dump {_digest(path)}" for path in self._dumps)]
        if self._dsn is not None:
            parts.append(f"table {place_of(self._dsn, self._table)}")
        if self._shelf is not None:
            parts += [f"shelf {_digest(path)}" for path in self._shelf.files]
        return uuid5(_IMPORTS, "\n".join(parts))

    def items(self, backup: Backup | None = None) -> Iterator[Item]:
        """Read everything.

        Args:
            backup: takes a copy of each source first, of the table while it is read.

        Raises:
            SourceUnreadable: a source cannot be read to its end.
            psycopg.Error: the database cannot be reached, or went away.
            OSError: a copy cannot be written.
        """
        if backup is not None:
            for path in (*self._dumps, *(self._shelf.files if self._shelf else ())):
                backup.copy(path)
        reader = DumpReader(self._table)
        for path in self._dumps:
            yield from reader.read(path)
            if not reader.found:
                raise SourceUnreadable(f"{path}: nothing of a table {self._table} is in it: --table names another")
        if self._dsn is not None and backup is not None:
            with backup.writing(f"{self._table}.sql") as copy:
                yield from read_table(self._dsn, self._table, copy)
        elif self._dsn is not None:
            yield from read_table(self._dsn, self._table)
        if self._shelf is not None:
            yield from self._shelf.items()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error.strerror or error}") from error
    return digest.hexdigest()
