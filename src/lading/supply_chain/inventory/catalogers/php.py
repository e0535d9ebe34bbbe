"""PHP packages of Composer: `vendor/composer/installed.json` (both of its forms), and `composer.lock`."""

from __future__ import annotations

import re
from typing import Final

import msgspec

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
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.paths import clean
from lading.supply_chain.inventory.values import Package, PackageDatabase

_NAME: Final = re.compile(r"[a-z0-9](?:[_.-]?[a-z0-9]+)*+/[a-z0-9](?:[_.-]{0,2}[a-z0-9]+)*+")
_MOST: Final = 100_000


class _Entry(msgspec.Struct):
    name: str = ""
    version: str = ""
    license: str | list[str] | None = None
    install_path: str | None = msgspec.field(default=None, name="install-path")


class _Installed(msgspec.Struct):
    packages: list[_Entry] | None = None


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
            entries = _entries(content)
        except DocumentUnreadable as why:
            return unreadable(path, self.name, str(why))
        locked = path.endswith(".lock")
        database = bounded(path, self.name, (_package(path, entry, locked) for entry in entries), _MOST)
        if entries and not database.packages:
            return unreadable(path, self.name, "none of its packages has a name and a version")
        return database if locked else msgspec.structs.replace(database, owns=_owned(path, entries[:_MOST]))


def _entries(content: bytes) -> list[_Entry]:
    """The packages: a list in Composer 1, an object with a list in Composer 2 and in lock files."""
    document = json_as(content, _Installed | list[_Entry])  # type: ignore[arg-type]
    if isinstance(document, list):
        return document
    if document.packages is None:
        raise DocumentUnreadable("it has no list of packages")
    return document.packages


def _package(path: str, entry: _Entry, locked: bool) -> Package | None:
    name, version = entry.name.lower(), plain_version(entry.version)
    if len(name) > 200 or not _NAME.fullmatch(name) or not version:
        return None
    namespace, _, bare = name.partition("/")
    return Package(
        purl=str(PackageUrl.of("composer", bare, namespace=namespace, version=version)),
        ecosystem="Packagist",
        name=name,
        version=version,
        path=path,
        licenses=texts(entry.license),
        declared_only=locked,
    )


def _owned(path: str, entries: list[_Entry]) -> tuple[str, ...]:
    """The directories of the packages, and what Composer writes for itself."""
    vendor = path.removesuffix("composer/installed.json")
    directories = (one for entry in entries for one in _directory(vendor, entry.name.lower(), entry.install_path))
    return (f"{vendor}composer/", f"{vendor}autoload.php", *directories)


def _directory(vendor: str, name: str, install_path: str | None) -> list[str]:
    """Where a package was unpacked: below the directory of installed.json, or `vendor/name` in Composer 1."""
    if isinstance(install_path, str):
        path, complaint = clean(f"{vendor}composer/{install_path}")
        # `../name` is how Composer writes it; what climbs out of the root owns nothing.
        return [f"{path}/"] if path and complaint in ("", "path-traversal") else []
    return [f"{vendor}{name}/"] if _NAME.fullmatch(name) else []
