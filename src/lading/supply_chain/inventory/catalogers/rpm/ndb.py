"""`Packages.db`, RPM's own database ("ndb"): pages of slots in front, each pointing to a blob with head and tail.

All numbers are little endian; blocks are 16 bytes. A slot whose block is 0 is free.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from lading.supply_chain.inventory.catalogers.rpm.errors import DatabaseUnreadable

MAGIC: Final = b"RpmP"
_SLOT, _HEAD, _TAIL = b"Slot", b"BlbS", b"BlbE"
_PAGE: Final = 4_096
_BLOCK: Final = 16
_HEADER: Final = 32
_MOST_PAGES: Final = 4_096


def headers(content: bytes) -> Iterator[bytes]:
    """The headers in the order of their slots.

    Raises (while iterating):
        DatabaseUnreadable: it is damaged, or no database of rpm.
    """
    if len(content) < _HEADER or content[:4] != MAGIC:
        raise DatabaseUnreadable("it is no NDB database")
    version, _, pages = struct.unpack_from("<III", content, 4)
    if version != 0 or not 0 < pages <= _MOST_PAGES or pages * _PAGE > len(content):
        raise DatabaseUnreadable(f"version {version} with {pages} pages of slots in {len(content)} bytes")
    left = len(content)
    for magic, number, block, count in struct.iter_unpack("<4sIII", content[_HEADER : pages * _PAGE]):
        if magic != _SLOT:
            raise DatabaseUnreadable("a slot is damaged")
        if block == 0:
            continue
        left -= count * _BLOCK
        if left < 0:
            raise DatabaseUnreadable("its slots overlap")
        yield _blob(content, number, block * _BLOCK, count * _BLOCK)


def _blob(content: bytes, number: int, start: int, size: int) -> bytes:
    stored = content[start : start + size]
    if len(stored) != size or size < 28:
        raise DatabaseUnreadable(f"the header of package {number} lies outside: it is cut short")
    magic, named, _, length = struct.unpack_from("<4sIII", stored)
    if magic != _HEAD or named != number or -(-(length + 28) // _BLOCK) * _BLOCK != size:
        raise DatabaseUnreadable(f"the header of package {number} is damaged")
    # The tail stands at the end of the last block; what it sums goes up to there, padding included.
    checksum, again, end = struct.unpack_from("<II4s", stored, size - 12)
    if end != _TAIL or again != length or zlib.adler32(stored[: size - 12]) != checksum:
        raise DatabaseUnreadable(f"the header of package {number} does not match its checksum")
    return stored[16 : 16 + length]
