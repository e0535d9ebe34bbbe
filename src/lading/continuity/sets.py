"""Put items that the repository does not have yet into sets, and save one set after the other.

A set is staged as a directory that looks like the data directory: hard links of a directory store, downloads of an
object store. Its size is bounded, so that staging is, and so that a kill costs one set at most.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from lading.continuity.items import Item
from lading.continuity.point import SET, SetUsed
from lading.continuity.ports import Content
from lading.continuity.repository import Progress, Repository, Snapshot

MOST_ITEMS: Final = 20_000
MOST_BYTES: Final = 4 << 30
# Sets with less than an eighth of what fits are put together when there are more than this many.
MOST_SMALL: Final = 32
_AT_ONCE: Final = 8


class Sets:
    """The sets of one backup under way.

    Args:
        used: the sets that earlier backups saved; new ones get the numbers after them.
        directory: a scratch directory.
        after_each: called when a set was saved, with what it holds.
    """

    def __init__(
        self,
        repository: Repository,
        content: Content,
        backup: str,
        at: str,
        used: list[SetUsed],
        directory: Path,
        progress: Progress,
        after_each: Callable[[SetUsed], None],
    ) -> None:
        self._repository = repository
        self._content = content
        self._backup = backup
        self._at = at
        self._directory = directory
        self._progress = progress
        self._after_each = after_each
        # Fetching from an object store is waiting, mostly.
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="stage")
        self._items = 0
        self._bytes = 0
        self.used = used
        self.added = 0

    def add(self, items: Sequence[Item]) -> list[int | None]:
        """Put items into sets; for each the set's number, or None when storage does not have it."""
        numbers: list[int | None] = []
        rest = list(items)
        while rest:
            fitting = self._fitting(rest)
            if not fitting:
                self.save()
                continue
            staged = list(self._pool.map(lambda item: self._content.stage(item, self._directory / item.path), fitting))
            for item, there in zip(fitting, staged, strict=True):
                self._items += there
                self._bytes += item.size if there else 0
                numbers.append(len(self.used) if there else None)
            rest = rest[len(fitting) :]
        return numbers

    def _fitting(self, items: list[Item]) -> list[Item]:
        """The first of `items` that the present set has room for; an item larger than a set has one of its own."""
        count, size = self._items, self._bytes
        fitting: list[Item] = []
        for item in items:
            if count >= MOST_ITEMS or (count and size + item.size > MOST_BYTES):
                break
            count, size = count + 1, size + item.size
            fitting.append(item)
        return fitting

    def close(self) -> None:
        """End its threads."""
        self._pool.shutdown()

    def save(self) -> None:
        """Save the present set, if there is anything in it."""
        if not self._items:
            return
        tags = {
            "kind": SET,
            "backup": self._backup,
            "at": self._at,
            "items": str(self._items),
            "bytes": str(self._bytes),
        }
        saved = self._repository.save(self._directory, tags, self._progress)
        shutil.rmtree(self._directory)
        made = SetUsed(snapshot=saved.snapshot, items=self._items, bytes=self._bytes)
        self.used.append(made)
        self.added += saved.added
        self._items = self._bytes = 0
        self._after_each(made)


def known_sets(snapshots: list[Snapshot]) -> dict[str, SetUsed]:
    """The sets among snapshots, by id, oldest first."""
    return {
        item.id: SetUsed(snapshot=item.id, items=int(item.tags["items"]), bytes=int(item.tags["bytes"]))
        for item in snapshots
        if item.tags.get("kind") == SET
        and item.tags.get("items", "").isdigit()
        and item.tags.get("bytes", "").isdigit()
    }


def worth_keeping(sets: dict[str, SetUsed]) -> dict[str, SetUsed]:
    """The sets that a backup goes on using: all, or the large ones only when there are too many small ones.

    What the others hold is put into new sets; the repository has the content already and stores it once.
    """
    small = {key for key, one in sets.items() if one.items < MOST_ITEMS // 8 and one.bytes < MOST_BYTES // 8}
    if len(small) <= MOST_SMALL:
        return dict(sets)
    return {key: one for key, one in sets.items() if key not in small}
