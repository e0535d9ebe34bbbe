"""One thing that two managers know of: a Python distribution that a conda package brought.

Both stay in the inventory, for both are there; the distribution, which advisories speak of, says where it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lading.supply_chain.inventory.values import Package, PackageDatabase

Brought = Mapping[str, Package]
_METADATA = ("/METADATA", "/PKG-INFO", ".egg-info")


def brought_by_conda(databases: Iterable[PackageDatabase]) -> Brought:
    """Metadata files of Python distributions that conda packages own, with the conda package."""
    return {
        owned: database.packages[0]
        for database in databases
        if database.cataloger == "conda" and database.packages
        for owned in database.owns
        if owned.endswith(_METADATA)
    }


def joined(package: Package, brought: Brought) -> Package:
    """The package, with the conda package that brought it as its source."""
    conda = brought.get(package.path) if package.ecosystem == "PyPI" else None
    if conda is None:
        return package
    return msgspec.structs.replace(package, source=f"conda:{conda.name}", source_version=conda.version)
