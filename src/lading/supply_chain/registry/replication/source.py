"""Our own registry as a place to copy images from, within the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lading.kernel.digest import Digest
from lading.supply_chain.registry.copying import FoundManifest
from lading.supply_chain.registry.reading import Reading

_CHUNK = 1 << 20


class LocalSource:
    """Reads images of a registry, whatever state they are in: who copies decides what goes."""

    def __init__(self, registry: Reading) -> None:
        self._registry = registry

    def manifest(self, repository: str, reference: str) -> FoundManifest:
        found = self._registry.resolve(repository, reference)
        return FoundManifest(found.media_type, self._registry.manifest(found.digest))

    @contextmanager
    def open_blob(self, repository: str, digest: Digest) -> Iterator[Iterator[bytes]]:
        self._registry.blob_size(repository, digest)
        with self._registry.open_blob(digest) as stream:
            yield iter(lambda: stream.read(_CHUNK), b"")
