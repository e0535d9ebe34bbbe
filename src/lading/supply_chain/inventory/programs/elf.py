"""ELF (System V ABI, gABI 4.1): 32 and 64 bit, both byte orders. Section headers may be many or missing."""

from __future__ import annotations

import struct
from typing import Final

from lading.supply_chain.inventory.programs.program import Program, ProgramDamaged, Segment

_MOST: Final = 20_000
_LOAD: Final = 1
_WRITE: Final = 2
_NO_BITS: Final = 8
_BIG_INDEX: Final = 0xFFFF


def read(content: bytes) -> Program:
    """The program; raises ProgramDamaged or struct.error."""
    wide = content[4] == 2 if len(content) > 6 else False
    order = ">" if content[5:6] == b"\2" else "<"
    head = struct.unpack_from(order + ("16xHHIQQQIHHHHHH" if wide else "16xHHIIIIIHHHHHH"), content)
    segment_at, section_at = head[4], head[5]
    segment_size, segments, section_size, sections, names = head[8:13]
    return Program(
        content,
        order,
        8 if wide else 4,
        _sections(content, order, wide, section_at, section_size, sections, names),
        [
            segment
            for number in range(min(segments, _MOST))
            if (segment := _segment(content, order, wide, segment_at + number * segment_size)) is not None
        ],
    )


def _segment(content: bytes, order: str, wide: bool, at: int) -> Segment | None:
    if wide:
        kind, flags, offset, address, _, size = struct.unpack_from(f"{order}IIQQQQ", content, at)
    else:
        kind, offset, address, _, size, _, flags = struct.unpack_from(f"{order}IIIIIII", content, at)
    return Segment(address, offset, size, bool(flags & _WRITE)) if kind == _LOAD else None


def _sections(
    content: bytes, order: str, wide: bool, at: int, size: int, count: int, names: int
) -> dict[str, tuple[int, int]]:
    if at == 0:
        return {}
    form = f"{order}IIQQQQI" if wide else f"{order}IIIIIII"
    first = struct.unpack_from(form, content, at)
    count = count or first[5]  # More than fit the header: the first section tells.
    names = first[6] if names == _BIG_INDEX else names
    if count > _MOST or names >= count:
        raise ProgramDamaged(f"it claims {count} sections")
    headers = [struct.unpack_from(form, content, at + number * size) for number in range(count)]
    strings = content[headers[names][4] : headers[names][4] + headers[names][5]]
    found: dict[str, tuple[int, int]] = {}
    for name, kind, _, _, offset, length, _ in headers:
        if kind != _NO_BITS:
            shown = strings[name : name + 64].partition(b"\0")[0].decode("latin-1")
            found.setdefault(shown, (offset, length))
    return found
