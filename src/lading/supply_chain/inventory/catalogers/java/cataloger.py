"""The cataloger of Java archives, and its walk through the archives that lie in archives."""

from __future__ import annotations

from typing import Final

from lading.supply_chain.inventory.archives import Archive, ArchiveBudget, ArchiveDamaged, Entry
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.java.coordinates import Coordinates, identified, of_pom, of_properties
from lading.supply_chain.inventory.catalogers.java.manifest import parse_manifest
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.paths import clean
from lading.supply_chain.inventory.values import INSIDE, Note, Package, PackageDatabase

SUFFIXES: Final = frozenset({".jar", ".war", ".ear", ".jpi", ".hpi", ".lpkg"})
UNREADABLE: Final = "package-archive-unreadable"
_MOST_DEPTH: Final = 4
_MOST_ARCHIVES: Final = 5_000
_MOST_PACKAGES: Final = 20_000
_MOST_GAPS: Final = 20
_MOST_POM: Final = MIB
_POMS: Final = "META-INF/maven/"
_MANIFEST: Final = "META-INF/MANIFEST.MF"


class JavaCataloger:
    """Reads jars and their like, and `pom.properties` of archives that were unpacked."""

    name = "java"
    revision = 1
    places = Places(suffixes=SUFFIXES, names=frozenset({"pom.properties"}))
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        return not path.endswith("/pom.properties") or f"/{_POMS}" in f"/{path}"

    def read(self, path: str, content: bytes) -> PackageDatabase:
        walk = _Walk()
        if path.endswith("pom.properties"):
            walk.add(path, of_properties(content))
        elif content:
            walk.archive(path, memoryview(content), 0)
        return PackageDatabase(
            path=path,
            cataloger=self.name,
            packages=tuple(walk.packages.values()),
            gaps=tuple(Note(UNREADABLE, path, why) for why in walk.gaps[:_MOST_GAPS]),
        )


class _Walk:
    """What is found on the way through one file, and the bounds on all of it together."""

    def __init__(self) -> None:
        self.packages: dict[tuple[str, str], Package] = {}
        self.gaps: list[str] = []
        self._budget = ArchiveBudget()
        self._archives = 0

    def archive(self, place: str, content: memoryview, depth: int) -> None:
        """Read one archive that lies at `place` (`app.war!/WEB-INF/lib/x.jar`)."""
        self._archives += 1
        if self._archives > _MOST_ARCHIVES:
            self.gaps.append(f"there are more than {_MOST_ARCHIVES} archives in it")
            return
        shown = place.partition(INSIDE)[2]
        entries: list[Entry] = []
        try:
            archive = Archive(content, self._budget)
            entries = list(archive.entries())
            self._identify(place, archive, entries)
        except ArchiveDamaged as damage:
            self.gaps.append(f"{shown}: {damage}" if shown else str(damage))
        for entry in entries:
            if entry.name[entry.name.rfind(".") :].lower() in SUFFIXES:
                self._nested(place, archive, entry, depth)

    def add(self, place: str, found: Coordinates | None, licenses: tuple[str, ...] = ()) -> None:
        """Keep an artifact; the same one at the same place counts once."""
        if found is None:
            return
        package = found.package(place, licenses)
        if len(self.packages) < _MOST_PACKAGES:
            self.packages.setdefault((place, package.purl), package)
        elif len(self.packages) == _MOST_PACKAGES and not self.gaps:
            self.gaps.append(f"it holds more than {_MOST_PACKAGES} artifacts")

    def _nested(self, place: str, archive: Archive, entry: Entry, depth: int) -> None:
        name, complaint = clean(entry.name)
        if complaint:
            self.gaps.append(f"{complaint}: {entry.name[:200]!r}")
        if not name or entry.name.endswith("/"):
            return
        if depth + 1 >= _MOST_DEPTH:
            self.gaps.append(f"{name[:200]} lies in more than {_MOST_DEPTH} archives")
            return
        try:
            content = archive.read(entry)
        except ArchiveDamaged as damage:
            self.gaps.append(str(damage))
            return
        self.archive(f"{place}{INSIDE}{name[:500]}", content, depth + 1)

    def _identify(self, place: str, archive: Archive, entries: list[Entry]) -> None:
        """Each pom.properties is an artifact; without any, the manifest and the name of the file have to do."""
        poms = {entry.name: entry for entry in entries if entry.name.startswith(_POMS)}
        before = len(self.packages)
        for name, entry in poms.items():
            if name.endswith("/pom.properties"):
                found = of_properties(bytes(archive.read(entry, _MOST_POM)))
                pom = poms.get(name.replace("pom.properties", "pom.xml"))
                stated = of_pom(bytes(archive.read(pom, _MOST_POM))) if pom else None
                self.add(place, found, stated.licenses if stated else ())
        if len(self.packages) > before:
            return
        for name, entry in poms.items():
            if name.endswith("/pom.xml"):
                stated = of_pom(bytes(archive.read(entry, _MOST_POM)))
                self.add(place, stated.coordinates, stated.licenses)
        manifest = next((entry for entry in entries if entry.name.upper() == _MANIFEST), None)
        if len(self.packages) == before and manifest is not None:
            headers = parse_manifest(bytes(archive.read(manifest, _MOST_POM)))
            self.add(place, *identified(place, headers))
        elif len(self.packages) == before:
            self.add(place, *identified(place, {}))
