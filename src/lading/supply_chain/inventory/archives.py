"""Zip archives inside layers (jars, eggs), read in memory within bounds: names first, then only the members wanted.

Between a layer's files and the catalogers of archives. An archive is hostile until shown otherwise: sizes in headers
are not believed, a member is inflated up to a bound and no further, nothing is unpacked to a disk. Format: PKWARE
APPNOTE 6.3, with zip64; programs before the archive (`#!/bin/sh` of executable jars) are allowed for.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lading.supply_chain.inventory.limits import MIB

_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT: Final = 65_535
_NOT_HERE: Final = 0xFFFFFFFF
_STORED: Final = 0
_DEFLATED: Final = 8
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800


class ArchiveDamaged(Exception):
    """An archive, or a member of it, cannot be read; `str` of it says why. It never leaves the catalogers."""


@dataclass(slots=True)
class ArchiveBudget:
    """What an archive and all archives in it may cost together."""

    names: int = 500_000
    inflated: int = 512 * MIB
    member: int = 128 * MIB

    def spend_name(self) -> None:
        """One more name was read; raises ArchiveDamaged beyond the bound."""
        self.names -= 1
        if self.names < 0:
            raise ArchiveDamaged("it has too many members")


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of an archive, as the central directory has it. Sizes are what it says, not what is there."""

    name: str
    method: int
    flags: int
    stored: int
    size: int
    at: int


@dataclass(slots=True)
class Archive:
    """An archive in memory; raises ArchiveDamaged when it is none."""

    content: memoryview
    budget: ArchiveBudget = field(default_factory=ArchiveBudget)
    _start: int = 0
    _size: int = 0
    _shift: int = 0

    def __post_init__(self) -> None:
        self._start, self._size, self._shift = _directory(self.content)

    def entries(self) -> Iterator[Entry]:
        """Every member, in the order of the central directory; raises ArchiveDamaged where that is damaged."""
        at, end = self._start, self._start + self._size
        while at + _CENTRAL.size <= end:
            found = _CENTRAL.unpack_from(self.content, at)
            if found[0] != b"PK\x01\x02":
                raise ArchiveDamaged("its directory is damaged")
            self.budget.spend_name()
            flags, method = found[3], found[4]
            stored, size, offset = found[8], found[9], found[16]
            after = at + _CENTRAL.size
            name = bytes(self.content[after : after + found[10]])
            extra = self.content[after + found[10] : after + found[10] + found[11]]
            if _NOT_HERE in (stored, size, offset):
                stored, size, offset = _long_sizes(extra, stored, size, offset)
            text = name.decode("utf-8" if flags & _UTF8 or name.isascii() else "cp437", "replace")
            yield Entry(text, method, flags, stored, size, offset + self._shift)
            at = after + found[10] + found[11] + found[12]

    def read(self, entry: Entry, most: int = 128 * MIB) -> memoryview:
        """The content of a member, at most `most` bytes; raises ArchiveDamaged for more, and for what is damaged."""
        most = min(most, self.budget.member)
        if entry.flags & _ENCRYPTED:
            raise ArchiveDamaged(f"{entry.name[:200]} is encrypted")
        if entry.at + _LOCAL.size > len(self.content):
            raise ArchiveDamaged(f"{entry.name[:200]} lies outside the archive")
        local = _LOCAL.unpack_from(self.content, entry.at)
        start = entry.at + _LOCAL.size + local[9] + local[10]
        stored = self.content[start : start + entry.stored]
        if local[0] != b"PK\x03\x04" or len(stored) != entry.stored:
            raise ArchiveDamaged(f"{entry.name[:200]} is damaged")
        if entry.method == _STORED:
            if len(stored) > most:
                raise ArchiveDamaged(f"{entry.name[:200]} has more than {most} bytes")
            return stored
        if entry.method != _DEFLATED:
            raise ArchiveDamaged(f"{entry.name[:200]} is packed by method {entry.method}, which is not read")
        return memoryview(self._inflated(entry, stored, most))

    def _inflated(self, entry: Entry, stored: memoryview, most: int) -> bytes:
        bound = min(most, self.budget.inflated)
        inflater = zlib.decompressobj(-15)
        try:
            content = inflater.decompress(stored, bound + 1)
        except zlib.error as error:
            raise ArchiveDamaged(f"{entry.name[:200]} is damaged") from error
        self.budget.inflated -= min(len(content), bound)
        if len(content) > bound:
            raise ArchiveDamaged(f"{entry.name[:200]} inflates to more than {bound} bytes")
        if not inflater.eof:
            raise ArchiveDamaged(f"{entry.name[:200]} is cut short")
        return content


def _directory(content: memoryview) -> tuple[int, int, int]:
    """Where the central directory starts, its size, and by how much the offsets in it are to be moved."""
    tail = bytes(content[-(_END.size + _LONGEST_COMMENT) :])
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise ArchiveDamaged("it is no zip archive, or is cut short")
    end_at = len(content) - len(tail) + at
    found = _END.unpack_from(content, end_at)
    if found[1] or found[2]:
        raise ArchiveDamaged("it is a part of several")
    size, offset = found[5], found[6]
    if _NOT_HERE in (size, offset) or found[4] == 0xFFFF:
        long = _long_end(content, end_at)
        if long is not None:
            size, offset, end_at = long
    start = end_at - size
    if start < 0 or offset > start:
        raise ArchiveDamaged("its directory lies outside it")
    return start, size, start - offset


def _long_end(content: memoryview, end_at: int) -> tuple[int, int, int] | None:
    at = end_at - _LOCATOR.size
    if at < _END64.size or bytes(content[at : at + 4]) != b"PK\x06\x07":
        return None
    end_at = at - _END64.size
    found = _END64.unpack_from(content, end_at)
    if found[0] != b"PK\x06\x06":
        raise ArchiveDamaged("its zip64 directory is damaged")
    return found[8], found[9], end_at


def _long_sizes(extra: memoryview, stored: int, size: int, offset: int) -> tuple[int, int, int]:
    """Sizes from the zip64 field, which has those that did not fit, in the order size, stored size, offset."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            size = next(numbers, size) if size == _NOT_HERE else size
            stored = next(numbers, stored) if stored == _NOT_HERE else stored
            offset = next(numbers, offset) if offset == _NOT_HERE else offset
            break
        at += 4 + length
    return stored, size, offset
