"""Copies of the sources, made before anything is imported: each is whole or not there."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast


class Backup:
    """A directory of copies. What lies in it already is never written over.

    Args:
        directory: made if it is not there, then for its owner only.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self.files: list[Path] = []
        """The copies."""

    def copy(self, path: Path) -> None:
        """Copy a file."""
        with path.open("rb") as source, self.writing(path.name) as copy:
            shutil.copyfileobj(source, copy)

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Open a copy for writing; it gets its name when the block ends well, and is on the disk then.

        If there is one of that name already it stays: the same content is not kept twice, another gets a number.
        """
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self._directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield cast("IO[bytes]", file)
                file.flush()
                os.fsync(file.fileno())
            self.files.append(self._named(Path(temporary), name))
        finally:
            Path(temporary).unlink(missing_ok=True)
        self._sync()

    def _named(self, temporary: Path, name: str) -> Path:
        number, target = 1, self._directory / name
        while target.exists():
            if filecmp.cmp(temporary, target, shallow=False):
                return target
            number, target = number + 1, self._directory / f"{name}.{number + 1}"
        return temporary.rename(target)

    def _sync(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
