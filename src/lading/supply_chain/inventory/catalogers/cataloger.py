"""What a cataloger is: it reads one file that says which packages are there. It never sees a path on a disk."""

from __future__ import annotations

from collections.abc import Set
from typing import Protocol

from lading.supply_chain.inventory.values import PackageDatabase


class Cataloger(Protocol):
    """Reads the package databases of one ecosystem.

    `names` are base names and `directories` whole directories that may hold one: a cheap test before `wants`. `most` is
    the largest file it reads, in bytes; a larger one is a gap.
    """

    name: str
    names: Set[str]
    directories: Set[str]
    most: int

    def wants(self, path: str) -> bool:
        """Whether the file at `path` (relative to the root, no leading slash) is one of its databases."""
        ...

    def read(self, path: str, content: bytes) -> PackageDatabase:
        """What the file says. Never raises for bad content: what cannot be read is a gap of the result."""
        ...
