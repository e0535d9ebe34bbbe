"""Bytes by digest, to be read: the port that both halves of the registry share."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Protocol

from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import BlobUnknown


class Content(Protocol):
    """Finished content. All methods may be called from any thread; `StorageFailed` is raised when storage fails."""

    def size(self, digest: Digest) -> int | None:
        """The size in bytes, or None when the blob is not there."""
        ...

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        """The content from byte `start`, as a stream that the caller closes; raises BlobUnknown.

        Reading the stream raises StorageFailed when storage fails under way. A start beyond the end gives no bytes.
        """
        ...

    def file(self, digest: Digest) -> Path | None:
        """The file that holds the blob if it is there; None where blobs are no files."""
        ...


def unknown_blob(digest: Digest) -> BlobUnknown:
    """The error for a blob that is not there."""
    return BlobUnknown(f"There is no blob {digest}.", remedy="Push it first.")
