"""Where layers come from: the port, and the adapter that keeps them in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Protocol

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.errors import LayerMissing


@dataclass(frozen=True, slots=True)
class LayerRef:
    """A layer of an image: the digest, media type and size in bytes of its blob, as it is stored (compressed)."""

    digest: Digest
    media_type: str
    size: int


class LayerSource(Protocol):
    """Images and their layers. May be called from any thread."""

    def layers(self, image: Digest) -> Sequence[LayerRef]:
        """The layers of the image whose manifest has this digest, lowest first; raises LayerMissing."""
        ...

    def open(self, layer: Digest) -> IO[bytes]:
        """The blob as a stream that the caller closes; its digest was checked when it came in; raises LayerMissing."""
        ...


class MemoryLayers:
    """Images whose layers are kept in memory."""

    def __init__(self) -> None:
        self._images: dict[Digest, tuple[LayerRef, ...]] = {}
        self._blobs: dict[Digest, bytes] = {}

    def add(self, *layers: bytes) -> Digest:
        """Keep an image of these layers, lowest first; returns a digest that stands for its manifest."""
        refs = []
        for content in layers:
            digest = Digest.of(content)
            self._blobs[digest] = content
            refs.append(LayerRef(digest, "application/vnd.oci.image.layer.v1.tar", len(content)))
        image = Digest.of("\n".join(str(ref.digest) for ref in refs).encode())
        self._images[image] = tuple(refs)
        return image

    def layers(self, image: Digest) -> Sequence[LayerRef]:
        if image not in self._images:
            raise LayerMissing(f"There is no image {image}.", remedy="Push it first.")
        return self._images[image]

    def open(self, layer: Digest) -> IO[bytes]:
        if layer not in self._blobs:
            raise LayerMissing(f"There is no layer {layer}.", remedy="Push the image again.")
        return io.BytesIO(self._blobs[layer])
