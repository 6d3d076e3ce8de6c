"""Reading at given places of a file of which nothing is certain."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import SourceUnreadable


class BinaryFile:
    """A file that is read at places which it names itself, and which may be wrong."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self.size = file.seek(0, 2)

    def at(self, position: int, size: int) -> bytes:
        """Return `size` bytes."""
        if position < 0 or size < 0 or position + size > self.size:
            raise self.broken(f"byte {position} to {position + size} is not in the file")
        self._file.seek(position)
        return self._file.read(size)

    def fields(self, layout: str, position: int) -> tuple[Any, ...]:
        """Return the fields of a structure, described as for ``struct``."""
        return struct.unpack(layout, self.at(position, struct.calcsize(layout)))

    def broken(self, why: str) -> SourceUnreadable:
        """Return the error for a file that is not what it seems."""
        return SourceUnreadable(f"{self._path}: {why}; it is damaged, or not written to its end")


@contextmanager
def opened(path: Path) -> Iterator[BinaryFile]:
    """Open a file for reading.

    Raises:
        SourceUnreadable: it cannot be opened or read.
    """
    try:
        with path.open("rb") as file:
            yield BinaryFile(file, path)
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error}") from error
