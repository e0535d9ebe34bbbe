"""Distributions that are one zip archive: eggs, which run as they are, and wheels, which wait to be installed."""

from __future__ import annotations

import re
from typing import Final

from lading.supply_chain.inventory.archives import Archive, ArchiveDamaged
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import unreadable
from lading.supply_chain.inventory.catalogers.python.metadata import NAMELESS, described
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import PackageDatabase

_EGG: Final = re.compile(r"-packages/[^/]+\.egg$|-py[0-9.]+[^/]*\.egg$")
_METADATA: Final = re.compile(r"EGG-INFO/PKG-INFO|[^/]+\.dist-info/METADATA")


class PythonArchiveCataloger:
    """Reads `*.egg` and `*.whl`. What a wheel holds is declared only: nothing runs it before it is installed."""

    name = "python-archive"
    revision = 1
    places = Places(suffixes=frozenset({".egg", ".whl"}))
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        # Other programs call other things eggs.
        return path.endswith(".whl") or _EGG.search(path) is not None

    def read(self, path: str, content: bytes) -> PackageDatabase:
        wheel = path.endswith(".whl")
        try:
            archive = Archive(memoryview(content))
            entry = next((one for one in archive.entries() if _METADATA.fullmatch(one.name)), None)
            package = described(path, bytes(archive.read(entry, 4 * MIB)), locked=wheel) if entry else None
        except ArchiveDamaged as damage:
            return unreadable(path, self.name, str(damage))
        if package is None:
            return unreadable(path, self.name, NAMELESS)
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,), owns=(path,))
