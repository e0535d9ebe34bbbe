"""Whether a scan passes: thresholds, rules and gaps come to one verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.report.result import ScanResult, Verdict

_MOST_NAMED = 3


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan must not have.

    Args:
        fail_on: findings and weaknesses of this severity and above, findings that nobody gave a severity too; None for
            no threshold.
        only_fixed: of findings, only what a newer version mends. Who makes the image can always mend a weakness.
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
    weak = [one for one in result.weaknesses if gate.fail_on is not None and one.severity >= gate.fail_on]
    gaps = result.gaps if gate.fail_on_gaps else ()
    reasons = []
    if counted and gate.fail_on is not None:
        named = _named(f"{one.id} in {one.package}" for one in counted)
        fixable = " with a fix" if gate.only_fixed else ""
        reasons.append(f"{len(counted)} findings{fixable} at or above {gate.fail_on.label}: {named}")
    if weak and gate.fail_on is not None:
        reasons.append(f"{len(weak)} weaknesses at or above {gate.fail_on.label}: {_named(one.rule for one in weak)}")
    if result.violations:
        rules = ", ".join(dict.fromkeys(one.rule for one in result.violations))
        reasons.append(f"refused by the rules {rules}")
    if gaps:
        reasons.append(f"{len(gaps)} gaps: {'; '.join(gaps[:_MOST_NAMED])[:500]}")
    verdict = Verdict(
        passed=not reasons,
        reasons=tuple(reasons),
        counted=(*(one.key for one in counted), *(one.key for one in weak)),
        gaps_refuse=gate.fail_on_gaps,
    )
    return msgspec.structs.replace(result, verdict=verdict)


def _named(names: Iterable[str]) -> str:
    """The first few of them, each once."""
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - _MOST_NAMED} more" if len(every) > _MOST_NAMED else ""
    return ", ".join(every[:_MOST_NAMED]) + more
