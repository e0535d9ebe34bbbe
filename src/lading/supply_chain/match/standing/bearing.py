"""What a flaw comes to where it is: pure, so that the kept rows and those worked out for some images are the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.match.finding import Finding

ALL: Final = "*"
_MOST_ECOSYSTEMS: Final = 20


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """A flaw as it stands for somebody. `seen` is RFC 3339, empty where nobody knows; `ecosystems` without releases."""

    flaw: str
    running: bool
    exploited: bool
    fixable: bool
    severity: Severity
    epss: float
    seen: str
    ecosystems: tuple[str, ...]

    @property
    def urgency(self) -> str:
        """What matters first sorts first: what runs, is exploited and can be mended; then severity, likelihood, age.

        It ends with the flaw, so that no two are the same.
        """
        signs = "".join("01"[not one] for one in (self.running, self.exploited, self.fixable))
        likely = 10_000 - round(min(max(self.epss, 0.0), 1.0) * 10_000)
        return f"{signs}{9 - int(self.severity)}{likely:05d}{self.seen[:19] or '9'} {self.flaw}"


class Flawed(msgspec.Struct, frozen=True):
    """A flaw of a package, and when it was first seen in it."""

    finding: Finding
    seen: str


@dataclass(slots=True)
class _Sum:
    running: bool = False
    found: dict[int, Flawed] = field(default_factory=dict)


class Bearings:
    """Adds up where flaws are."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str], _Sum] = {}

    def add(self, flaw: str, package: int, flawed: Flawed, team: str, owner: str, running: bool) -> None:
        """The flaw is in a package (its number) that images of the team have, in a layer of the owner."""
        for key in ((flaw, team, owner), (flaw, team, ALL), (flaw, ALL, owner), (flaw, ALL, ALL)):
            total = self._sums.setdefault(key, _Sum())
            total.running = total.running or running
            total.found[package] = flawed

    def rows(self) -> Iterable[tuple[str, str, Stands]]:
        """Team, owner and how the flaw stands for them."""
        for (flaw, team, owner), total in self._sums.items():
            yield team, owner, stands(flaw, total.found.values(), total.running)


def stands(flaw: str, some: Iterable[Flawed], running: bool) -> Stands:
    """One flaw over all packages that have it; at least one."""
    found = list(some)
    ecosystems = sorted({one.finding.ecosystem.partition(":")[0] for one in found} - {""})
    return Stands(
        flaw=flaw,
        running=running,
        exploited=any(one.finding.kev for one in found),
        fixable=any(one.finding.fixed for one in found),
        severity=max(one.finding.severity for one in found),
        epss=max(one.finding.epss for one in found),
        seen=min((one.seen for one in found if one.seen), default=""),
        ecosystems=tuple(ecosystems[:_MOST_ECOSYSTEMS]),
    )


def together(some: Sequence[Stands]) -> Stands:
    """One flaw as it stands for several; at least one."""
    return Stands(
        flaw=some[0].flaw,
        running=any(one.running for one in some),
        exploited=any(one.exploited for one in some),
        fixable=any(one.fixable for one in some),
        severity=max(one.severity for one in some),
        epss=max(one.epss for one in some),
        seen=min((one.seen for one in some if one.seen), default=""),
        ecosystems=tuple(sorted({name for one in some for name in one.ecosystems})),
    )
