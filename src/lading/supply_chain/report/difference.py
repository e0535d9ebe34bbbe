"""What changed from one scan to another: packages, findings, layers, configuration, size. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from lading.kernel.errors import InvalidInput
from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.match.finding import Finding, worst_first
from lading.supply_chain.report.result import Layer, ScanResult


class PackageChange(msgspec.Struct, frozen=True, kw_only=True):
    """A package; `before` and `after` are its versions, empty where it is not there, several joined by commas."""

    ecosystem: str
    name: str
    before: str
    after: str


class SettingChange(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an engine runs the image with."""

    key: str
    before: Any = None
    after: Any = None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two scans, in short."""

    name: str
    kind: str
    digest: str
    packages: int
    findings: int
    size: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """From `before` to `after`. Findings that stay because their package only moved are neither opened nor closed."""

    before: Side
    after: Side
    packages: tuple[PackageChange, ...]
    opened: tuple[Finding, ...]
    closed: tuple[Finding, ...]
    layers_shared: int
    layers_added: tuple[Layer, ...]
    layers_removed: tuple[Layer, ...]
    settings: tuple[SettingChange, ...]

    @property
    def same(self) -> bool:
        """Whether nothing changed that a container or a reader of findings would notice."""
        return not (
            self.packages or self.opened or self.closed or self.settings or self.layers_added or self.layers_removed
        )


def compare(before: ScanResult, after: ScanResult) -> Difference:
    """The difference."""
    old, new = _flaws(before.findings), _flaws(after.findings)
    mine, theirs = {one.digest for one in before.layers}, {one.digest for one in after.layers}
    return Difference(
        before=_side(before),
        after=_side(after),
        packages=_packages(before.inventory.packages, after.inventory.packages),
        opened=tuple(sorted((one for key, one in new.items() if key not in old), key=worst_first)),
        closed=tuple(sorted((one for key, one in old.items() if key not in new), key=worst_first)),
        layers_shared=len(mine & theirs),
        layers_added=tuple(one for one in after.layers if one.digest not in mine),
        layers_removed=tuple(one for one in before.layers if one.digest not in theirs),
        settings=_settings(before.configuration, after.configuration),
    )


def _side(scan: ScanResult) -> Side:
    return Side(
        name=scan.name, kind=scan.kind, digest=scan.digest, packages=len(scan.inventory.packages),
        findings=len(scan.findings), size=scan.size,
    )  # fmt: skip


def _packages(before: Iterable[Package], after: Iterable[Package]) -> tuple[PackageChange, ...]:
    old, new = _versions(before), _versions(after)
    return tuple(
        PackageChange(
            ecosystem=key[0], name=key[1], before=", ".join(sorted(old.get(key, ()))),
            after=", ".join(sorted(new.get(key, ()))),
        )
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )  # fmt: skip


def _versions(packages: Iterable[Package]) -> dict[tuple[str, str], set[str]]:
    """Ecosystem (without release: an upgrade of the distribution is one change a package) and name -> versions."""
    found: dict[tuple[str, str], set[str]] = {}
    for one in packages:
        found.setdefault((one.ecosystem.partition(":")[0], one.name), set()).add(one.version)
    return found


def _flaws(findings: Iterable[Finding]) -> dict[tuple[str, str], Finding]:
    found: dict[tuple[str, str], Finding] = {}
    for one in findings:
        found.setdefault((one.id, _package(one)), one)
    return found


def _package(finding: Finding) -> str:
    try:
        return str(PackageUrl.parse(finding.purl).without_version())
    except InvalidInput:
        return finding.package


def _settings(before: dict[str, Any], after: dict[str, Any]) -> tuple[SettingChange, ...]:
    return tuple(
        SettingChange(key=key, before=before.get(key), after=after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    )
