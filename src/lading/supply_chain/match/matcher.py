"""The centre of matching, without input or output: one package, the advisories of its name, and what is known of them.

Debian, Ubuntu and Alpine speak of source packages, so theirs are matched by source and source version; advisories of
rpm distributions name binary packages. A version that cannot be compared is taken as affected, and the finding says so:
what cannot be judged must be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.advisories.advisory import Advisory, Affected
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.ranges import fixes_above, why_affected
from lading.supply_chain.match.versions import ALPINE, RPM, Key, VersionInvalid, key_for

_MODULE: Final = ".module"
_BY_SOURCE: Final = frozenset({"Debian", "Ubuntu", *ALPINE})


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of flaws beside the advisories that match, by id or alias: scores, exploitation, likelihood."""

    severities: dict[str, tuple[float, int]] = field(default_factory=dict)
    exploited: frozenset[str] = frozenset()
    likelihoods: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """An advisory that matches a package, and why."""

    advisory: Advisory
    why: str


def matched_as(package: Package) -> tuple[str, str, str]:
    """Ecosystem, name and version under which advisories speak of a package."""
    if package.source and package.ecosystem.partition(":")[0] in _BY_SOURCE:
        return package.ecosystem, package.source, package.source_version
    return package.ecosystem, package.name, package.version


def hits(package: Package, advisories: Iterable[Advisory]) -> list[Hit]:
    """The advisories that concern a package, in their order. One provided by a distribution's package has none."""
    if package.provided_by:
        return []
    ecosystem, name, version = matched_as(package)
    found = []
    for advisory in advisories:
        if advisory.withdrawn:
            continue
        why = _why(advisory, ecosystem, name, version)
        if why:
            found.append(Hit(advisory, why))
    return found


def findings(package: Package, found: Sequence[Hit], knowledge: Knowledge) -> list[Finding]:
    """Hits that speak of the same flaw under different names, joined: one finding for each flaw."""
    return sorted((_finding(package, group, knowledge) for group in _groups(found)), key=lambda one: one.id)


def match(package: Package, advisories: Iterable[Advisory], knowledge: Knowledge) -> list[Finding]:
    """The findings of one package."""
    return findings(package, hits(package, advisories), knowledge)


def _why(advisory: Advisory, ecosystem: str, name: str, version: str) -> str:
    for affected in advisory.affected:
        if affected.name != name or affected.ecosystem != ecosystem or _of_another_stream(affected, version):
            continue
        try:
            why = why_affected(affected, version, key_for(ecosystem))
        except VersionInvalid as error:
            why = f"taken as affected: {error}"
        if why:
            return why
    return ""


def _of_another_stream(affected: Affected, version: str) -> bool:
    """Whether an entry speaks of builds for a module while the package is of the main stream, or the other way round.

    Modular distributions build the same package for several modules and for none, with versions that have no common
    order; the release says `.module` where it is for one.
    """
    if affected.ecosystem.partition(":")[0] not in RPM:
        return False
    fixed = [text for span in affected.ranges for kind, text in span.events if kind == "fixed"]
    return bool(fixed) and all((_MODULE in text) != (_MODULE in version) for text in fixed)


def _groups(found: Sequence[Hit]) -> list[list[Hit]]:
    """Hits joined by shared names, also through a third one."""
    groups: list[tuple[set[str], list[Hit]]] = []
    for hit in found:
        names, members = set(hit.advisory.names), [hit]
        apart = []
        for group in groups:
            if names.isdisjoint(group[0]):
                apart.append(group)
            else:
                names |= group[0]
                members = group[1] + members
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _finding(package: Package, group: Sequence[Hit], knowledge: Knowledge) -> Finding:
    records = sorted((hit.advisory for hit in group), key=lambda one: one.id)
    names = sorted({name for record in records for name in record.names})
    identity = _preferred(names, records)
    score, severity = _severity(records, names, knowledge)
    first = min(group, key=lambda hit: hit.advisory.id)
    return Finding(
        id=identity,
        package=package.name,
        version=package.version,
        purl=package.purl,
        ecosystem=package.ecosystem,
        severity=severity,
        score=score,
        epss=max((knowledge.likelihoods.get(name, 0.0) for name in names), default=0.0),
        kev=any(name in knowledge.exploited for name in names),
        why=f"{first.advisory.id}: {first.why}",
        fixed=_fixed(package, records),
        aliases=tuple(name for name in names if name != identity),
        advisories=tuple(record.id for record in records),
        summary=next((record.summary for record in records if record.summary), ""),
        source=package.source,
        layer=package.layer,
        path=package.path,
    )


def _preferred(names: Sequence[str], records: Sequence[Advisory]) -> str:
    """The CVE that most of the records name; else the GHSA; else the first record's own id."""
    for prefix in ("CVE-", "GHSA-"):
        fitting = [name for name in names if name.startswith(prefix)]
        if fitting:
            return min(fitting, key=lambda name: (-sum(name in record.names for record in records), name))
    return records[0].id


def _severity(records: Sequence[Advisory], names: Sequence[str], knowledge: Knowledge) -> tuple[float, Severity]:
    """What the records say; where they say nothing, what others say of the same flaw."""
    score = max(record.score for record in records)
    if score:
        return score, Severity.of_score(score)
    stated = max(record.severity for record in records)
    if stated > Severity.UNKNOWN:
        return 0.0, stated
    known = [knowledge.severities[name] for name in names if name in knowledge.severities]
    score = max((one[0] for one in known), default=0.0)
    if score:
        return score, Severity.of_score(score)
    return 0.0, Severity(max((one[1] for one in known), default=Severity.UNKNOWN))


def _fixed(package: Package, records: Sequence[Advisory]) -> str:
    ecosystem, name, version = matched_as(package)
    about = [one for record in records for one in record.affected if (one.ecosystem, one.name) == (ecosystem, name)]
    try:
        key: Key = key_for(ecosystem)
        for candidate in fixes_above(about, version, key):
            if not any(why_affected(one, candidate, key) for one in about):
                return candidate
    except VersionInvalid:
        return ""
    return ""
