"""`package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3 (docs.npmjs.com, "package-lock.json").

Version 1 has a tree of `dependencies`, version 3 flat `packages` by place, version 2 both. What is only for development
is left out; what is optional, or meant for another platform, is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from lading.supply_chain.inventory.catalogers.documents import DocumentUnreadable, json_object

_MOST_DEPTH: Final = 64


def locked_by_npm(content: bytes) -> Iterator[tuple[Any, Any]]:
    """Name and version of every package; raises DocumentUnreadable."""
    document = json_object(content)
    packages, dependencies = document.get("packages"), document.get("dependencies")
    if not isinstance(packages, dict) and not isinstance(dependencies, dict) and "lockfileVersion" not in document:
        raise DocumentUnreadable("it has neither packages nor dependencies")
    return chain(_flat(packages), _tree(dependencies, 0))


def _flat(packages: Any) -> Iterator[tuple[Any, Any]]:
    for place, entry in packages.items() if isinstance(packages, dict) else ():
        if isinstance(entry, dict) and "node_modules/" in place and not entry.get("link") and not entry.get("dev"):
            yield entry.get("name", place.rpartition("node_modules/")[2]), entry.get("version")


def _tree(dependencies: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    if not isinstance(dependencies, dict) or depth > _MOST_DEPTH:
        return
    for name, entry in dependencies.items():
        if isinstance(entry, dict) and not entry.get("dev"):
            yield _aliased(name, entry.get("version"))
            yield from _tree(entry.get("dependencies"), depth + 1)


def _aliased(name: Any, version: Any) -> tuple[Any, Any]:
    """An alias has `npm:real-name@1.0.0` where others have a version."""
    if isinstance(version, str) and version.startswith("npm:"):
        real, _, exact = version[4:].rpartition("@")
        return (real, exact) if real else (name, version)
    return name, version
