"""Lock files of Python projects: poetry, uv, PDM, pylock.toml, Pipenv, and requirements that are pinned.

What they mark as only for development is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import (
    DocumentUnreadable,
    bounded,
    carried_along,
    json_as,
    unreadable,
)
from lading.supply_chain.inventory.catalogers.python.metadata import distribution
from lading.supply_chain.inventory.catalogers.tables import package_tables
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import PackageDatabase

_MOST: Final = 100_000
_TABLES: Final = frozenset({"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml"})
_PINNED: Final = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9])?)\s*(?:\[[A-Za-z0-9,._ -]{0,200}\]\s*)?={2,3}\s*"
    r"([0-9A-Za-z.!+_-]{1,100})\s*(?:;.*|--hash.*|#.*|\\)?"
)
_MOST_LINE: Final = 4_000
_LOCAL: Final = re.compile(r"\b(editable|virtual|directory|path)\b")
Named = Iterator[tuple[str, str]]


class _Pinned(msgspec.Struct):
    version: str | None = None


class _Pipfile(msgspec.Struct):
    default: dict[str, _Pinned] | None = None


class PythonLockCataloger:
    """Reads lock files and pinned requirements."""

    name = "python-lock"
    revision = 1
    places = Places(names=_TABLES | {"Pipfile.lock"}, suffixes=frozenset({".txt"}))
    most = 16 * MIB

    def wants(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return (not name.endswith(".txt") or name.startswith("requirements")) and not carried_along(path)

    def read(self, path: str, content: bytes) -> PackageDatabase:
        name = path.rpartition("/")[2]
        reader: Callable[[bytes], Named] = _tables if name in _TABLES else _pipenv
        if name.endswith(".txt"):
            reader = _requirements
        try:
            packages = (distribution(path, *pair, locked=True) for pair in dict.fromkeys(reader(content)))
            return bounded(path, self.name, packages, _MOST)
        except DocumentUnreadable as why:
            return unreadable(path, self.name, str(why))


def _tables(content: bytes) -> Named:
    return ((stated["name"], stated["version"]) for stated in package_tables(content) if _ours(stated))


def _ours(stated: dict[str, str]) -> bool:
    """Whether it is a package from elsewhere that is needed at run time."""
    if not stated.get("name") or not stated.get("version") or stated.get("category", "main") not in ("main", ""):
        return False
    groups = stated.get("groups", "main")
    return ("main" in groups or "default" in groups) and not _LOCAL.search(stated.get("source", "").partition("=")[0])


def _pipenv(content: bytes) -> Named:
    default = json_as(content, _Pipfile).default
    if default is None:
        raise DocumentUnreadable("it has no default packages")
    for name, entry in default.items():
        if entry.version and entry.version.startswith("=="):
            yield name, entry.version.lstrip("=")


def _requirements(content: bytes) -> Named:
    """Only `name==version` says what there is; ranges, files and options do not."""
    for line in content.decode("utf-8", "replace").splitlines():
        pinned = _PINNED.fullmatch(line.strip()) if len(line) <= _MOST_LINE else None
        if pinned is not None:
            yield pinned[1], pinned[2]
