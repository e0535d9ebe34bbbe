"""Programs in layers: what form a file has by its first bytes, and where its sections lie. Nothing is ever run.

form_of(first bytes) -> elf | pe | macho -> opened(content, form) -> Program (sections, segments) -> catalogers
"""

from lading.supply_chain.inventory.programs.form import ELF, HEAD, MACHO, PE, form_of
from lading.supply_chain.inventory.programs.opening import opened
from lading.supply_chain.inventory.programs.program import Program, ProgramDamaged

__all__ = ["ELF", "HEAD", "MACHO", "PE", "Program", "ProgramDamaged", "form_of", "opened"]
