"""Blobs in any S3-compatible object store, to be read, through obstore.

An object appears in the store at once and whole, so no partial blob is ever visible.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lading.kernel.digest import Digest
from lading.supply_chain.registry.content import unknown_blob
from lading.supply_chain.registry.errors import StorageFailed

# An object is read a few mebibytes a request: none lasts long however slow the client is, and each is tried again.
_RANGE: Final = 4 << 20
# A store that is down must become a 503 before the client gives up. The variables of the same names win.
_PATIENCE: Final = {"connect_timeout": "3s", "timeout": "60s"}
_RETRIES: Final[dict[str, Any]] = {"max_retries": 4, "retry_timeout": timedelta(seconds=15)}


class ObjectStoreContent:
    """The finished blobs of a bucket.

    Args:
        url: `s3://BUCKET/PREFIX`; credentials, region and endpoint come from the usual AWS_ variables.
        options: settings of the store that override the environment (endpoint, client_options, …).
    """

    def __init__(self, url: str, options: dict[str, Any] | None = None) -> None:
        parts = urlsplit(url)
        patience = {name: value for name, value in _PATIENCE.items() if f"AWS_{name.upper()}" not in os.environ}
        said: dict[str, Any] = patience | {"retry_config": _RETRIES} | (options or {})
        self._store = S3Store(parts.netloc, prefix=parts.path.strip("/") or None, **said)
        self._url = url

    def file(self, digest: Digest) -> Path | None:
        del digest
        return None

    def size(self, digest: Digest) -> int | None:
        try:
            with translated(self._url):
                return int(obstore.head(self._store, key(digest))["size"])
        except FileNotFoundError:
            return None

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        try:
            return read_object(self._store, key(digest), self._url, start)
        except FileNotFoundError:
            raise unknown_blob(digest) from None

    def signed_url(self, digest: Digest, seconds: int) -> str:
        """An address that gives the blob to anyone who knows it, for `seconds`; made here, without a request."""
        with translated(self._url):
            return obstore.sign(self._store, "GET", key(digest), timedelta(seconds=seconds))


def read_object(store: S3Store, name: str, url: str, start: int = 0) -> IO[bytes]:
    """An object from byte `start`, as a stream; raises FileNotFoundError and StorageFailed."""
    with translated(url):
        size = int(obstore.head(store, name)["size"])
    if start >= size:
        return io.BytesIO()
    return io.BufferedReader(_Ranges(store, name, url, start, size), _RANGE)


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
        reason = (str(error).splitlines() or ["no reason given"])[0][:500]
        raise StorageFailed(
            f"The object store {url} failed: {reason}",
            remedy="Check LADING_BLOB_URL, the AWS_ variables and the store itself.",
        ) from error


class _Ranges(io.RawIOBase):
    """An object as a readable file, a range a request."""

    def __init__(self, store: S3Store, name: str, url: str, start: int, size: int) -> None:
        self._store = store
        self._name = name
        self._url = url
        self._at = start
        self._size = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size)
        if end == self._at:
            return 0
        try:
            with translated(self._url):
                found = obstore.get_range(self._store, self._name, start=self._at, end=end)
        except FileNotFoundError:
            raise StorageFailed(
                f"The object {self._name} went away while it was read.", remedy="Ask again; it may have been deleted."
            ) from None
        count = len(found)
        buffer[:count] = memoryview(found)
        self._at += count
        return count
