"""Every rule about Compose files. Numbers of the CIS Docker Benchmark are those of version 1.6.0."""

from __future__ import annotations

from typing import Final

from lading.supply_chain.checks.compose import isolation, operation
from lading.supply_chain.checks.compose.file import ComposeFile
from lading.supply_chain.checks.files.file_rule import FileRule
from lading.supply_chain.checks.rule import Rule

CHECKS: Final[tuple[FileRule[ComposeFile], ...]] = (*isolation.CHECKS, *operation.CHECKS)
RULES: Final[tuple[Rule, ...]] = tuple(one.rule for one in CHECKS)
