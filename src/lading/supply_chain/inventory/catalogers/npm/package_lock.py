"""`package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3 (docs.npmjs.com, "package-lock.json").

Version 1 has a tree of `dependencies`, version 3 flat `packages` by place, version 2 both. What is only for development
is left out; what is optional, or meant for another platform, is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

import msgspec

from lading.supply_chain.inventory.catalogers.documents import DocumentUnreadable, json_as

_MOST_DEPTH: Final = 64
Named = tuple[str, str]


class _Placed(msgspec.Struct):
    name: str = ""
    version: str = ""
    dev: bool = False
    link: bool = False


class _Branch(msgspec.Struct):
    version: str = ""
    dev: bool = False
    dependencies: dict[str, _Branch] = {}


class _Lock(msgspec.Struct):
    version: int | None = msgspec.field(default=None, name="lockfileVersion")
    packages: dict[str, _Placed] | None = None
    dependencies: dict[str, _Branch] | None = None


def locked_by_npm(content: bytes) -> Iterator[Named]:
    """Name and version of every package; raises DocumentUnreadable."""
    lock = json_as(content, _Lock)
    if lock.packages is None and lock.dependencies is None and lock.version is None:
        raise DocumentUnreadable("it has neither packages nor dependencies")
    return chain(_flat(lock.packages or {}), _tree(lock.dependencies or {}, 0))


def _flat(packages: dict[str, _Placed]) -> Iterator[Named]:
    for place, entry in packages.items():
        if "node_modules/" in place and not entry.link and not entry.dev:
            yield entry.name or place.rpartition("node_modules/")[2], entry.version


def _tree(dependencies: dict[str, _Branch], depth: int) -> Iterator[Named]:
    if depth > _MOST_DEPTH:
        return
    for name, entry in dependencies.items():
        if not entry.dev:
            yield _aliased(name, entry.version)
            yield from _tree(entry.dependencies, depth + 1)


def _aliased(name: str, version: str) -> Named:
    """An alias has `npm:real-name@1.0.0` where others have a version."""
    if version.startswith("npm:"):
        real, _, exact = version[4:].rpartition("@")
        return (real, exact) if real else (name, version)
    return name, version
