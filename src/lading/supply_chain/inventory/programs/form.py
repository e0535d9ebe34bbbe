"""Files that are programs, told by their first bytes: who looks into them wants to know their form, not their name."""

from __future__ import annotations

from typing import Final

HEAD: Final = 4
ELF: Final = "elf"
PE: Final = "pe"
MACHO: Final = "macho"
# A universal Mach-O shares its first bytes with Java classes (cafebabe): who reads them tells them apart.
_MACHO: Final = frozenset(
    {b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"}
)


def form_of(head: bytes) -> str:
    """`elf`, `pe`, `macho`, or nothing for what is no program."""
    if head == b"\x7fELF":
        return ELF
    if head[:2] == b"MZ":
        return PE
    return MACHO if head in _MACHO else ""
