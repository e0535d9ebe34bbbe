"""Lock files that were carried out: what they declare is installed, and what is installed is what counts.

A lock file says what was to be installed. It was carried out when its installer left its mark beside it, or when half
of its packages are installed somewhere in the image in just that version; then the packages that are really there
speak, and the lock file is silent. Otherwise its packages are listed as declared only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lading.supply_chain.inventory.values import PackageDatabase

_NODE: Final = "node_modules/"
_VENDOR: Final = "vendor/composer/installed.json"


def carried_out(databases: Mapping[str, PackageDatabase]) -> frozenset[str]:
    """The paths of lock files that are not to be listed; `databases` are those of an image, by path."""
    locks = {path: one for path, one in databases.items() if one.packages and one.packages[0].declared_only}
    if not locks:
        return frozenset()
    node = {path.split(_NODE, 1)[0] for path in databases if _NODE in path and path.endswith("/package.json")}
    installed = {
        package.purl for database in databases.values() for package in database.packages if not package.declared_only
    }
    return frozenset(
        path
        for path, lock in locks.items()
        if _beside(path, lock.packages[0].ecosystem, node, databases)
        or 2 * sum(package.purl in installed for package in lock.packages) >= len(lock.packages)
    )


def _beside(path: str, ecosystem: str, node: set[str], databases: Mapping[str, PackageDatabase]) -> bool:
    directory = path[: path.rfind("/") + 1]
    if ecosystem == "npm":
        return directory in node
    return ecosystem == "Packagist" and f"{directory}{_VENDOR}" in databases
