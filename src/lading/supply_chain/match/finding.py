"""A finding: one flaw in one package of an image, whatever number of advisories speak of it."""

from __future__ import annotations

from typing import Any

import msgspec

from lading.kernel.severity import Severity


class Applied(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The VEX statement that decides about a finding. `sets_aside`: it does not count as long as this is said."""

    status: str
    sets_aside: bool
    author: str
    made: str
    until: str
    document: str
    statement: str
    justification: str = ""
    impact: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One flaw in one package.

    `id` is the CVE where there is one; `advisories` are the records that say so; `why` is the range of the first of
    them; `fixed` is the lowest version above the installed one that none of them calls affected, or empty. `score` is a
    CVSS score (0.0: nobody scored it), `rated` who said so, `epss` a probability. `layer` brought the package and
    `path` proves it.
    """

    id: str
    package: str
    version: str
    purl: str
    ecosystem: str
    severity: Severity
    why: str
    score: float = 0.0
    epss: float = 0.0
    kev: bool = False
    fixed: str = ""
    aliases: tuple[str, ...] = ()
    advisories: tuple[str, ...] = ()
    summary: str = ""
    source: str = ""
    layer: str = ""
    path: str = ""
    rated: str = ""
    vex: Applied | None = None

    @property
    def is_set_aside(self) -> bool:
        """Whether somebody answers for it that it does not matter here."""
        return self.vex is not None and self.vex.sets_aside

    @property
    def key(self) -> str:
        """What identifies it within an image, as facts carry it: `ADVISORY@purl`."""
        return f"{self.id}@{self.purl}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every id by which somebody may ask for it."""
        return tuple(dict.fromkeys((self.id, *self.aliases, *self.advisories)))

    def document(self, owner: str = "") -> dict[str, Any]:
        """It as policies see it."""
        return {
            "id": self.id,
            "aliases": list(self.aliases),
            "severity": self.severity.label,
            "rank": int(self.severity),
            "score": self.score,
            "rated": self.rated,
            "epss": self.epss,
            "kev": self.kev,
            "package": self.package,
            "version": self.version,
            "fixed": self.fixed,
            "purl": self.purl,
            "ecosystem": self.ecosystem,
            "layer": self.layer,
            "owner": owner,
            "path": self.path,
            "why": self.why,
            "summary": self.summary,
            "vex": msgspec.to_builtins(self.vex) if self.vex else {},
        }


def worst_first(finding: Finding) -> tuple[Any, ...]:
    """The order in which people read findings."""
    return (
        not finding.kev,
        -finding.severity,
        -finding.score,
        -finding.epss,
        finding.package,
        finding.id,
        finding.purl,
    )
