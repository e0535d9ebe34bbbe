"""Installed distributions: `*.dist-info/METADATA`, `*.egg-info` as file and as directory, and the files they own."""

from __future__ import annotations

from typing import Final

from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import unreadable
from lading.supply_chain.inventory.catalogers.python.metadata import NAMELESS, described
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import PackageDatabase

_MOST_OWNED: Final = 100_000


class PythonCataloger:
    """Reads the metadata of installed distributions."""

    name = "python"
    revision = 2
    places = Places(
        names=frozenset({"METADATA", "PKG-INFO", "RECORD", "installed-files.txt"}), suffixes=frozenset({".egg-info"})
    )
    most = 4 * MIB

    def wants(self, path: str) -> bool:
        directory, _, name = path.rpartition("/")
        if name in ("PKG-INFO", "installed-files.txt"):
            return directory.endswith((".egg-info", "EGG-INFO"))
        return name.endswith(".egg-info") or directory.endswith(".dist-info")

    def read(self, path: str, content: bytes) -> PackageDatabase:
        directory, _, name = path.rpartition("/")
        if name == "RECORD":
            owned = _paths(directory.rpartition("/")[0], content, quoted=True)
            return PackageDatabase(path=path, cataloger=self.name, owns=owned)
        if name == "installed-files.txt":
            return PackageDatabase(path=path, cataloger=self.name, owns=_paths(directory, content, quoted=False))
        package = described(path, content)
        if package is None:
            return unreadable(path, self.name, NAMELESS)
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,), owns=_whole(path))


def _whole(path: str) -> tuple[str, ...]:
    """An unpacked egg is a directory of its own."""
    egg = path.removesuffix("EGG-INFO/PKG-INFO")
    return (egg,) if egg != path and egg.endswith(".egg/") else ()


def _paths(base: str, content: bytes, *, quoted: bool) -> tuple[str, ...]:
    """Relative paths, one a line: plain, or the first field of a line of RECORD, which is CSV."""
    owned = []
    for line in content.decode("utf-8", "replace").splitlines()[:_MOST_OWNED]:
        name = line
        if quoted:
            name = line[1:].partition('"')[0] if line.startswith('"') else line.partition(",")[0]
        parts = base.split("/") if base else []
        for part in name.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        owned.append("/".join(parts))
    return tuple(owned)
