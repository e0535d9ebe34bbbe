"""A program as those who look into it need it: named sections, and where a memory address lies in the file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field


class ProgramDamaged(ValueError):
    """The file is not what its first bytes say, or points outside of itself."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the file and the address at which it is put in memory."""

    address: int
    offset: int
    size: int
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Program:
    """`order` is `<` or `>`, as in struct, `width` the bytes of a pointer; sections are `(offset, size)` by name."""

    content: bytes
    order: str
    width: int
    sections: dict[str, tuple[int, int]] = field(default_factory=dict)
    segments: Sequence[Segment] = ()

    def section(self, name: str) -> bytes:
        """A section's bytes, as many as the file has; nothing when there is no such section."""
        offset, size = self.sections.get(name, (0, 0))
        return self.content[offset : offset + size]

    def at(self, address: int, size: int) -> bytes:
        """`size` bytes at a memory address; raises ProgramDamaged when the file does not have them."""
        for segment in self.segments:
            inside = address - segment.address
            if inside >= 0 and inside + size <= segment.size:
                found = self.content[segment.offset + inside : segment.offset + inside + size]
                if len(found) == size:
                    return found
        raise ProgramDamaged(f"address {address:#x} is not in the file")

    def pointer(self, address: int, width: int, order: str) -> int:
        """The pointer or length of `width` bytes at an address; raises ProgramDamaged."""
        return int(struct.unpack(f"{order}{'Q' if width == 8 else 'I'}", self.at(address, width))[0])
