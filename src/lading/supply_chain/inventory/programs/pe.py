"""Portable executables of Windows: 32 and 64 bit, always little endian. Section names have eight bytes at most."""

from __future__ import annotations

import struct
from typing import Final

from lading.supply_chain.inventory.programs.program import Program, ProgramDamaged, Segment

_WIDE: Final = 0x20B
_WRITE: Final = 0x80000000


def read(content: bytes) -> Program:
    """The program; raises ProgramDamaged or struct.error."""
    at = struct.unpack_from("<I", content, 0x3C)[0]
    if content[at : at + 4] != b"PE\0\0":
        raise ProgramDamaged("it is for DOS")
    count, optional = struct.unpack_from("<H", content, at + 6)[0], struct.unpack_from("<H", content, at + 20)[0]
    wide = struct.unpack_from("<H", content, at + 24)[0] == _WIDE
    base = struct.unpack_from("<Q" if wide else "<I", content, at + (48 if wide else 52))[0]
    sections: dict[str, tuple[int, int]] = {}
    segments = []
    for number in range(count):
        name, virtual, address, size, offset, flags = struct.unpack_from(
            "<8sIIII12xI", content, at + 24 + optional + 40 * number
        )
        used = min(size, virtual) or size
        sections.setdefault(name.partition(b"\0")[0].decode("latin-1"), (offset, used))
        segments.append(Segment(base + address, offset, size, bool(flags & _WRITE)))
    return Program(content, "<", 8 if wide else 4, sections, segments)
