"""Blobs in any S3-compatible object store, through obstore; uploads are gathered on the local disk first.

An object appears in the store at once and whole, so no partial blob is ever visible.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lading.kernel.digest import Digest
from lading.supply_chain.registry.blobs import check_digest, unknown_blob
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.errors import StorageFailed

_CHUNK: Final = 8 << 20


class ObjectStoreBlobs:
    """Blobs in a bucket.

    Args:
        url: `s3://BUCKET/PREFIX`; credentials, region and endpoint come from the usual AWS_ variables.
        scratch: a local directory for uploads that are not finished.
        options: settings of the store that override the environment (endpoint, allow_http, …).
    """

    def __init__(self, url: str, scratch: Path, options: dict[str, Any] | None = None) -> None:
        parts = urlsplit(url)
        self._store = S3Store(parts.netloc, prefix=parts.path.strip("/") or None, **(options or {}))
        self._scratch = DirectoryBlobs(scratch)
        self._url = url

    def size(self, digest: Digest) -> int | None:
        try:
            with self._translated():
                return int(obstore.head(self._store, _key(digest))["size"])
        except FileNotFoundError:
            return None

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        try:
            with self._translated():
                size = int(obstore.head(self._store, _key(digest))["size"])
                if start >= size:
                    return io.BytesIO()
                found = obstore.get(self._store, _key(digest), options={"range": (start, size)})
                return io.BufferedReader(_Stream(iter(found.stream(min_chunk_size=1 << 20))), 1 << 20)
        except FileNotFoundError:
            raise unknown_blob(digest) from None

    def put(self, digest: Digest, content: bytes) -> None:
        check_digest(digest, Digest.of(content, digest.algorithm))
        with self._translated():
            obstore.put(self._store, _key(digest), content)

    def delete(self, digest: Digest) -> bool:
        present = self.size(digest) is not None
        if present:
            with self._translated():
                obstore.delete(self._store, _key(digest))
        return present

    def start(self) -> str:
        return self._scratch.start()

    def offset(self, upload: str) -> int:
        return self._scratch.offset(upload)

    def append(self, upload: str, chunk: bytes, *, at: int) -> int:
        return self._scratch.append(upload, chunk, at=at)

    def finish(self, upload: str, digest: Digest) -> int:
        size = self._scratch.finish(upload, digest)
        with self._translated(), self._scratch.open(digest) as content:
            obstore.put(self._store, _key(digest), content, use_multipart=size > _CHUNK, chunk_size=_CHUNK)
        self._scratch.delete(digest)
        return size

    def cancel(self, upload: str) -> None:
        self._scratch.cancel(upload)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            reason = (str(error).splitlines() or ["no reason given"])[0][:200]
            raise StorageFailed(
                f"The object store {self._url} failed: {reason}",
                remedy="Check LADING_BLOB_URL, the AWS_ variables and the store itself.",
            ) from error


class _Stream(io.RawIOBase):
    """An iterator of byte chunks as a readable file."""

    def __init__(self, chunks: Iterator[Any]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(bytes(next(self._chunks, b"")))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _key(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"
