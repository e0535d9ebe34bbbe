"""Whether there are still fixes for what a target is made of, on the day on which it is checked.

Runtimes that a distribution's package brings are the distribution's to mend; only others are judged by their own days.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from lading.supply_chain.checks.rule import Rule
from lading.supply_chain.checks.support.calendar import Calendar, read_calendar
from lading.supply_chain.checks.support.rules import (
    DISTRIBUTION_ENDED,
    DISTRIBUTION_ENDS,
    RUNTIME_ENDED,
    RUNTIME_ENDS,
)
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.inventory.values import Package

SOON: Final = datetime.timedelta(days=90)
# Programs that are known by their content (`inventory.catalogers.wellknown`), and the library in every Go program.
_GENERIC: Final = "generic"
_GO: Final = ("Go", "stdlib")


class SupportCheck:
    """Judges by a calendar."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def __call__(self, target: Target) -> Iterator[Weakness]:
        """What of a target is past its end, or will be within 90 days."""
        today = target.at.astimezone(datetime.UTC).date()
        name, release = target.inventory.distribution, target.inventory.release
        found = self._calendar.distribution(name, release)
        if found is not None and (rule := _rule(found[1], today, DISTRIBUTION_ENDED, DISTRIBUTION_ENDS)):
            yield rule.found(_said(f"{name} {found[0]}", found[1], today))
        yield from self._runtimes(target, today)

    def _runtimes(self, target: Target, today: datetime.date) -> Iterator[Weakness]:
        told: set[tuple[str, str]] = set()
        for package in target.inventory.packages:
            name = _product(package)
            found = self._calendar.runtime(name, package.version) if name else None
            if found is None or (name, found[0]) in told:
                continue
            if rule := _rule(found[1], today, RUNTIME_ENDED, RUNTIME_ENDS):
                told.add((name, found[0]))
                message = _said(f"{name} {found[0]} ({package.version})", found[1], today)
                yield rule.found(message, file=package.path, layer=package.layer)


def support_weaknesses(target: Target) -> Iterator[Weakness]:
    """The weaknesses by our own calendar."""
    return SupportCheck(read_calendar())(target)


def _product(package: Package) -> str:
    if package.provided_by:
        return ""
    if (package.ecosystem, package.name) == _GO:
        return "go"
    return package.name if package.ecosystem == _GENERIC else ""


def _rule(end: datetime.date, today: datetime.date, ended: Rule, ends: Rule) -> Rule | None:
    if end < today:
        return ended
    return ends if end - today <= SOON else None


def _said(what: str, end: datetime.date, today: datetime.date) -> str:
    return f"{what} got its last fixes by {end}" if end < today else f"{what} gets fixes until {end} only"
