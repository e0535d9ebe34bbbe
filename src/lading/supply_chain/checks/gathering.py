"""All that is weak about something: every check asked once, the same for a server and for a scan.

A check is a pure function from what is checked to weaknesses. A new one is a line in `CHECKS`; its rules are in the
catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from lading.supply_chain.checks.image import image_weaknesses
from lading.supply_chain.checks.licences import LicenceCheck, read_licence_policy
from lading.supply_chain.checks.lineage import base_weaknesses
from lading.supply_chain.checks.secrets import secret_weaknesses
from lading.supply_chain.checks.support import SupportCheck, read_calendar, support_weaknesses
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness

Check = Callable[[Target], Iterable[Weakness]]
CHECKS: Final[tuple[Check, ...]] = (image_weaknesses, secret_weaknesses, support_weaknesses, base_weaknesses)
_MOST_OF_A_RULE: Final = 200


def checks_with(*, licences: Path | None = None, support: Path | None = None) -> tuple[Check, ...]:
    """Every check, with what an organisation brings of its own.

    Args:
        licences: file of a policy on licences; without one none of them is weak.
        support: file of days of support that correct ours.

    Raises:
        InvalidInput: a file cannot be read.
    """
    checks = tuple(one for one in CHECKS if one is not support_weaknesses)
    by_licence = (LicenceCheck(read_licence_policy(licences)),) if licences is not None else ()
    return (*checks, SupportCheck(read_calendar(support)), *by_licence)


def gather(target: Target, checks: Sequence[Check] = CHECKS) -> tuple[Weakness, ...]:
    """Every weakness once, worst first. Of one rule 200 are listed at most, and one more says how many others."""
    found = {one.key: one for check in checks for one in check(target)}
    by_rule: dict[str, list[Weakness]] = {}
    for one in sorted(found.values(), key=worst_first):
        by_rule.setdefault(one.rule, []).append(one)
    return tuple(sorted((one for some in by_rule.values() for one in _bounded(some)), key=worst_first))


def worst_first(one: Weakness) -> tuple[Any, ...]:
    """The order in which people read weaknesses."""
    return -one.severity, one.kind, one.rule, one.file, one.line, one.message


def _bounded(some: list[Weakness]) -> list[Weakness]:
    if len(some) <= _MOST_OF_A_RULE:
        return some
    first = some[_MOST_OF_A_RULE]
    message = f"{len(some) - _MOST_OF_A_RULE} more places are not listed"
    return [*some[:_MOST_OF_A_RULE], msgspec.structs.replace(first, message=message, file="", line=0, layer="")]
