"""What a database that names many packages and their files comes to, gathered one package at a time, within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

MOST_PATH: Final = 4_096
_MOST_PACKAGES: Final = 100_000
_MOST_FILES: Final = 2_000_000
_MOST_NAMES: Final = 128 * MIB
_MOST_GAPS: Final = 20
UNREADABLE: Final = "package-database-unreadable"


class TooMuch(Exception):
    """The database names more than is kept; the message says of what. What came before stands."""


class Collected:
    """The packages of the database at `path`, with the files that they own, and what could not be read of it."""

    def __init__(self, path: str, cataloger: str) -> None:
        self._path = path
        self._cataloger = cataloger
        self._packages: list[Package] = []
        self._owned: list[str] = []
        self._owners: list[tuple[str, int]] = []
        self._gaps: list[Note] = []
        self._named = 0

    def add(self, package: Package, files: Iterable[str] = ()) -> None:
        """Take a package and its files in; raises TooMuch."""
        if len(self._packages) >= _MOST_PACKAGES:
            raise TooMuch(f"it has more than {_MOST_PACKAGES} packages")
        self._packages.append(package)
        begun = len(self._owned)
        try:
            for file in files:
                self._owned.append(file)
                self._named += len(file)
                # One long directory and a million names in it would be gigabytes.
                if len(self._owned) > _MOST_FILES or self._named > _MOST_NAMES:
                    raise TooMuch("it lists too many files")
        finally:
            self._owners.append((package.name, len(self._owned) - begun))

    def gap(self, why: str) -> None:
        """Say that something could not be read."""
        if len(self._gaps) < _MOST_GAPS:
            self._gaps.append(Note(UNREADABLE, self._path, why))

    def database(self) -> PackageDatabase:
        """All of it; nothing at all, for no other reason, is a gap."""
        if not self._packages and not self._gaps:
            self.gap("it names no package at all")
        return PackageDatabase(
            path=self._path,
            cataloger=self._cataloger,
            packages=tuple(self._packages),
            owns=tuple(self._owned),
            owners=tuple(self._owners),
            gaps=tuple(self._gaps),
        )
