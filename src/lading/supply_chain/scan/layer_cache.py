"""What layers were found to hold, kept from scan to scan: by the layer's digest and the version of the catalogers.

The cache is believed: who can write to it decides what scans find. Give it to one pipeline, not to everybody.
"""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

import msgspec
import zstandard

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.catalogers import VERSION
from lading.supply_chain.inventory.values import LayerInventory
from lading.supply_chain.scan.errors import TargetUnreadable

_MOST: Final = 1 << 30
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(LayerInventory).decode


class LayerCache(Protocol):
    """Layer inventories by digest. What was put can be found after the call, also by other processes."""

    def find(self, layer: Digest) -> LayerInventory | None:
        """The inventory of a layer as this version of Lading would take it; None when there is none."""
        ...

    def keep(self, layer: Digest, inventory: LayerInventory) -> None:
        """Keep an inventory; keeping it again changes nothing. Raises TargetUnreadable when it cannot be written."""
        ...


class MemoryLayerCache:
    """A cache that lasts as long as the process."""

    def __init__(self) -> None:
        self._kept: dict[Digest, LayerInventory] = {}

    def find(self, layer: Digest) -> LayerInventory | None:
        return self._kept.get(layer)

    def keep(self, layer: Digest, inventory: LayerInventory) -> None:
        self._kept[layer] = inventory


class DirectoryLayerCache:
    """A cache in a directory that several processes may share; entries appear whole or not at all."""

    def __init__(self, directory: Path, version: str = VERSION) -> None:
        self._directory = directory / "layers" / sha256(version.encode()).hexdigest()[:16]
        self._version = version

    def find(self, layer: Digest) -> LayerInventory | None:
        try:
            packed = self._path(layer).read_bytes()
            found = _decode(zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MOST))
        except (OSError, zstandard.ZstdError, msgspec.MsgspecError):
            # Not there, or damaged: the layer is read again.
            return None
        return found if found.layer == str(layer) and found.cataloger_version == self._version else None

    def keep(self, layer: Digest, inventory: LayerInventory) -> None:
        path = self._path(layer)
        packed = zstandard.ZstdCompressor(level=3).compress(_encode(inventory))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as handle:
                handle.write(packed)
            Path(handle.name).replace(path)
        except OSError as error:
            raise TargetUnreadable(
                f"The cache {self._directory} cannot be written: {error.strerror}.",
                remedy="Name another directory with --cache, or do without with --no-cache.",
            ) from error

    def _path(self, layer: Digest) -> Path:
        return self._directory / layer.hex[:2] / f"{layer.algorithm}-{layer.hex}"
