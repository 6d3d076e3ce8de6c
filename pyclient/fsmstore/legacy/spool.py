"""What was read, kept in a file that nobody else sees, so that both passes over it see the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from .items import Item

# The row to which the old store wrote what belonged to other sessions. The database judges those by it.
SHARED_SESSION = "default_fsm_session"


@contextmanager
def spooling(machine: str) -> Iterator[Spool]:
    """Open a spool for items of that machine; what it holds is gone when the block ends."""
    with tempfile.TemporaryFile(prefix="fsmstore-") as file:
        yield Spool(cast("BinaryIO", file), machine)


class Spool:
    """Items by session, in the order in which the sessions first came.

    Args:
        file: empty, for this alone.
        machine: the machine that the sessions become one of.
    """

    def __init__(self, file: BinaryIO, machine: str) -> None:
        self._machine = machine
        self._file = file
        self._places: dict[str, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, item: Item) -> None:
        """Keep an item."""
        text = item.text(self._machine).encode()
        self._places.setdefault(item.session_id, []).append((self._file.seek(0, 2), len(text)))
        self._file.write(text)

    def shared(self) -> list[str]:
        """Return the items that must go along with all others."""
        return self._texts(SHARED_SESSION)

    def chunks(self, items: int, characters: int) -> Iterator[tuple[int, list[str]]]:
        """Return the other items as texts, so many and so long at a time at most, those of a session together.

        Each time it is told how many sessions they are.
        """
        sessions, chunk, length = 0, list[str](), 0
        for session_id in self._places:
            if session_id == SHARED_SESSION:
                continue
            texts = self._texts(session_id)
            size = sum(map(len, texts))
            if chunk and (len(chunk) + len(texts) > items or length + size > characters):
                yield sessions, chunk
                sessions, chunk, length = 0, [], 0
            sessions, length = sessions + 1, length + size
            chunk += texts
        if chunk or SHARED_SESSION in self._places:
            yield sessions, chunk

    def _texts(self, session_id: str) -> list[str]:
        texts = []
        for place, size in self._places.get(session_id, ()):
            self._file.seek(place)
            texts.append(self._file.read(size).decode())
        return texts
