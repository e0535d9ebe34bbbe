"""The header of an installed package: an index of tags and a store of values, as RPM's file format has it (version 4).

    [magic] entries store-size (tag type offset count)… store

Databases leave the eight bytes of magic out; files have them. Both are read, whatever database it came from: readers
that insisted on one of them have told of images without a package.
"""

from __future__ import annotations

import struct
from typing import Final

NAME: Final = 1000
VERSION: Final = 1001
RELEASE: Final = 1002
EPOCH: Final = 1003
VENDOR: Final = 1011
LICENSE: Final = 1014
ARCHITECTURE: Final = 1022
OLD_FILE_NAMES: Final = 1027
SOURCE_RPM: Final = 1044
DIRECTORY_INDEXES: Final = 1116
BASE_NAMES: Final = 1117
DIRECTORY_NAMES: Final = 1118
MODULARITY_LABEL: Final = 5096

_MAGIC: Final = b"\x8e\xad\xe8\x01"
_MOST_TAGS: Final = 0xFFFF
_MOST_STORE: Final = 0x0FFFFFFF
_MOST_VALUES: Final = 0xFFFFF
_INT32, _STRING, _STRINGS, _TRANSLATED = 4, 6, 8, 9


class HeaderDamaged(ValueError):
    """The bytes are not a header, or a value that is asked for lies outside of it."""


class Header:
    """One header; values are looked up when asked for."""

    def __init__(self, blob: bytes) -> None:
        """Read the index; raises HeaderDamaged."""
        at = 8 if blob[:4] == _MAGIC else 0
        if len(blob) < at + 8:
            raise HeaderDamaged("it is too short")
        count, size = struct.unpack_from(">II", blob, at)
        begin = at + 8 + 16 * count
        if not 0 < count <= _MOST_TAGS or size > _MOST_STORE or begin + size > len(blob):
            raise HeaderDamaged(f"it claims {count} tags and {size} bytes")
        self._store = blob[begin : begin + size]
        self._tags: dict[int, tuple[int, int, int]] = {}
        for tag, kind, offset, values in struct.iter_unpack(">IIII", blob[at + 8 : begin]):
            self._tags.setdefault(tag, (kind, offset, values))

    def text(self, tag: int) -> str:
        """A text, the first of several; empty when there is none. Raises HeaderDamaged."""
        return next(iter(self._strings(tag, most=1)), "")

    def texts(self, tag: int) -> list[str]:
        """All texts of a tag; raises HeaderDamaged."""
        return self._strings(tag, most=_MOST_VALUES)

    def number(self, tag: int) -> int:
        """A number, the first of several; 0 when there is none. Raises HeaderDamaged."""
        return next(iter(self.numbers(tag)), 0)

    def numbers(self, tag: int) -> tuple[int, ...]:
        """All 32-bit numbers of a tag; raises HeaderDamaged."""
        kind, offset, count = self._tags.get(tag, (_INT32, 0, 0))
        if kind != _INT32 or count > _MOST_VALUES or offset + 4 * count > len(self._store):
            raise HeaderDamaged(f"tag {tag} is no number, or lies outside")
        return struct.unpack_from(f">{count}I", self._store, offset)

    def _strings(self, tag: int, most: int) -> list[str]:
        kind, offset, count = self._tags.get(tag, (_STRING, 0, 0))
        if kind not in (_STRING, _STRINGS, _TRANSLATED) or count > _MOST_VALUES:
            raise HeaderDamaged(f"tag {tag} is no text, or too many")
        found, at = [], offset
        for _ in range(min(count, most)):
            end = self._store.find(b"\0", at)
            if end < 0 or at >= len(self._store):
                raise HeaderDamaged(f"tag {tag} lies outside")
            found.append(self._store[at:end].decode("utf-8", "replace"))
            at = end + 1
        return found
