"""Every rule about Dockerfiles. Numbers of the CIS Docker Benchmark are those of version 1.6.0."""

from __future__ import annotations

from typing import Final

from lading.supply_chain.checks.dockerfile import downloads, images, packages, rights, running, secrets
from lading.supply_chain.checks.dockerfile.file import BuildFile
from lading.supply_chain.checks.files.file_rule import FileRule
from lading.supply_chain.checks.rule import Rule

CHECKS: Final[tuple[FileRule[BuildFile], ...]] = (
    *images.CHECKS,
    *running.CHECKS,
    *packages.CHECKS,
    *downloads.CHECKS,
    *rights.CHECKS,
    *secrets.CHECKS,
)
RULES: Final[tuple[Rule, ...]] = tuple(one.rule for one in CHECKS)
