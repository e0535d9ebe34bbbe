"""From a program's form to its reader; what any of them trips over is damage of the file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from lading.supply_chain.inventory.programs import elf, macho, pe
from lading.supply_chain.inventory.programs.form import ELF, HEAD, MACHO, PE, form_of
from lading.supply_chain.inventory.programs.program import Program, ProgramDamaged

_READERS: Final[dict[str, Callable[[bytes], Program]]] = {ELF: elf.read, PE: pe.read, MACHO: macho.read}


def opened(content: bytes) -> Program:
    """The sections and segments of a program; raises ProgramDamaged."""
    reader = _READERS.get(form_of(content[:HEAD]))
    if reader is None:
        raise ProgramDamaged("it is no program")
    try:
        return reader(content)
    except struct.error as error:
        raise ProgramDamaged("its headers lie outside of the file") from error
