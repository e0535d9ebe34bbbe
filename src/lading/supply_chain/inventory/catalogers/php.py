"""PHP packages of Composer: `vendor/composer/installed.json` (both of its forms), and `composer.lock`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import (
    DocumentUnreadable,
    carried_along,
    json_document,
    plain_version,
    texts,
    unreadable,
)
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.paths import clean
from lading.supply_chain.inventory.values import Package, PackageDatabase

_NAME: Final = re.compile(r"[a-z0-9](?:[_.-]?[a-z0-9]+)*+/[a-z0-9](?:[_.-]{0,2}[a-z0-9]+)*+")
_MOST: Final = 100_000


class PhpCataloger:
    """Reads what Composer installed, and lock files."""

    name = "php"
    revision = 1
    places = Places(names=frozenset({"installed.json", "composer.lock"}))
    most = 16 * MIB

    def wants(self, path: str) -> bool:
        return path.endswith("composer/installed.json") or (path.endswith("composer.lock") and not carried_along(path))

    def read(self, path: str, content: bytes) -> PackageDatabase:
        try:
            entries = _entries(json_document(content))
        except DocumentUnreadable as why:
            return unreadable(path, self.name, str(why))
        locked = path.endswith(".lock")
        vendor = path.removesuffix("composer/installed.json")
        found: dict[str, Package] = {}
        owned = [] if locked else [f"{vendor}composer/", f"{vendor}autoload.php"]
        wrong = 0
        for entry in islice(entries, _MOST):
            package = _package(path, entry, locked)
            if package is None:
                wrong += 1
                continue
            found[package.purl] = package
            if not locked:
                owned += _directory(vendor, package.name, entry.get("install-path"))
        if wrong and not found:
            return unreadable(path, self.name, "none of its packages has a name and a version")
        return PackageDatabase(path=path, cataloger=self.name, packages=tuple(found.values()), owns=tuple(owned))


def _entries(document: Any) -> Iterator[dict[str, Any]]:
    """The packages: a list in Composer 1, an object with a list in Composer 2 and in lock files."""
    listed = document.get("packages") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise DocumentUnreadable("it has no list of packages")
    return (entry if isinstance(entry, dict) else {} for entry in listed)


def _package(path: str, entry: dict[str, Any], locked: bool) -> Package | None:
    name, version = entry.get("name"), plain_version(entry.get("version"))
    if not isinstance(name, str) or len(name) > 200 or not _NAME.fullmatch(name.lower()) or not version:
        return None
    namespace, _, bare = name.lower().partition("/")
    return Package(
        purl=str(PackageUrl.of("composer", bare, namespace=namespace, version=version)),
        ecosystem="Packagist",
        name=name.lower(),
        version=version,
        path=path,
        licenses=texts(entry.get("license")),
        declared_only=locked,
    )


def _directory(vendor: str, name: str, install_path: Any) -> list[str]:
    """Where a package was unpacked: below the directory of installed.json, or `vendor/name` in Composer 1."""
    if isinstance(install_path, str):
        path, complaint = clean(f"{vendor}composer/{install_path}")
        # `../name` is how Composer writes it; what climbs out of the root owns nothing.
        return [f"{path}/"] if path and complaint in ("", "path-traversal") else []
    return [f"{vendor}{name}/"]
