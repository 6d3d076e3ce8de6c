"""Files of GNU dbm, read without its library, which few builds of Python have.

A header names a directory of buckets (hashed, so that several places of it name the same bucket); a bucket has a
table of entries, each with the place of a key that its value follows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from .binaryfile import opened

# 64-bit offsets, in the byte order of the machine that wrote them; the second kind has a longer header.
_MAGIC = {struct.pack(f"{order}I", number): order for number in (0x13579ACF, 0x13579AD1) for order in "<>"}
_UNUSED = -1


def recognises(head: bytes) -> bool:
    """Tell whether a file that begins like that is one."""
    return head[:4] in _MAGIC


def pairs(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Read all keys and values.

    Raises:
        SourceUnreadable: the file is damaged.
    """
    with opened(path) as file:
        order = _MAGIC[file.at(0, 4)]
        directory, size, _, bucket_size, entries, end = file.fields(f"{order}qiiiiq", 8)
        if end > file.size:
            raise file.broken(f"it has {file.size} bytes of {end}")
        if size < 8 or size % 8 or entries < 1 or bucket_size < 112 + 24 * entries:
            raise file.broken("its header makes no sense")
        buckets = file.fields(f"{order}{size // 8}q", directory) if size <= file.size else ()
        for bucket in dict.fromkeys(buckets):
            file.at(bucket, bucket_size)
            for entry in range(entries):
                hashed, _, position, key_size, value_size = file.fields(f"{order}i4sqii", bucket + 112 + 24 * entry)
                if hashed != _UNUSED:
                    yield file.at(position, key_size), file.at(position + key_size, value_size)
