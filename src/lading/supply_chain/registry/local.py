"""Our own registry as a place to copy images into, from within the process, without HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import BlobUnknown, RegistryError
from lading.supply_chain.registry.registry import Registry

_CHUNK: Final = 4 << 20


class RegistrySink:
    """Pushes into a registry as a visitor. What is pushed starts in quarantine, like everything else."""

    def __init__(self, registry: Registry, visitor: Visitor) -> None:
        self._registry = registry
        self._visitor = visitor

    def has_blob(self, repository: str, digest: Digest) -> bool:
        try:
            self._registry.blob_size(repository, digest)
        except BlobUnknown:
            return False
        return True

    def put_blob(self, repository: str, digest: Digest, chunks: Iterable[bytes]) -> None:
        upload = self._registry.start_upload(repository)
        try:
            at, buffer = 0, bytearray()
            for chunk in chunks:
                buffer += chunk
                if len(buffer) >= _CHUNK:
                    at = self._registry.append(repository, upload, bytes(buffer), at=at, more=True)
                    buffer.clear()
            self._registry.append(repository, upload, bytes(buffer), at=at)
        except RegistryError:
            self._registry.cancel_upload(repository, upload)
            raise
        self._registry.finish_upload(repository, upload, digest, self._visitor)

    def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes) -> Digest:
        return self._registry.put_manifest(repository, reference, media_type, body, self._visitor).digest
