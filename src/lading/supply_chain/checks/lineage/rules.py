"""The rules about bases."""

from __future__ import annotations

from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.rule import Rule

BASE_OUTDATED: Final = Rule(
    id="base-outdated",
    kind="end-of-life",
    title="There is a newer base under the same tag",
    severity=Severity.MEDIUM,
    why="What was mended in the newer base is still wrong in this image.",
    remedy="Build it again from the newer base; `lading ship` takes it.",
    references=("CWE-1104",),
)
BASE_OLD: Final = Rule(
    id="base-old",
    kind="end-of-life",
    title="The base is old",
    severity=Severity.LOW,
    why="Nobody has built this base anew for half a year: fixes of its distribution since then are not in it.",
    remedy="Have the base built anew, and build the image from it.",
    references=("CWE-1104",),
)
BASE_CONTRADICTED: Final = Rule(
    id="base-contradicted",
    kind="misconfiguration",
    title="The image is not built on what it says",
    severity=Severity.MEDIUM,
    why="Its layers do not begin with those of the base that it names: the label is copied, squashed or forged.",
    remedy="Correct the label or annotation, or build from the base that is named.",
    references=("CWE-345",),
)

RULES: Final[tuple[Rule, ...]] = (BASE_OUTDATED, BASE_OLD, BASE_CONTRADICTED)
