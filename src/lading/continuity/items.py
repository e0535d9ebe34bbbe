"""Items: the immutable, content-addressed files that a backup keeps in sets, and the lists of them.

An item is known by its path in the data directory, which ends in its digest: `registry/blobs/sha256/ab/abcd…`,
`sources/0123….tar`. Lists are lines sorted by path, so that two of them are compared by reading both once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from lading.continuity.errors import BackupDamaged
from lading.kernel.digest import Digest

_PATH: Final = re.compile(r"(?:[a-z0-9]+/)+(?P<hex>[0-9a-f]{64}(?:[0-9a-f]{64})?)(?:\.tar)?")
_MOST_LINE: Final = 1_000


class Item(NamedTuple):
    """One file: where it lies below the data directory, and its size in bytes."""

    path: str
    size: int

    @property
    def digest(self) -> Digest:
        """The digest of its content."""
        return digest_of(self.path)


class Kept(NamedTuple):
    """An item and the set that has it: the number of the set in the point's list."""

    item: Item
    set: int


def digest_of(path: str) -> Digest:
    """The digest that a path ends in; raises BackupDamaged for any other path, also one that leads elsewhere."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise BackupDamaged(f"{path[:200]!r} is no path of an item.")
    return Digest("sha256" if len(found["hex"]) == 64 else "sha512", found["hex"])


def write_line(kept: Kept) -> str:
    """One line of `items.txt`."""
    return f"{kept.item.path}\t{kept.item.size}\t{kept.set}\n"


def read_lines(file: Path) -> Iterator[Kept]:
    """The items of a list, in its order; raises BackupDamaged for a line that is none."""
    with file.open(encoding="ascii", errors="replace") as handle:
        while line := handle.readline(_MOST_LINE):
            parts = line.rstrip("\n").split("\t")
            if len(parts) != 3 or not parts[1].isdigit() or not parts[2].isdigit():
                raise BackupDamaged(f"The list {file.name} has a line that names no item: {line[:100]!r}.")
            digest_of(parts[0])
            yield Kept(Item(parts[0], int(parts[1])), int(parts[2]))


def beside(wanted: Iterable[Item], known: Iterable[Kept]) -> Iterator[tuple[Item, int | None]]:
    """Each wanted item with the number of the set that has it already, or None; both lists sorted by path."""
    rest = iter(known)
    here = next(rest, None)
    for item in wanted:
        while here is not None and here.item.path < item.path:
            here = next(rest, None)
        has = here is not None and here.item == item
        yield item, here.set if here is not None and has else None
