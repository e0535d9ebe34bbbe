"""Blobs in any S3-compatible object store, through obstore; uploads are gathered on the local disk first."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import obstore

from lading.kernel.digest import Digest
from lading.supply_chain.registry.blobs import check_digest
from lading.supply_chain.registry.content_object_store import ObjectStoreContent, key, translated
from lading.supply_chain.registry.uploads_directory import DirectoryUploads

_CHUNK: Final = 8 << 20


class ObjectStoreBlobs(ObjectStoreContent):
    """Blobs in a bucket.

    Args:
        url: `s3://BUCKET/PREFIX`; credentials, region and endpoint come from the usual AWS_ variables.
        scratch: a local directory for uploads that are not finished; processes that take one upload's chunks share it.
        options: settings of the store that override the environment (endpoint, client_options, …).
    """

    def __init__(self, url: str, scratch: Path, options: dict[str, Any] | None = None) -> None:
        super().__init__(url, options)
        self._uploads = DirectoryUploads(scratch)

    def put(self, digest: Digest, content: bytes) -> None:
        check_digest(digest, Digest.of(content, digest.algorithm))
        with translated(self._url):
            obstore.put(self._store, key(digest), content)

    def delete(self, digest: Digest) -> bool:
        present = self.size(digest) is not None
        if present:
            with translated(self._url):
                obstore.delete(self._store, key(digest))
        return present

    def start(self, upload: str) -> None:
        self._uploads.start(upload)

    def offset(self, upload: str) -> int:
        return self._uploads.offset(upload)

    def append(self, upload: str, chunk: bytes, *, at: int) -> int:
        return self._uploads.append(upload, chunk, at=at)

    def finish(self, upload: str, digest: Digest) -> int:
        with self._uploads.finishing(upload, digest) as (path, size), translated(self._url):
            obstore.put(self._store, key(digest), path, use_multipart=size > _CHUNK, chunk_size=_CHUNK)
        return size

    def cancel(self, upload: str) -> None:
        self._uploads.cancel(upload)

    def expire(self, *, older_than: float) -> int:
        return self._uploads.expire(older_than=older_than)
