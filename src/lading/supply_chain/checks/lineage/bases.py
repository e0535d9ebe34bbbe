"""Judging the base of an image by what is known of it here; without a server nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.lineage.rules import BASE_CONTRADICTED, BASE_OLD, BASE_OUTDATED
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness

OLD_DAYS: Final = 180
_VERY_OLD_DAYS: Final = 365
_SHORT: Final = 19


def base_weaknesses(target: Target) -> Iterator[Weakness]:
    """The weaknesses of an image's base."""
    base = target.base
    if base is None:
        return
    name = base.name or base.digest[:_SHORT] or base.said
    if base.word == "contradicted":
        yield BASE_CONTRADICTED.found(
            f"it says that it is built on {base.said[:200]}, and its layers say that it is not"
        )
    if base.is_outdated:
        yield BASE_OUTDATED.found(f"{name} is {base.moved_to[:_SHORT]}… since {base.moved_at[:10]}")
    if base.age_days > OLD_DAYS:
        severity = Severity.MEDIUM if base.age_days > _VERY_OLD_DAYS else None
        yield BASE_OLD.found(f"{name} was made on {base.created[:10]}, {base.age_days} days ago", severity=severity)
