"""Blobs as files: `blobs/sha256/ab/abcdef…`, uploads as files beside them.

Own code rather than a library's, because durability is the point: a blob is written to a temporary file, flushed to the
disk, renamed, and its directory flushed, in that order.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from lading.kernel.digest import Digest
from lading.kernel.ids import new_id
from lading.supply_chain.registry.blobs import (
    check_digest,
    check_offset,
    hash_stream,
    unknown_blob,
    unknown_upload,
)
from lading.supply_chain.registry.errors import StorageFailed

_UPLOAD_ID: Final = re.compile(r"[0-9a-f-]{36}")
_MOST_HASHES: Final = 1_024


class DirectoryBlobs:
    """Blobs and uploads in a directory; several processes may share it."""

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs"
        self._uploads = directory / "uploads"
        # Running sha256 states of uploads this process took chunks of: a cache, a lost one is computed again.
        self._hashes: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()
        for path in (self._blobs, self._uploads):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, digest: Digest) -> Path:
        """The file that holds, or would hold, a blob."""
        return self._blobs / digest.algorithm / digest.hex[:2] / digest.hex

    def size(self, digest: Digest) -> int | None:
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        try:
            handle = self.path(digest).open("rb")
        except FileNotFoundError:
            raise unknown_blob(digest) from None
        handle.seek(start)
        return handle

    def put(self, digest: Digest, content: bytes) -> None:
        check_digest(digest, Digest.of(content, digest.algorithm))
        if self.size(digest) == len(content):
            return
        scratch = self._uploads / f"{new_id()}.put"
        try:
            with _translated(self._blobs), scratch.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            self._publish(scratch, digest)
        finally:
            scratch.unlink(missing_ok=True)

    def delete(self, digest: Digest) -> bool:
        try:
            self.path(digest).unlink()
        except FileNotFoundError:
            return False
        return True

    def start(self) -> str:
        upload = new_id()
        with _translated(self._uploads):
            (self._uploads / upload).touch(mode=0o600)
        return upload

    def offset(self, upload: str) -> int:
        try:
            return self._upload(upload).stat().st_size
        except FileNotFoundError:
            raise unknown_upload(upload) from None

    def append(self, upload: str, chunk: bytes, *, at: int) -> int:
        path = self._upload(upload)
        check_offset(at, self.offset(upload))
        try:
            with _translated(self._uploads), path.open("r+b") as handle:
                handle.seek(at)
                handle.write(chunk)
        except StorageFailed:
            self._cut(path, at)
            raise
        self._remember(upload, chunk, at)
        return at + len(chunk)

    def finish(self, upload: str, digest: Digest) -> int:
        path, size = self._upload(upload), self.offset(upload)
        actual = self._hash_of(upload, path, size, digest.algorithm)
        if actual != digest:
            path.unlink(missing_ok=True)
        check_digest(digest, actual)
        with _translated(self._uploads), path.open("rb") as handle:
            os.fsync(handle.fileno())
        self._publish(path, digest)
        return size

    def cancel(self, upload: str) -> None:
        try:
            self._upload(upload).unlink()
        except FileNotFoundError:
            raise unknown_upload(upload) from None
        with self._lock:
            self._hashes.pop(upload, None)

    def _publish(self, source: Path, digest: Digest) -> None:
        target = self.path(digest)
        with _translated(self._blobs):
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            source.replace(target)
            _flush_directory(target.parent)

    def _upload(self, upload: str) -> Path:
        if _UPLOAD_ID.fullmatch(upload) is None:
            raise unknown_upload(upload)
        return self._uploads / upload

    def _remember(self, upload: str, chunk: bytes, at: int) -> None:
        with self._lock:
            size, state = self._hashes.pop(upload, (0, None))
            if at == 0:
                size, state = 0, hashlib.sha256()
            if state is None or size != at:
                return
            state.update(chunk)
            self._hashes[upload] = (at + len(chunk), state)
            if len(self._hashes) > _MOST_HASHES:
                self._hashes.popitem(last=False)

    def _hash_of(self, upload: str, path: Path, size: int, algorithm: str) -> Digest:
        with self._lock:
            known, state = self._hashes.pop(upload, (0, None))
        if algorithm == "sha256" and state is not None and known == size:
            return Digest("sha256", state.hexdigest())
        with path.open("rb") as handle:
            return hash_stream(handle, algorithm)

    @staticmethod
    def _cut(path: Path, size: int) -> None:
        """Take back a chunk that did not fit on the disk, so that the upload can go on later."""
        os.truncate(path, size)


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StorageFailed(
            f"The disk of {place} is full." if full else f"{place} cannot be written: {error.strerror}.",
            remedy="Free some space and push again." if full else "Mend the disk or its permissions and push again.",
        ) from error


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
