"""The cataloger of npm packages: `package.json` directly below a `node_modules`, and lock files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import (
    DocumentUnreadable,
    bounded,
    carried_along,
    json_as,
    plain_version,
    texts,
    unreadable,
)
from lading.supply_chain.inventory.catalogers.npm.package_lock import locked_by_npm
from lading.supply_chain.inventory.catalogers.npm.pnpm import locked_by_pnpm
from lading.supply_chain.inventory.catalogers.npm.yarn import locked_by_yarn
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Package, PackageDatabase

_NAME: Final = re.compile(r"(@[^/@\s]{1,200}/)?[^/@\s]{1,214}")
_MOST_LOCKED: Final = 100_000
_MOST_MANIFEST: Final = 2 * MIB
Named = Iterator[tuple[Any, Any]]
# Each gives name and version of what its lock file wants at run time, as far as it tells; raises DocumentUnreadable.
_LOCKS: Final[dict[str, Callable[[bytes], Named]]] = {
    "package-lock.json": locked_by_npm,
    "npm-shrinkwrap.json": locked_by_npm,
    "yarn.lock": locked_by_yarn,
    "pnpm-lock.yaml": locked_by_pnpm,
}


class NpmCataloger:
    """Reads what npm, yarn or pnpm installed, and lock files."""

    name = "npm"
    revision = 2
    places = Places(names=frozenset({"package.json", *_LOCKS}))
    most = 16 * MIB

    def wants(self, path: str) -> bool:
        if not path.endswith("/package.json"):
            return path.rpartition("/")[2] in _LOCKS and not carried_along(path)
        below = path.rpartition("node_modules/")
        parts = below[2].split("/")
        return bool(below[1]) and len(parts) == (3 if parts[0].startswith("@") else 2)

    def read(self, path: str, content: bytes) -> PackageDatabase:
        lock = _LOCKS.get(path.rpartition("/")[2])
        try:
            if lock is not None:
                return self._locked(path, lock(content))
            if len(content) > _MOST_MANIFEST:
                raise DocumentUnreadable(f"it has {len(content)} bytes")
            document = json_as(content, dict[str, Any])
        except DocumentUnreadable as why:
            return unreadable(path, self.name, str(why))
        package = _package(path, document.get("name"), document.get("version"), _licenses(document))
        if package is None:
            # A folder of node_modules without name and version is a plain folder to npm too, unless it claims more.
            if "name" not in document:
                return PackageDatabase(path=path, cataloger=self.name)
            return unreadable(path, self.name, "it names no package or no version")
        owned = (path.rpartition("/")[0] + "/",)
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,), owns=owned)

    def _locked(self, path: str, named: Named) -> PackageDatabase:
        packages = (_package(path, name, version, locked=True) for name, version in dict.fromkeys(named))
        return bounded(path, self.name, packages, _MOST_LOCKED)


def _package(
    path: str, name: Any, version: Any, licenses: tuple[str, ...] = (), locked: bool = False
) -> Package | None:
    if not isinstance(name, str) or not plain_version(version) or not _NAME.fullmatch(name):
        return None
    namespace, _, bare = name.rpartition("/")
    purl = PackageUrl.of("npm", bare, namespace=namespace, version=version)
    return Package(
        purl=str(purl), ecosystem="npm", name=name, version=version, path=path, licenses=licenses, declared_only=locked
    )


def _licenses(document: dict[str, Any]) -> tuple[str, ...]:
    """`license` is an SPDX expression; old packages have an object, or a list under `licenses`."""
    stated = document.get("license") or document.get("licenses")
    listed = stated if isinstance(stated, list) else [stated]
    return texts([one.get("type") if isinstance(one, dict) else one for one in listed[:10]])
