"""Package managers that Lading knows of and cannot read: their database is a gap, never an image without packages."""

from __future__ import annotations

from typing import Final

from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Note, PackageDatabase

UNKNOWN: Final = "package-database-unknown"
_PATHS: Final = {
    "var/guix/db/db.sqlite": "Guix",
    "nix/var/nix/db/db.sqlite": "Nix",
    "opt/etc/opkg/status": "opkg",
    "usr/lib/opkg/status": "opkg",
    "var/lib/opkg/status": "opkg",
    "var/db/xbps/pkgdb-0.38.plist": "XBPS",
    "var/lib/pacman/local/ALPM_DB_VERSION": "pacman",
    "var/lib/portage/config": "Portage",
    "var/lib/portage/world": "Portage",
    "usr/share/clear/versionstamp": "swupd",
    "var/lib/eopkg/info/packages.db": "eopkg",
}


class ForeignCataloger:
    """Tells of databases of package managers that are not read."""

    name = "foreign"
    revision = 1
    places = Places(names=frozenset(path.rpartition("/")[2] for path in _PATHS))
    most = 256 * MIB

    def wants(self, path: str) -> bool:
        return path in _PATHS

    def read(self, path: str, content: bytes) -> PackageDatabase:
        manager = _PATHS.get(path, "another manager")
        gap = Note(UNKNOWN, path, f"{len(content)} bytes that name the packages of {manager}, which are not read")
        return PackageDatabase(path=path, cataloger=self.name, gaps=(gap,))
