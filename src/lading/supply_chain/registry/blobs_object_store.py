"""Blobs in any S3-compatible object store, through obstore; uploads are pieces in it and rows in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import obstore

from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.state import Database
from lading.supply_chain.registry.blobs import check_digest
from lading.supply_chain.registry.content_object_store import ObjectStoreContent, key, translated
from lading.supply_chain.registry.uploads_object_store import ObjectStoreUploads


class ObjectStoreBlobs(ObjectStoreContent):
    """Blobs in a bucket.

    Args:
        url: `s3://BUCKET/PREFIX`; credentials, region and endpoint come from the usual AWS_ variables.
        database: keeps the state of uploads; every process on it and the bucket goes on with the same uploads.
        options: settings of the store that override the environment (endpoint, client_options, …).
    """

    def __init__(
        self, url: str, database: Database, options: dict[str, Any] | None = None, clock: Clock | None = None
    ) -> None:
        super().__init__(url, options)
        self._uploads = ObjectStoreUploads(self._store, url, database, clock)

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

    def delete_many(self, digests: Sequence[Digest]) -> None:
        if digests:
            with translated(self._url):
                obstore.delete(self._store, [key(digest) for digest in digests])

    def all(self) -> Iterator[tuple[Digest, int]]:
        with translated(self._url):
            for page in obstore.list(self._store, "blobs"):
                for item in page:
                    parts = item["path"].split("/")
                    try:
                        yield Digest.parse(f"{parts[-3]}:{parts[-1]}"), int(item["size"])
                    except (IndexError, InvalidInput):
                        # Nothing of ours.
                        continue

    def start(self, upload: str) -> None:
        self._uploads.start(upload)

    def offset(self, upload: str) -> int:
        return self._uploads.offset(upload)

    def append(self, upload: str, chunk: bytes, *, at: int, more: bool = False) -> int:
        return self._uploads.append(upload, chunk, at=at, more=more)

    def finish(self, upload: str, digest: Digest) -> int:
        return self._uploads.finish(upload, digest, key(digest))

    def cancel(self, upload: str) -> None:
        self._uploads.cancel(upload)

    def expire(self, *, older_than: float) -> int:
        return self._uploads.expire(older_than=older_than)
