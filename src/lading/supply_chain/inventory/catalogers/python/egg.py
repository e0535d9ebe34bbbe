"""Eggs that are one zip archive, as setuptools made them: `x.egg` with `EGG-INFO/PKG-INFO` in it."""

from __future__ import annotations

from lading.supply_chain.inventory.archives import Archive, ArchiveDamaged
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import unreadable
from lading.supply_chain.inventory.catalogers.python.metadata import NAMELESS, described
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import PackageDatabase


class EggCataloger:
    """Reads zipped eggs."""

    name = "python-egg"
    revision = 1
    places = Places(suffixes=frozenset({".egg"}))
    most = 128 * MIB

    def wants(self, path: str) -> bool:
        return path.endswith(".egg")

    def read(self, path: str, content: bytes) -> PackageDatabase:
        try:
            archive = Archive(memoryview(content))
            entry = next((one for one in archive.entries() if one.name == "EGG-INFO/PKG-INFO"), None)
            package = described(path, bytes(archive.read(entry, 4 * MIB))) if entry else None
        except ArchiveDamaged as damage:
            return unreadable(path, self.name, str(damage))
        if package is None:
            return unreadable(path, self.name, NAMELESS)
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,), owns=(path,))
