"""Hash files of Berkeley DB, which is what dbm.ndbm writes on most systems, read without its library.

Every page says what it is. Those of the hash's kind hold keys and values in turn; one that is too long for a page is
in a chain of overflow pages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from .binaryfile import BinaryFile, opened

_MAGIC = 0x061561
_VERSIONS = range(7, 11)
_UNSORTED_HASH, _OVERFLOW, _HASH = 2, 7, 13
_PAGE_HEADER = 26
_ON_PAGE, _OFF_PAGE = 1, 3


def recognises(head: bytes) -> bool:
    """Tell whether a file that begins like that is one."""
    return _order(head) is not None


def pairs(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Read all keys and values.

    Raises:
        SourceUnreadable: the file is damaged, encrypted, or has several values of a key.
    """
    with opened(path) as file:
        order = _order(file.at(0, 64)) or "<"
        version, page_size, encrypted, _, flags, _, _, last = file.fields(f"{order}IIBBBBII", 16)
        if version not in _VERSIONS or page_size not in (1 << bits for bits in range(9, 17)):
            raise file.broken("its header makes no sense")
        if encrypted or flags:
            raise file.broken("it is encrypted, or has checksums or partitions")
        if (last + 1) * page_size > file.size:
            raise file.broken(f"it has {file.size} bytes of {(last + 1) * page_size}")
        for page in range(1, last + 1):
            kind = file.at(page * page_size + 25, 1)[0]
            if kind in (_HASH, _UNSORTED_HASH):
                found = _entries(file, order, page * page_size, page_size)
                yield from zip(found, found, strict=True)


def _order(head: bytes) -> str | None:
    """Return the sign of the byte order in which a file was written; None: it is none."""
    return next((order for order in "<>" if head[12:16] == struct.pack(f"{order}I", _MAGIC)), None)


def _entries(file: BinaryFile, order: str, start: int, page_size: int) -> Iterator[bytes]:
    """Read keys and values of a page in turn; each ends where the one before it begins, the first at the page's end."""
    (count,) = file.fields(f"{order}H", start + 20)
    if count % 2 or _PAGE_HEADER + 2 * count > page_size:
        raise file.broken(f"the page at byte {start} has an impossible number of entries")
    end = page_size
    for place in file.fields(f"{order}{count}H", start + _PAGE_HEADER):
        if not _PAGE_HEADER <= place < end:
            raise file.broken(f"the page at byte {start} has an entry outside of itself")
        kind, *_ = file.at(start + place, 1)
        if kind == _ON_PAGE:
            yield file.at(start + place + 1, end - place - 1)
        elif kind == _OFF_PAGE:
            page, size = file.fields(f"{order}II", start + place + 4)
            yield _chain(file, order, page, size, page_size)
        else:
            raise file.broken(f"the page at byte {start} has an entry of kind {kind}, such as several values of a key")
        end = place


def _chain(file: BinaryFile, order: str, page: int, size: int, page_size: int) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing > 0:
        start = page * page_size
        page, _, length, _, kind = file.fields(f"{order}IHHBB", start + 16)
        if kind != _OVERFLOW or not 0 < length <= missing:
            raise file.broken(f"the page at byte {start} does not go on with a long value")
        parts.append(file.at(start + _PAGE_HEADER, length))
        missing -= length
    return b"".join(parts)
