"""Mach-O: 32 and 64 bit, both byte orders; of a universal file the first program that can be read."""

from __future__ import annotations

import struct
from typing import Final

from lading.supply_chain.inventory.programs.program import Program, ProgramDamaged, Segment

_UNIVERSAL: Final = b"\xca\xfe\xba\xbe"
_MAGICS: Final = {
    b"\xfe\xed\xfa\xce": (">", False),
    b"\xfe\xed\xfa\xcf": (">", True),
    b"\xce\xfa\xed\xfe": ("<", False),
    b"\xcf\xfa\xed\xfe": ("<", True),
}
_MOST_COMMANDS: Final = 4_096
_MOST_SECTIONS: Final = 4_096
# A Java class begins like a universal file, with its version where that has the number of programs: 45 or more.
_MOST_PROGRAMS: Final = 30
_WRITE: Final = 2


def read(content: bytes) -> Program:
    """The program; raises ProgramDamaged or struct.error."""
    if content[:4] != _UNIVERSAL:
        return _thin(content)
    count = struct.unpack_from(">I", content, 4)[0]
    if not 0 < count <= _MOST_PROGRAMS:
        raise ProgramDamaged("it is a Java class, or no universal file")
    offset, size = struct.unpack_from(">8xII", content, 8)
    return _thin(content[offset : offset + size])


def _thin(content: bytes) -> Program:
    if content[:4] not in _MAGICS:
        raise ProgramDamaged("it holds no Mach-O")
    order, wide = _MAGICS[content[:4]]
    commands = struct.unpack_from(f"{order}I", content, 16)[0]
    at = 32 if wide else 28
    sections: dict[str, tuple[int, int]] = {}
    segments: list[Segment] = []
    for _ in range(min(commands, _MOST_COMMANDS)):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        if size < 8:
            raise ProgramDamaged("a load command has no size")
        if kind == (0x19 if wide else 0x1):
            segments.append(_segment(content, order, wide, at, sections))
        at += size
    return Program(content, order, 8 if wide else 4, sections, segments)


def _segment(content: bytes, order: str, wide: bool, at: int, sections: dict[str, tuple[int, int]]) -> Segment:
    word = "Q" if wide else "I"
    address, _, offset, size, _, allowed, count = struct.unpack_from(f"{order}4{word}iiI", content, at + 24)
    first = at + (72 if wide else 56)
    for number in range(min(count, _MOST_SECTIONS)):
        name, length, start = struct.unpack_from(
            f"{order}16s16x{8 if wide else 4}x{word}I", content, first + number * (80 if wide else 68)
        )
        sections.setdefault(name.partition(b"\0")[0].decode("latin-1"), (start, length))
    return Segment(address, offset, size, bool(allowed & _WRITE))
