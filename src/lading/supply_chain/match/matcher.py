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
    """What is known of flaws beside the advisories that match, by id or alias: scores, exploitation, likelihood.

    `aliases` has every other name of a flaw, also those that only records about other packages tell.
    """

    severities: dict[str, tuple[float, int]] = field(default_factory=dict)
    exploited: frozenset[str] = frozenset()
    likelihoods: dict[str, float] = field(default_factory=dict)
    aliases: dict[str, frozenset[str]] = field(default_factory=dict)


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
    """Hits that speak of the same flaw under different names, joined: one finding for each flaw.

    A bulletin that covers several flaws leads to a finding for each of them.
    """
    groups = _groups(found, knowledge)
    return sorted((_finding(package, names, group, knowledge) for names, group in groups), key=lambda one: one.id)


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


def _groups(found: Sequence[Hit], knowledge: Knowledge) -> list[tuple[list[str], list[Hit]]]:
    """Names and hits of each flaw: joined where they share a name, also through a third one."""
    groups: dict[int, tuple[set[str], list[Hit]]] = {}
    number_of: dict[str, int] = {}
    told = [(one, flaw) for one in found for flaw in one.advisory.flaws]
    for number, (hit, flaw) in enumerate(told):
        names = set(flaw).union(*(knowledge.aliases.get(name, ()) for name in flaw))
        hits_here = [hit]
        for other in sorted({number_of[name] for name in names if name in number_of}):
            its_names, its_hits = groups.pop(other)
            names |= its_names
            hits_here = [*its_hits, *(one for one in hits_here if one not in its_hits)]
        groups[number] = names, hits_here
        number_of.update(dict.fromkeys(names, number))
    return [(sorted(names), hits_here) for names, hits_here in groups.values()]


def _finding(package: Package, names: Sequence[str], group: Sequence[Hit], knowledge: Knowledge) -> Finding:
    records = sorted((hit.advisory for hit in group), key=lambda one: one.id)
    identity = _preferred(names, records)
    score, severity, rated = _severity(records, names, knowledge)
    first = min(group, key=lambda hit: hit.advisory.id)
    return Finding(
        id=identity,
        package=package.name,
        version=package.version,
        purl=package.purl,
        ecosystem=package.ecosystem,
        severity=severity,
        score=score,
        rated=rated,
        epss=max((knowledge.likelihoods.get(name, 0.0) for name in names), default=0.0),
        kev=any(name in knowledge.exploited for name in names),
        why=f"{first.advisory.id}: {first.why}{_through(package)}",
        fixed=_fixed(package, records),
        aliases=tuple(name for name in names if name != identity),
        advisories=tuple(record.id for record in records),
        summary=next((record.summary for record in records if record.summary), ""),
        source=package.source,
        layer=package.layer,
        path=package.path,
    )


def _through(package: Package) -> str:
    """Which package the advisory speaks of, where that is not the installed one itself."""
    _, name, version = matched_as(package)
    return "" if name == package.name else f" (source package {name} {version})"


def _preferred(names: Sequence[str], records: Sequence[Advisory]) -> str:
    """The CVE that most of the records name; else the GHSA; else the first record's own id."""
    for prefix in ("CVE-", "GHSA-"):
        fitting = [name for name in names if name.startswith(prefix)]
        if fitting:
            return min(fitting, key=lambda name: (-sum(name in record.names for record in records), name))
    return records[0].id


def _severity(records: Sequence[Advisory], names: Sequence[str], knowledge: Knowledge) -> tuple[float, Severity, str]:
    """What the records about this flaw alone say; else what others say of it; else what bulletins say of the lot."""
    alone = [record for record in records if not record.covers]
    if found := _stated(alone):
        return found
    known = [knowledge.severities[name] for name in names if name in knowledge.severities]
    score = max((one[0] for one in known), default=0.0)
    level = Severity(max((one[1] for one in known), default=Severity.UNKNOWN))
    if score or level > Severity.UNKNOWN:
        return score, Severity.of_score(score) if score else level, "another record of the same flaw"
    if found := _stated([record for record in records if record.covers]):
        return found
    return 0.0, Severity.UNKNOWN, next((f"{one.id}: {one.rated}" for one in alone if one.rated), "")


def _stated(records: Sequence[Advisory]) -> tuple[float, Severity, str] | None:
    """The highest score, else the highest level, and which record has it; None when none of them says anything."""
    worst = max(records, key=lambda one: (one.score, one.severity), default=None)
    if worst is None or (not worst.score and worst.severity <= Severity.UNKNOWN):
        return None
    level = worst.severity if worst.severity > Severity.UNKNOWN else Severity.of_score(worst.score)
    return worst.score, level, f"{worst.id}: {worst.rated}" if worst.rated else worst.id


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
