"""One component of a bill of materials as a package of the inventory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lading.kernel.errors import InvalidInput
from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.releases import UNSETTLED
from lading.supply_chain.inventory.sboms.ecosystems import ecosystem_of, name_of, release_of
from lading.supply_chain.inventory.values import Note, Package

_MOST_TEXT: Final = 1_000
_MOST_LICENCES: Final = 50
_MOST_NAMED: Final = 20
# Advisories about these speak of what they were built from.
_BUILT_FROM_SOURCES: Final = ("deb", "apk")


@dataclass
class Collected:
    """Packages, and what could not become one, counted by kind with the first few names."""

    packages: list[Package] = field(default_factory=list)
    distribution: str = ""
    release: str = ""
    _without: dict[str, list[str]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def miss(self, why: str, name: str) -> None:
        """Note a component that will not be matched."""
        self._counts[why] = self._counts.get(why, 0) + 1
        named = self._without.setdefault(why, [])
        if len(named) < _MOST_NAMED:
            named.append(name[:80])

    def gaps(self) -> tuple[Note, ...]:
        """What was missed, one note for each reason."""
        return tuple(
            Note("component-not-matched", "", f"{count} components {why}: {', '.join(self._without[why])}")
            for why, count in sorted(self._counts.items())
        )

    def add(
        self, text: str, name: str, version: str, *, path: str = "", layer: str = "", licences: tuple[str, ...] = (),
        source: str = "", source_version: str = "",
    ) -> None:  # fmt: skip
        """Take a component in by its package URL.

        Args:
            text: the package URL; empty when the document gives none.
            name, version: what the document calls it, for messages and where the package URL is silent.
            source, source_version: what a distribution builds it from, where the document says so.
        """
        if not text:
            self.miss("have no package URL", name)
            return
        try:
            purl = PackageUrl.parse(text[:_MOST_TEXT])
        except InvalidInput:
            self.miss("have a malformed package URL", name)
            return
        ecosystem = ecosystem_of(purl)
        if not ecosystem:
            self.miss(f"are of a kind without advisories ({purl.type})", name)
            return
        found = purl.version or version[:200]
        if not found:
            self.miss("have no version", name)
            return
        if purl.type in _BUILT_FROM_SOURCES:
            source, source_version = _source(purl, source, source_version, found)
        if purl.type in UNSETTLED:
            self._see(purl)
        self.packages.append(
            Package(
                purl=str(purl),
                ecosystem=ecosystem,
                name=name_of(purl),
                version=found,
                path=path[:_MOST_TEXT],
                layer=layer,
                source=source,
                source_version=source_version,
                architecture=purl.qualifier("arch")[:40],
                licenses=tuple(one[:_MOST_TEXT] for one in licences[:_MOST_LICENCES]),
            )
        )

    def _see(self, purl: PackageUrl) -> None:
        family, release = release_of(purl)
        self.distribution = self.distribution or family or purl.namespace
        self.release = self.release or release


def _source(purl: PackageUrl, source: str, source_version: str, version: str) -> tuple[str, str]:
    """What it was built from: as the document says, or as `upstream=NAME[@VERSION]` does, or the package itself."""
    upstream, _, upstream_version = purl.qualifier("upstream").partition("@")
    name = source or upstream or purl.name
    return name[:200], (source_version or upstream_version or version)[:200]
