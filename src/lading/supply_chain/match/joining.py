"""What other tools told, joined with what was found here: one finding for each flaw in each package, and who told it.

Two speak of the same when they share a name of the flaw and mean the same package: by package URL without qualifiers,
or by name and version where a tool gives none. Pure: nothing is read or kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from lading.kernel.errors import InvalidInput
from lading.kernel.purl import PackageUrl
from lading.kernel.severity import Severity
from lading.supply_chain.foreign.report import Told
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.match.finding import Finding, worst_first

OWN: Final = "lading"


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A finding and the tools that reported it, Lading first where it found it too."""

    finding: Finding
    reported_by: tuple[str, ...]

    def document(self, owner: str = "") -> dict[str, Any]:
        """It as policies see it."""
        return self.finding.document(owner) | {"reported_by": list(self.reported_by)}


def join(own: Sequence[Finding], told: Iterable[tuple[str, Told]], packages: Iterable[Package] = ()) -> list[Joined]:
    """Findings of Lading and flaws by others (tool and flaw), without duplicates, worst first.

    Args:
        packages: those of the image's inventory, which say what layer and file a package came with.
    """
    rows = list(told)
    if not rows:
        return [Joined(finding=one, reported_by=(OWN,)) for one in own]
    groups = _Groups()
    for finding in own:
        groups.add(OWN, finding.names, _identity(finding.purl, finding.package, finding.version), finding)
    places = {_identity(one.purl, one.name, one.version): one for one in packages}
    for tool, flaw in rows:
        identity = _identity(flaw.purl, flaw.package, flaw.version)
        groups.add(tool, flaw.names, identity, _finding(tool, flaw, places.get(identity)))
    return sorted(groups.joined(), key=lambda one: worst_first(one.finding))


class _Groups:
    """Findings of one package that share a name, also through a third one."""

    def __init__(self) -> None:
        self._members: dict[int, list[tuple[str, Finding]]] = {}
        self._names: dict[int, set[tuple[Any, ...]]] = {}
        self._by_name: dict[tuple[Any, ...], int] = {}
        self._next = 0

    def add(self, tool: str, names: Sequence[str], identity: tuple[str, ...], finding: Finding) -> None:
        keys = {(identity, name) for name in names}
        touched = sorted({self._by_name[key] for key in keys if key in self._by_name})
        number = touched[0] if touched else self._next
        self._next += not touched
        members, known = self._members.setdefault(number, []), self._names.setdefault(number, set())
        for other in touched[1:]:
            members += self._members.pop(other)
            keys |= self._names.pop(other)
        members.append((tool, finding))
        known |= keys
        self._by_name |= dict.fromkeys(known, number)

    def joined(self) -> Iterable[Joined]:
        for members in self._members.values():
            own = [finding for tool, finding in members if tool == OWN]
            tools = sorted({tool for tool, _ in members} - {OWN})
            # What Lading found in several files of one package stays several findings.
            for finding in own or [_merged([finding for _, finding in members])]:
                yield Joined(finding=finding, reported_by=((OWN,) if own else ()) + tuple(tools))


def _merged(findings: Sequence[Finding]) -> Finding:
    """One finding of what several tools told: the CVE where one names it, the worst that one says, any fix."""
    names = sorted({name for one in findings for name in one.names})
    identity = next((name for prefix in ("CVE-", "GHSA-") for name in names if name.startswith(prefix)), findings[0].id)
    return msgspec.structs.replace(
        findings[0],
        id=identity,
        aliases=tuple(name for name in names if name != identity),
        severity=max((one.severity for one in findings), default=Severity.UNKNOWN),
        score=max(one.score for one in findings),
        fixed=next((one.fixed for one in findings if one.fixed), ""),
        summary=next((one.summary for one in findings if one.summary), ""),
    )


def _finding(tool: str, flaw: Told, package: Package | None) -> Finding:
    return Finding(
        id=flaw.id,
        package=flaw.package or (package.name if package else ""),
        version=flaw.version or (package.version if package else ""),
        purl=package.purl if package else flaw.purl,
        ecosystem=package.ecosystem if package else "",
        severity=flaw.severity,
        why=f"reported by {tool}",
        score=flaw.score,
        fixed=flaw.fixed,
        aliases=tuple(name for name in flaw.names if name != flaw.id),
        summary=flaw.message,
        source=package.source if package else "",
        layer=package.layer if package else "",
        path=package.path if package else flaw.file,
    )


def _identity(purl: str, name: str, version: str) -> tuple[str, ...]:
    try:
        parsed = PackageUrl.parse(purl)
    except InvalidInput:
        return (_plain(name), version)
    full = f"{parsed.namespace}/{parsed.name}" if parsed.namespace and parsed.type in ("npm", "golang") else parsed.name
    if parsed.type == "maven":
        full = f"{parsed.namespace}:{parsed.name}"
    # Names and versions, not types: a tool without package URLs must meet one that has them.
    return (_plain(full), parsed.version or version)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
