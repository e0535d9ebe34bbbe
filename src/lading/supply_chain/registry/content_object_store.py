"""Blobs in any S3-compatible object store, to be read, through obstore.

An object appears in the store at once and whole, so no partial blob is ever visible.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lading.kernel.digest import Digest
from lading.supply_chain.registry.content import unknown_blob
from lading.supply_chain.registry.errors import StorageFailed


class ObjectStoreContent:
    """The finished blobs of a bucket.

    Args:
        url: `s3://BUCKET/PREFIX`; credentials, region and endpoint come from the usual AWS_ variables.
        options: settings of the store that override the environment (endpoint, client_options, …).
    """

    def __init__(self, url: str, options: dict[str, Any] | None = None) -> None:
        parts = urlsplit(url)
        self._store = S3Store(parts.netloc, prefix=parts.path.strip("/") or None, **(options or {}))
        self._url = url

    def size(self, digest: Digest) -> int | None:
        try:
            with translated(self._url):
                return int(obstore.head(self._store, key(digest))["size"])
        except FileNotFoundError:
            return None

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        size = self.size(digest)
        if size is None:
            raise unknown_blob(digest)
        if start >= size:
            return io.BytesIO()
        try:
            with translated(self._url):
                found = obstore.get(self._store, key(digest), options={"range": (start, size)})
                chunks = iter(found.stream(min_chunk_size=1 << 20))
        except FileNotFoundError:
            raise unknown_blob(digest) from None
        return io.BufferedReader(_Stream(chunks, self._url), 1 << 20)


def key(digest: Digest) -> str:
    """The name of the object that holds a blob."""
    return f"blobs/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raises StorageFailed for what the store or the network does, except for objects that are not there."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0][:200]
        raise StorageFailed(
            f"The object store {url} failed: {reason}",
            remedy="Check LADING_BLOB_URL, the AWS_ variables and the store itself.",
        ) from error


class _Stream(io.RawIOBase):
    """An iterator of byte chunks as a readable file."""

    def __init__(self, chunks: Iterator[Any], url: str) -> None:
        self._chunks = chunks
        self._url = url
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            with translated(self._url):
                self._rest = memoryview(bytes(next(self._chunks, b"")))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
