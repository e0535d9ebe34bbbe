"""Which distribution this is: os-release(5). Without it no distribution's package can be matched."""

from __future__ import annotations

from typing import Final

from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import PackageDatabase

PATHS: Final = ("etc/os-release", "usr/lib/os-release")
_KEYS: Final = frozenset({"ID", "ID_LIKE", "VERSION_ID", "VERSION", "VERSION_CODENAME", "PRETTY_NAME", "VARIANT_ID"})


class ReleaseCataloger:
    """Reads `etc/os-release` and `usr/lib/os-release`."""

    name = "release"
    revision = 2
    places = Places(names=frozenset({"os-release"}))
    most = MIB

    def wants(self, path: str) -> bool:
        return path in PATHS

    def read(self, path: str, content: bytes) -> PackageDatabase:
        found = {}
        for line in content[:65_536].decode("utf-8", "replace").splitlines():
            key, equals, value = line.strip().partition("=")
            if equals and key in _KEYS:
                found[key] = value.strip("\"'")[:200]
        return PackageDatabase(path=path, cataloger=self.name, release=found)
