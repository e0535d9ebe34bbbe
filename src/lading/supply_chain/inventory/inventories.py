"""Taking the inventory of an image: each layer read once in its life, the image merged from what its layers say."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import ImageInventoried, LayerInventoried
from lading.kernel.clock import Clock, SystemClock
from lading.kernel.digest import Digest
from lading.state import Database, Transaction
from lading.supply_chain.inventory.catalogers import CATALOGERS, Catalogers
from lading.supply_chain.inventory.changes import LayerChange, changes
from lading.supply_chain.inventory.errors import NotInventoried
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import DEFAULT, Limits
from lading.supply_chain.inventory.merge import merge, merged_files, merged_version
from lading.supply_chain.inventory.source import LayerSource
from lading.supply_chain.inventory.sql import InventoryStore
from lading.supply_chain.inventory.values import FileEntry, ImageInventory, LayerInventory, Note

_log = logging.getLogger(__name__)
_ACTOR = "system:inventory"
_MOST_TOLD = 20


class Inventories:
    """The inventories of all images.

    Args:
        source: where layers are read from.
        limits: what one layer may cost.
        catalogers: who is asked about the files of layers.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        source: LayerSource,
        *,
        clock: Clock | None = None,
        limits: Limits = DEFAULT,
        catalogers: Catalogers = CATALOGERS,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._source = source
        self._clock = clock or SystemClock()
        self._limits = limits
        self._catalogers = catalogers
        self._store = InventoryStore()

    def take(self, image: Digest) -> ImageInventory:
        """The inventory of an image; taking it again changes nothing and reads no layer that concerns no new cataloger.

        Raises:
            LayerMissing: the source does not have the image or one of its layers.
        """
        began = self._clock.monotonic()
        every = self._source.layers(image)
        refs = every[: self._limits.layers]
        read, reused = [], 0
        for ref in refs:
            known = self._current(ref.digest)
            reused += known is not None
            read.append(known or self._read(ref.digest))
        inventory = merge(str(image), read, unread=len(every) - len(refs), version=self._catalogers.version)
        fact = ImageInventoried(
            digest=str(image),
            layers=len(read),
            reused=reused,
            packages=len(inventory.packages),
            ecosystems=inventory.ecosystems,
            gaps=told(inventory.gaps),
            seconds=self._clock.monotonic() - began,
        )
        with self._database.write() as tx:
            if self._store.put_image(tx, inventory):
                self._ledger.append(tx, [fact], actor=_ACTOR)
        return inventory

    def of(self, image: Digest) -> ImageInventory:
        """The inventory that was taken of an image; raises NotInventoried."""
        with self._database.read() as tx:
            found = self._store.image(tx, str(image))
        if found is None:
            raise NotInventoried(f"No inventory was taken of image {image}.", remedy="Push it again, or ship it.")
        return found

    def layer(self, layer: Digest) -> LayerInventory:
        """The inventory of one layer; raises NotInventoried."""
        with self._database.read() as tx:
            found = self._store.layer(tx, str(layer))
        if found is None:
            raise NotInventoried(f"No inventory was taken of layer {layer}.", remedy="Push an image that has it.")
        return found

    def files(self, image: Digest) -> dict[str, FileEntry]:
        """Every path a container of the image starts with, without leading slash; raises NotInventoried."""
        return merged_files(self.layer(Digest.parse(layer)) for layer in self.of(image).layers)

    def outdated(self, *, after: str = "", limit: int = 100) -> list[Digest]:
        """Images whose inventory other catalogers or another way of merging took, by digest beyond `after`."""
        version = merged_version(self._catalogers.version)
        with self._database.read() as tx:
            return [Digest.parse(one) for one in self._store.outdated(tx, version, after, limit)]

    def changes(self, image: Digest) -> list[LayerChange]:
        """What each layer of an image did to its packages, lowest first; raises NotInventoried."""
        return list(changes(self.layer(Digest.parse(layer)) for layer in self.of(image).layers))

    def images_in(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """The images of which an inventory was taken, in order, beyond `after`."""
        return self._store.images_after(tx, after, limit)

    def forget_in(self, tx: Transaction, images: Sequence[str]) -> None:
        """The images are no more. What was read of their layers stays: other images may have them."""
        self._store.forget_images(tx, images)

    def layers_in(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """The layers that were read, in order, beyond `after`."""
        return self._store.layers_after(tx, after, limit)

    def forget_layers_in(self, tx: Transaction, layers: Sequence[str]) -> None:
        """The layers are no more."""
        self._store.forget_layers(tx, layers)

    def _current(self, layer: Digest) -> LayerInventory | None:
        """What is known of a layer and as good as if it was read now."""
        with self._database.read() as tx:
            known = self._store.layer(tx, str(layer))
        if known is None or known.cataloger_version == self._catalogers.version:
            return known
        carried = self._catalogers.carried(known)
        if carried is not None:
            with self._database.write() as tx:
                self._store.put_layer(tx, carried)
        return carried

    def _read(self, layer: Digest) -> LayerInventory:
        began = self._clock.monotonic()
        with self._source.open(layer) as blob:
            inventory = read_layer(str(layer), blob, self._limits, self._catalogers)
        seconds = self._clock.monotonic() - began
        fact = LayerInventoried(
            layer=str(layer),
            cataloger_version=inventory.cataloger_version,
            packages=inventory.package_count,
            files=inventory.file_count,
            bytes=inventory.bytes_read,
            gaps=told(inventory.all_gaps),
            seconds=seconds,
        )
        with self._database.write() as tx:
            if self._store.put_layer(tx, inventory):
                self._ledger.append(tx, [fact], actor=_ACTOR)
        _log.info("layer inventoried", extra={"layer": str(layer), "seconds": round(seconds, 3)})
        return inventory


def told(notes: Sequence[Note]) -> tuple[str, ...]:
    """Notes as facts and policies carry them: short texts, the first twenty and how many more."""
    texts = [str(note) for note in notes[:_MOST_TOLD]]
    if len(notes) > _MOST_TOLD:
        texts.append(f"and {len(notes) - _MOST_TOLD} more")
    return tuple(texts)
