"""Licences for Debian packages from their copyright files, found as Debian lays them down: by the package's name, and
through the links by which packages of one source share a directory."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lading.supply_chain.inventory import paths
from lading.supply_chain.inventory.catalogers.debian_copyright import DIRECTORY, NAME
from lading.supply_chain.inventory.releases import type_of
from lading.supply_chain.inventory.values import Package, PackageDatabase


def licensed(package: Package, databases: Mapping[str, PackageDatabase], links: dict[str, str]) -> Package:
    """The package with the licences of its copyright file; as it was when there are none."""
    if package.licenses or type_of(package) != "deb":
        return package
    # Their names have no slash in them, so this stays below the directory.
    place = f"{paths.resolve(f'{DIRECTORY}{package.name}', links)}/{NAME}"
    if place in links:
        pointed = paths.pointed(place, links[place])
        place = f"{paths.resolve(pointed.rpartition('/')[0], links)}/{pointed.rpartition('/')[2]}"
    found = databases.get(place)
    return msgspec.structs.replace(package, licenses=found.licences) if found and found.licences else package
