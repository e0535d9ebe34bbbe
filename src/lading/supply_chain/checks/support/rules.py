"""The rules about the end of support."""

from __future__ import annotations

from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.rule import Rule

_WHY: Final = "Flaws are still found in it, and nobody mends them: it grows weaker without any change."
DISTRIBUTION_ENDED: Final = Rule(
    id="support-distribution-ended",
    kind="end-of-life",
    title="The release of the distribution gets no more fixes",
    severity=Severity.HIGH,
    why=_WHY,
    remedy="Build from a release that is supported.",
    references=("CWE-1104",),
)
DISTRIBUTION_ENDS: Final = Rule(
    id="support-distribution-ends-soon",
    kind="end-of-life",
    title="The release of the distribution soon gets no more fixes",
    severity=Severity.LOW,
    why=_WHY,
    remedy="Plan the move to a newer release.",
    references=("CWE-1104",),
)
RUNTIME_ENDED: Final = Rule(
    id="support-runtime-ended",
    kind="end-of-life",
    title="A runtime or library gets no more fixes",
    severity=Severity.MEDIUM,
    why=_WHY,
    remedy="Move to a version that is supported.",
    references=("CWE-1104",),
)
RUNTIME_ENDS: Final = Rule(
    id="support-runtime-ends-soon",
    kind="end-of-life",
    title="A runtime or library soon gets no more fixes",
    severity=Severity.LOW,
    why=_WHY,
    remedy="Plan the move to a newer version.",
    references=("CWE-1104",),
)

RULES: Final[tuple[Rule, ...]] = (DISTRIBUTION_ENDED, DISTRIBUTION_ENDS, RUNTIME_ENDED, RUNTIME_ENDS)
