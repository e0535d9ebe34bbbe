"""Uploads as files: resumable, also by another process and after a crash.

Every change of an upload holds an exclusive lock on its file. Without it a second writer could change bytes after they
were hashed, or write on into the file after it became a blob.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from lading.kernel.digest import Digest
from lading.supply_chain.registry.blobs import check_digest, check_offset, hash_stream, unknown_upload
from lading.supply_chain.registry.errors import StorageFailed, UploadBusy

_UPLOAD_ID: Final = re.compile(r"[0-9a-f-]{8,128}")
_MOST_HASHES: Final = 1_024
_TRIES: Final = 100
_PAUSE_SECONDS: Final = 0.02


class DirectoryUploads:
    """Uploads in a directory; several processes may share it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "uploads"
        # Running sha256 states of uploads this process took chunks of: a cache, a lost one is computed again.
        self._hashes: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._guard = threading.Lock()
        with translated(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def start(self, upload: str) -> None:
        with translated(self.directory):
            self._path(upload).touch(mode=0o600)

    def offset(self, upload: str) -> int:
        try:
            return self._path(upload).stat().st_size
        except FileNotFoundError:
            raise unknown_upload(upload) from None

    def append(self, upload: str, chunk: bytes, *, at: int) -> int:
        with self._locked(upload) as handle:
            check_offset(at, os.fstat(handle.fileno()).st_size)
            try:
                with translated(self.directory):
                    _write(handle, chunk, at)
            except StorageFailed:
                # Take back what did fit, so that the upload can go on later.
                os.ftruncate(handle.fileno(), at)
                raise
            self._remember(upload, chunk, at)
        return at + len(chunk)

    def cancel(self, upload: str) -> None:
        with self._locked(upload):
            self._path(upload).unlink(missing_ok=True)
        with self._guard:
            self._hashes.pop(upload, None)

    @contextmanager
    def finishing(self, upload: str, digest: Digest) -> Iterator[tuple[Path, int]]:
        """The file of an upload and its size, checked and flushed, for the caller to copy or rename.

        The upload is gone afterwards; when the block raises it stays and can be finished again.

        Raises:
            UploadUnknown: there is no such upload.
            DigestInvalid: the bytes have another digest; the upload is gone.
        """
        path = self._path(upload)
        with self._locked(upload) as handle:
            size = os.fstat(handle.fileno()).st_size
            actual = self._hash_of(upload, path, size, digest.algorithm)
            if actual != digest:
                path.unlink(missing_ok=True)
            check_digest(digest, actual)
            with translated(self.directory):
                os.fsync(handle.fileno())
            yield path, size
            path.unlink(missing_ok=True)

    def expire(self, *, older_than: float) -> int:
        """Remove uploads that got nothing for `older_than` seconds; returns how many."""
        gone, now = 0, time.time()
        for path in self.directory.iterdir():
            try:
                if now - path.stat().st_mtime > older_than:
                    path.unlink()
                    gone += 1
            except FileNotFoundError:
                continue
        return gone

    def _path(self, upload: str) -> Path:
        if _UPLOAD_ID.fullmatch(upload) is None:
            raise unknown_upload(upload)
        return self.directory / upload

    @contextmanager
    def _locked(self, upload: str) -> Iterator[IO[bytes]]:
        path = self._path(upload)
        try:
            handle = path.open("r+b", buffering=0)
        except FileNotFoundError:
            raise unknown_upload(upload) from None
        with handle:
            _lock(handle, upload)
            # The file may have become a blob, or gone, while the lock was waited for.
            if not _is_at(handle, path):
                raise unknown_upload(upload)
            yield handle

    def _remember(self, upload: str, chunk: bytes, at: int) -> None:
        with self._guard:
            size, state = self._hashes.pop(upload, (0, None))
        if at == 0:
            size, state = 0, hashlib.sha256()
        if state is None or size != at:
            return
        state.update(chunk)
        with self._guard:
            self._hashes[upload] = (at + len(chunk), state)
            if len(self._hashes) > _MOST_HASHES:
                self._hashes.popitem(last=False)

    def _hash_of(self, upload: str, path: Path, size: int, algorithm: str) -> Digest:
        with self._guard:
            known, state = self._hashes.pop(upload, (0, None))
        if algorithm == "sha256" and state is not None and known == size:
            return Digest("sha256", state.hexdigest())
        with path.open("rb") as handle:
            return hash_stream(handle, algorithm)


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """Raises StorageFailed for what the disk does, except for files that are not there."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise StorageFailed(
            f"The disk of {place} is full." if full else f"{place} cannot be written: {error.strerror}.",
            remedy="Free some space and push again." if full else "Mend the disk or its permissions and push again.",
        ) from error


def _write(handle: IO[bytes], chunk: bytes, at: int) -> None:
    handle.seek(at)
    rest = memoryview(chunk)
    while rest:
        rest = rest[handle.write(rest) :]


def _lock(handle: IO[bytes], upload: str) -> None:
    """Wait two seconds at most: the one who holds it writes one chunk, or publishes the blob."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    raise UploadBusy(f"Somebody else writes to upload {upload[:64]}.", remedy="Send the chunks of an upload in turn.")


def _is_at(handle: IO[bytes], path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(handle.fileno())
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
