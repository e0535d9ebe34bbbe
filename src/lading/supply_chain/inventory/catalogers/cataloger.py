"""What a cataloger is: it reads one file that says which packages are there. It never sees a path on a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lading.supply_chain.inventory.values import PackageDatabase

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of a cataloger may lie: a cheap test of every file, before `wants`. Any of them is enough.

    `names` are base names; `suffixes` ends of base names from the last dot on (`.jar`); `directories` whole directories
    from the root; `folders` base names of the directory. `forms` are forms of programs (see `programs.form_of`): their
    files are offered by what they are, wherever they lie, when nobody wants them by their place. `marks` are texts of
    at most 64 bytes; a program that is too large to be kept, and has none of them, has nothing to say anyway. `links`:
    a symbolic link in the place of a file hides nothing that has to be known, so it is no gap.
    `minor` says that its files name no packages and only tell more of them: one that cannot be read is no gap.
    """

    names: frozenset[str] = _NONE
    suffixes: frozenset[str] = _NONE
    directories: frozenset[str] = _NONE
    folders: frozenset[str] = _NONE
    forms: frozenset[str] = _NONE
    marks: frozenset[bytes] = frozenset()
    links: bool = False
    minor: bool = False


class Cataloger(Protocol):
    """Reads the package databases of one ecosystem.

    `name` is its own for good. `revision` is raised with every change of what it wants or finds: layers that have a
    file it wants are then read again, all others are not. `most` is the largest file it reads, in bytes; a larger one
    is a gap.
    """

    name: str
    revision: int
    places: Places
    most: int

    def wants(self, path: str) -> bool:
        """Whether the file at `path` (relative to the root, no leading slash) is one of its databases."""
        ...

    def read(self, path: str, content: bytes) -> PackageDatabase:
        """What the file says. Never raises for bad content: what cannot be read is a gap of the result.

        A program (`places.forms`) that says nothing gives an empty result, and is offered to the next cataloger.
        """
        ...
