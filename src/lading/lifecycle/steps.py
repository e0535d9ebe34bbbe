"""What each step of a build did to the packages of its image, for the build's provenance.

The history of the image's configuration names the step of each layer; the inventories of its layers say what it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound
from lading.supply_chain.build.provenance import StepPackages
from lading.supply_chain.inventory.inventories import Inventories
from lading.supply_chain.registry.reading import LayerRef


class Images(Protocol):
    """What is said about images that were pushed."""

    def config(self, digest: Digest) -> dict[str, Any]:
        """The image configuration; empty when there is none. Raises NotFound."""
        ...

    def layers(self, digest: Digest) -> Sequence[LayerRef]:
        """The layers, lowest first. Raises NotFound."""
        ...


class BuildSteps:
    """Knows what the steps of a build installed."""

    def __init__(self, images: Images, inventories: Inventories) -> None:
        self._images = images
        self._inventories = inventories

    def of(
        self, image: Digest, bases: Iterable[Digest] = (), stages: Mapping[str, Digest] | None = None
    ) -> list[StepPackages]:
        """What each layer above those of `bases` did, lowest first; then those of the stages that it was built from.

        Takes the inventories of all of them. A layer is told once. A stage whose image is gone is left out.

        Raises:
            LayerMissing: a layer of the image is not there.
        """
        known = {str(layer) for base in bases for layer in self._layers(base)}
        told = self._above(image, "", known)
        for name, stage in (stages or {}).items():
            try:
                told += self._above(stage, name, known)
            except NotFound:
                continue
        return told

    def _above(self, image: Digest, stage: str, known: set[str]) -> list[StepPackages]:
        """What the layers did that are not in `known`; adds them to it."""
        self._inventories.take(image)
        done = self._inventories.changes(image)
        words = _words(self._images.config(image))
        named = words if len(words) == len(done) else [""] * len(done)
        told = [
            StepPackages(Digest.parse(change.layer), step, change.added, change.changed, change.removed, stage)
            for step, change in zip(named, done, strict=True)
            if change.layer not in known
        ]
        known.update(change.layer for change in done)
        return told

    def _layers(self, base: Digest) -> list[Digest]:
        try:
            return [layer.digest for layer in self._images.layers(base)]
        except NotFound:
            return []


def _words(config: dict[str, Any]) -> list[str]:
    """What made each layer; steps that only changed the configuration have none."""
    history = config.get("history")
    entries = [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []
    return [str(entry.get("created_by", "")) for entry in entries if not entry.get("empty_layer")]
