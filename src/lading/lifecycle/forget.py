"""What the registry no longer has is known no longer: rooms forget deleted images, and layers whose content is gone.

    manifest deleted -> its image, when no repository has it and nothing runs it -> findings, inventory, reports, ...
    garbage collected -> everything that is known is compared with the registry, page by page

Whether an image is still there is asked in the transaction that forgets it, so one that is pushed again at that moment
is either seen, or read and matched anew. Repeating any of it changes nothing, so a kill in the middle costs nothing.
What was decided about an image, where it stood and what happened to it stays: that is history.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lading.facts import Entry
from lading.facts.kinds.collecting import GarbageCollected
from lading.facts.kinds.supply_chain import ManifestDeleted
from lading.state import Database, Transaction
from lading.supply_chain.inventory.inventories import Inventories

_AT_ONCE: Final = 200


class Memory(Protocol):
    """A room that knows something of images."""

    def images_in(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """The images that it knows something of, by digest, beyond `after`, in order."""
        ...

    def forget_in(self, tx: Transaction, images: Sequence[str]) -> None:
        """Know nothing of these images any more; nothing happens when that is so already."""
        ...


class Kept(Protocol):
    """What the registry has."""

    def kept_in(self, tx: Transaction, digests: Collection[str]) -> set[str]:
        """Those of some manifests that a repository has."""
        ...

    def stored_in(self, tx: Transaction, digests: Collection[str]) -> set[str]:
        """Those of some blobs that are stored."""
        ...


class InUse(Protocol):
    """What runs."""

    def images(self) -> Collection[str]:
        """The digests of the images of running containers: they stay known until those end."""
        ...


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One thing to go through: what is known, what of it is still there, and how to forget the rest."""

    known: Callable[[Transaction, str, int], list[str]]
    there: Callable[[Transaction, Collection[str]], set[str]]
    forget: Callable[[Transaction, Sequence[str]], None]


class Forgetting:
    """Forgets; also the follower of the facts that say when there is something to forget.

    What is to be looked at is noted in memory only: after a start everything is compared once.
    """

    name = "forgetting"
    kinds: Sequence[str] | None = (ManifestDeleted.kind(), GarbageCollected.kind())

    def __init__(
        self, database: Database, registry: Kept, in_use: InUse, inventories: Inventories, memories: Sequence[Memory]
    ) -> None:
        self._database = database
        self._registry = registry
        self._in_use = in_use
        self._memories = (*memories, inventories)
        layers = _Shelf(inventories.layers_in, registry.stored_in, inventories.forget_layers_in)
        self._shelves = [_Shelf(one.images_in, registry.kept_in, one.forget_in) for one in self._memories] + [layers]
        self._deleted: dict[str, None] = {}
        self._shelf, self._after = 0, ""

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Note what was deleted, and that content was given up."""
        del tx
        for entry in entries:
            if isinstance(entry.fact, ManifestDeleted):
                self._deleted[entry.fact.digest] = None
            else:
                self._shelf, self._after = 0, ""

    def step(self) -> bool:
        """Forget some of what is due, in one transaction; whether there may be more."""
        if self._deleted:
            some = list(self._deleted)[:_AT_ONCE]
            idle = set(some) - set(self._in_use.images())
            with self._database.write() as tx:
                gone = sorted(idle - self._registry.kept_in(tx, some))
                for memory in self._memories:
                    memory.forget_in(tx, gone)
            for digest in some:
                del self._deleted[digest]
            return True
        if self._shelf < len(self._shelves):
            self._compare(self._shelves[self._shelf])
            return True
        return False

    def _compare(self, shelf: _Shelf) -> None:
        """Compare the next page of what is known with what is there."""
        with self._database.read() as tx:
            known = shelf.known(tx, self._after, _AT_ONCE)
            gone = set(known) - shelf.there(tx, known)
        if gone and (gone := gone - set(self._in_use.images())):
            with self._database.write() as tx:
                shelf.forget(tx, sorted(gone - shelf.there(tx, gone)))
        if len(known) == _AT_ONCE:
            self._after = known[-1]
        else:
            self._shelf, self._after = self._shelf + 1, ""
