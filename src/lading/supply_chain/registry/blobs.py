"""Bytes by digest: the port, what an upload is, and the adapter that keeps them in memory.

A blob is visible when, and only when, all of it is there and its digest was checked.
"""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

from lading.kernel.digest import Digest
from lading.supply_chain.registry.content import Content, unknown_blob
from lading.supply_chain.registry.errors import DigestInvalid, RangeInvalid, UploadUnknown


class BlobStore(Content, Protocol):
    """Finished content, to be read and written."""

    def put(self, digest: Digest, content: bytes) -> None:
        """Keep a small blob at once; durable on return; raises DigestInvalid. Keeping it twice changes nothing."""
        ...

    def delete(self, digest: Digest) -> bool:
        """Remove a blob; whether it was there."""
        ...

    def delete_many(self, digests: Sequence[Digest]) -> None:
        """Remove blobs; those that are not there are passed over. After a power failure some may be there again."""
        ...

    def all(self) -> Iterator[tuple[Digest, int]]:
        """Every blob with its size in bytes, in no order. Walks storage: for repairs, never for an answer."""
        ...


class UploadStore(Protocol):
    """Content on its way in. An upload survives the process that took its chunks."""

    def start(self, upload: str) -> None:
        """Begin an upload under an id: 8 to 128 hexadecimal digits and dashes that were not used before."""
        ...

    def offset(self, upload: str) -> int:
        """How many bytes it has; raises UploadUnknown."""
        ...

    def append(self, upload: str, chunk: bytes, *, at: int, more: bool = False) -> int:
        """Add a chunk that begins at byte `at`; returns the new size.

        Args:
            more: the caller goes on with the next chunk at once. What was added since the last call without it may be
                lost when this process dies or storage fails; `offset` says what is kept.

        Raises:
            UploadUnknown: there is no such upload.
            RangeInvalid: `at` is not where the upload ends; nothing was added.
            UploadBusy: another writer holds the upload.
            StorageFailed: storage is full or fails; nothing was added since the last call without `more`.
        """
        ...

    def finish(self, upload: str, digest: Digest) -> int:
        """Make it a blob, durable on return; returns its size.

        Raises:
            UploadUnknown: there is no such upload.
            DigestInvalid: the bytes have another digest; the upload is gone.
            StorageFailed: storage is full or fails; the upload stays and can be finished again.
        """
        ...

    def cancel(self, upload: str) -> None:
        """Forget it; raises UploadUnknown."""
        ...

    def expire(self, *, older_than: float) -> int:
        """Forget uploads that got nothing for `older_than` seconds; returns how many."""
        ...


class MemoryBlobs:
    """Blobs and uploads in memory: the second adapter, and what tests and dry runs use."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}
        self._uploads: dict[str, bytearray] = {}
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()

    def file(self, digest: Digest) -> Path | None:
        del digest
        return None

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

    def delete_many(self, digests: Sequence[Digest]) -> None:
        for digest in digests:
            self._blobs.pop(digest, None)

    def all(self) -> Iterator[tuple[Digest, int]]:
        yield from [(digest, len(content)) for digest, content in self._blobs.items()]

    def start(self, upload: str) -> None:
        self._uploads[upload] = bytearray()
        self._touched[upload] = time.monotonic()

    def offset(self, upload: str) -> int:
        return len(self._content(upload))

    def append(self, upload: str, chunk: bytes, *, at: int, more: bool = False) -> int:
        del more
        with self._lock:
            content = self._content(upload)
            check_offset(at, len(content))
            content += chunk
            self._touched[upload] = time.monotonic()
            return len(content)

    def finish(self, upload: str, digest: Digest) -> int:
        with self._lock:
            content = bytes(self._content(upload))
            self._forget(upload)
        self.put(digest, content)
        return len(content)

    def cancel(self, upload: str) -> None:
        with self._lock:
            self._content(upload)
            self._forget(upload)

    def expire(self, *, older_than: float) -> int:
        now = time.monotonic()
        with self._lock:
            old = [upload for upload in self._uploads if now - self._touched[upload] > older_than]
            for upload in old:
                self._forget(upload)
        return len(old)

    def _forget(self, upload: str) -> None:
        del self._uploads[upload], self._touched[upload]

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


def unknown_upload(upload: str) -> UploadUnknown:
    """The error for an upload that is not there."""
    return UploadUnknown(f"There is no upload {upload[:64]}.", remedy="Start a new one.")


def hash_stream(stream: IO[bytes], algorithm: str) -> Digest:
    """The digest of all that `stream` still holds, 1 MiB at a time."""
    state = hashlib.new(algorithm)
    while chunk := stream.read(1 << 20):
        state.update(chunk)
    return Digest(algorithm, state.hexdigest())
