"""npm packages: `package.json` directly below a `node_modules`, and `package-lock.json` where nothing is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

_NAME: Final = re.compile(r"(@[^/@\s]{1,200}/)?[^/@\s]{1,214}")
_MOST_LOCKED: Final = 100_000
_MOST_DEPTH: Final = 64
UNREADABLE: Final = "package-metadata-unreadable"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class NpmCataloger:
    """Reads what npm, yarn or pnpm installed, and lock files."""

    name = "npm"
    revision = 1
    places = Places(names=frozenset({"package.json", "package-lock.json"}))
    most = 16 * MIB

    def wants(self, path: str) -> bool:
        if path.endswith("package-lock.json"):
            return "node_modules/" not in path
        below = path.rpartition("node_modules/")
        parts = below[2].split("/")
        return bool(below[1]) and len(parts) == (3 if parts[0].startswith("@") else 2)

    def read(self, path: str, content: bytes) -> PackageDatabase:
        try:
            document = _decode(content.removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            return self._gap(path, f"it is not JSON: {str(error)[:100]}")
        if path.endswith("package-lock.json"):
            locked = tuple(islice(_locked(path, document), _MOST_LOCKED))
            return PackageDatabase(path=path, cataloger=self.name, packages=locked)
        package = _package(path, document.get("name"), document.get("version"), _license(document))
        if package is None:
            # A folder of node_modules without name and version is a plain folder to npm too, unless it claims more.
            return PackageDatabase(path=path, cataloger=self.name) if "name" not in document else self._gap(
                path, "it names no package or no version"
            )  # fmt: skip
        owned = (path.rpartition("/")[0] + "/",)
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,), owns=owned)

    def _gap(self, path: str, why: str) -> PackageDatabase:
        return PackageDatabase(path=path, cataloger=self.name, gaps=(Note(UNREADABLE, path, why),))


def _package(
    path: str, name: Any, version: Any, licenses: tuple[str, ...] = (), locked: bool = False
) -> Package | None:
    if not isinstance(name, str) or not isinstance(version, str) or not _NAME.fullmatch(name):
        return None
    if not version or len(version) > 200 or not version.isprintable():
        return None
    namespace, _, bare = name.rpartition("/")
    purl = PackageUrl.of("npm", bare, namespace=namespace, version=version)
    return Package(
        purl=str(purl), ecosystem="npm", name=name, version=version, path=path, licenses=licenses, declared_only=locked
    )


def _license(document: dict[str, Any]) -> tuple[str, ...]:
    stated = document.get("license")
    if isinstance(stated, dict):
        stated = stated.get("type")
    return (stated[:200],) if isinstance(stated, str) and stated else ()


def _locked(path: str, document: dict[str, Any]) -> Iterator[Package]:
    seen: set[tuple[str, str]] = set()
    for name, version in (*_version_2(document.get("packages")), *_version_1(document.get("dependencies"), 0)):
        package = _package(path, name, version, locked=True)
        if package is not None and (package.name, package.version) not in seen:
            seen.add((package.name, package.version))
            yield package


def _version_2(packages: Any) -> Iterator[tuple[Any, Any]]:
    for place, entry in packages.items() if isinstance(packages, dict) else ():
        if isinstance(entry, dict) and "node_modules/" in place and not entry.get("link") and not entry.get("dev"):
            yield entry.get("name", place.rpartition("node_modules/")[2]), entry.get("version")


def _version_1(dependencies: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    if not isinstance(dependencies, dict) or depth > _MOST_DEPTH:
        return
    for name, entry in dependencies.items():
        if isinstance(entry, dict) and not entry.get("dev"):
            yield name, entry.get("version")
            yield from _version_1(entry.get("dependencies"), depth + 1)
