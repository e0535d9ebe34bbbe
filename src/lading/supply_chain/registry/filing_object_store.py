"""Whole files into an object store, when a backup is restored: there are no uploads and no database to note them in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import obstore

from lading.kernel.digest import Digest
from lading.supply_chain.registry.content_object_store import ObjectStoreContent, key, translated

_PART: Final = 8 << 20


class ObjectStoreFiler(ObjectStoreContent):
    """The blobs of a bucket, to be read and filled."""

    def put_file(self, digest: Digest, file: Path) -> None:
        """Store a file whose digest was checked; it appears at once and whole; raises StorageFailed."""
        with translated(self._url):
            obstore.put(self._store, key(digest), file, use_multipart=file.stat().st_size > _PART, chunk_size=_PART)
