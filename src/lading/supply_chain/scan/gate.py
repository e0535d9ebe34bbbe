"""Whether a scan passes: thresholds, rules and gaps come to one verdict. Pure."""

from __future__ import annotations

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.report.result import ScanResult, Verdict

_MOST_NAMED = 3


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan must not have.

    Args:
        fail_on: findings of this severity and above, those that nobody gave a severity too; None for no threshold.
        only_fixed: of those, only what a newer version mends.
        fail_on_gaps: what could not be read or matched refuses: it may hide anything.
    """

    fail_on: Severity | None = None
    only_fixed: bool = False
    fail_on_gaps: bool = True


def judge(result: ScanResult, gate: Gate) -> ScanResult:
    """The result with its verdict."""
    counted = [
        one
        for one in result.findings
        if gate.fail_on is not None
        # Of unknown severity: nobody said that it is harmless.
        and (one.severity >= gate.fail_on or one.severity is Severity.UNKNOWN)
        and (one.fixed or not gate.only_fixed)
    ]
    gaps = result.gaps if gate.fail_on_gaps else ()
    reasons = []
    if counted and gate.fail_on is not None:
        more = f" and {len(counted) - _MOST_NAMED} more" if len(counted) > _MOST_NAMED else ""
        named = ", ".join(dict.fromkeys(f"{one.id} in {one.package}" for one in counted[:_MOST_NAMED]))
        fixable = " with a fix" if gate.only_fixed else ""
        reasons.append(f"{len(counted)} findings{fixable} at or above {gate.fail_on.label}: {named}{more}")
    if result.violations:
        rules = ", ".join(dict.fromkeys(one.rule for one in result.violations))
        reasons.append(f"refused by the rules {rules}")
    if gaps:
        reasons.append(f"{len(gaps)} gaps: {'; '.join(gaps[:_MOST_NAMED])[:500]}")
    verdict = Verdict(
        passed=not reasons,
        reasons=tuple(reasons),
        counted=tuple(one.key for one in counted),
        gaps_refuse=gate.fail_on_gaps,
    )
    return msgspec.structs.replace(result, verdict=verdict)
