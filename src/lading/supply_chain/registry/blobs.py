"""Bytes by digest: the port, what an upload is, and the adapter that keeps them in memory.

A blob is visible when, and only when, all of it is there and its digest was checked.
"""

from __future__ import annotations

import hashlib
import io
import threading
from typing import IO, Protocol

from lading.kernel.digest import Digest
from lading.kernel.ids import new_id
from lading.supply_chain.registry.errors import BlobUnknown, DigestInvalid, RangeInvalid, UploadUnknown


class BlobStore(Protocol):
    """Finished content. All methods may be called from any thread; `StorageFailed` is raised when storage fails."""

    def size(self, digest: Digest) -> int | None:
        """The size in bytes, or None when the blob is not there."""
        ...

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        """The content from byte `start`, as a stream that the caller closes; raises BlobUnknown."""
        ...

    def put(self, digest: Digest, content: bytes) -> None:
        """Keep a small blob at once; durable on return; raises DigestInvalid. Keeping it twice changes nothing."""
        ...

    def delete(self, digest: Digest) -> bool:
        """Remove a blob; whether it was there."""
        ...


class UploadStore(Protocol):
    """Content on its way in. An upload survives the process that took its chunks."""

    def start(self) -> str:
        """Begin an upload; returns its id."""
        ...

    def offset(self, upload: str) -> int:
        """How many bytes it has; raises UploadUnknown."""
        ...

    def append(self, upload: str, chunk: bytes, *, at: int) -> int:
        """Add a chunk that begins at byte `at`; returns the new size.

        Raises:
            UploadUnknown: there is no such upload.
            RangeInvalid: `at` is not where the upload ends; nothing was added.
        """
        ...

    def finish(self, upload: str, digest: Digest) -> int:
        """Make it a blob, durable on return; returns its size.

        Raises:
            UploadUnknown: there is no such upload.
            DigestInvalid: the bytes have another digest; the upload is gone.
        """
        ...

    def cancel(self, upload: str) -> None:
        """Forget it; raises UploadUnknown."""
        ...


class MemoryBlobs:
    """Blobs and uploads in memory: the second adapter, and what tests and dry runs use."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}
        self._uploads: dict[str, bytearray] = {}
        self._lock = threading.Lock()

    def size(self, digest: Digest) -> int | None:
        content = self._blobs.get(digest)
        return None if content is None else len(content)

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        if digest not in self._blobs:
            raise unknown_blob(digest)
        return io.BytesIO(self._blobs[digest][start:])

    def put(self, digest: Digest, content: bytes) -> None:
        check_digest(digest, Digest.of(content, digest.algorithm))
        self._blobs[digest] = content

    def delete(self, digest: Digest) -> bool:
        return self._blobs.pop(digest, None) is not None

    def start(self) -> str:
        upload = new_id()
        self._uploads[upload] = bytearray()
        return upload

    def offset(self, upload: str) -> int:
        return len(self._content(upload))

    def append(self, upload: str, chunk: bytes, *, at: int) -> int:
        with self._lock:
            content = self._content(upload)
            check_offset(at, len(content))
            content += chunk
            return len(content)

    def finish(self, upload: str, digest: Digest) -> int:
        with self._lock:
            content = bytes(self._content(upload))
            del self._uploads[upload]
        self.put(digest, content)
        return len(content)

    def cancel(self, upload: str) -> None:
        self._content(upload)
        del self._uploads[upload]

    def _content(self, upload: str) -> bytearray:
        if upload not in self._uploads:
            raise unknown_upload(upload)
        return self._uploads[upload]


def check_digest(expected: Digest, actual: Digest) -> None:
    """Raises DigestInvalid unless both are the same."""
    if expected != actual:
        raise DigestInvalid(f"The content has digest {actual}, not {expected}.", remedy="Push it again.")


def check_offset(at: int, size: int) -> None:
    """Raises RangeInvalid unless a chunk at `at` continues an upload of `size` bytes."""
    if at != size:
        raise RangeInvalid(
            f"The chunk begins at byte {at}, but the upload ends at byte {size}.",
            offset=size,
            remedy="Ask for the upload's range and go on from there.",
        )


def unknown_blob(digest: Digest) -> BlobUnknown:
    """The error for a blob that is not there."""
    return BlobUnknown(f"There is no blob {digest}.", remedy="Push it first.")


def unknown_upload(upload: str) -> UploadUnknown:
    """The error for an upload that is not there."""
    return UploadUnknown(f"There is no upload {upload[:64]}.", remedy="Start a new one.")


def hash_stream(stream: IO[bytes], algorithm: str) -> Digest:
    """The digest of all that `stream` still holds, 1 MiB at a time."""
    state = hashlib.new(algorithm)
    while chunk := stream.read(1 << 20):
        state.update(chunk)
    return Digest(algorithm, state.hexdigest())
