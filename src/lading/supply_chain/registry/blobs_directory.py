"""Blobs as files: `blobs/sha256/ab/abcdef…`, uploads as files beside them.

Own code rather than a library's, because durability is the point: a blob is written to a temporary file, flushed to the
disk, renamed, and its directory flushed, in that order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.ids import new_id
from lading.supply_chain.registry.blobs import check_digest
from lading.supply_chain.registry.content_directory import DirectoryContent
from lading.supply_chain.registry.uploads_directory import DirectoryUploads, translated


class DirectoryBlobs(DirectoryContent):
    """Blobs and uploads in a directory; several processes may share it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._uploads = DirectoryUploads(directory)
        with translated(self._blobs):
            self._blobs.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, digest: Digest, content: bytes) -> None:
        check_digest(digest, Digest.of(content, digest.algorithm))
        if self.size(digest) == len(content):
            return
        scratch = self._uploads.directory / f"{new_id()}.put"
        try:
            with translated(self._blobs), scratch.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            self._publish(scratch, digest)
        finally:
            scratch.unlink(missing_ok=True)

    def delete(self, digest: Digest) -> bool:
        path = self.path(digest)
        try:
            with translated(self._blobs):
                path.unlink()
                _flush_directory(path.parent)
        except FileNotFoundError:
            return False
        return True

    def delete_many(self, digests: Sequence[Digest]) -> None:
        with translated(self._blobs):
            for path in map(self.path, digests):
                path.unlink(missing_ok=True)

    def all(self) -> Iterator[tuple[Digest, int]]:
        with translated(self._blobs):
            for path in self._blobs.glob("*/??/*"):
                try:
                    yield Digest.parse(f"{path.parent.parent.name}:{path.name}"), path.stat().st_size
                except (FileNotFoundError, InvalidInput):
                    # Deleted since, or nothing of ours.
                    continue

    def start(self, upload: str) -> None:
        self._uploads.start(upload)

    def offset(self, upload: str) -> int:
        return self._uploads.offset(upload)

    def append(self, upload: str, chunk: bytes, *, at: int, more: bool = False) -> int:
        del more  # every chunk is in its file at once
        return self._uploads.append(upload, chunk, at=at)

    def finish(self, upload: str, digest: Digest) -> int:
        with self._uploads.finishing(upload, digest) as (path, size):
            self._publish(path, digest)
        return size

    def cancel(self, upload: str) -> None:
        self._uploads.cancel(upload)

    def expire(self, *, older_than: float) -> int:
        return self._uploads.expire(older_than=older_than)

    def _publish(self, source: Path, digest: Digest) -> None:
        target = self.path(digest)
        with translated(self._blobs):
            fresh = not target.parent.exists()
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            source.replace(target)
            _flush_directory(target.parent)
            if fresh:
                _flush_directory(target.parent.parent)
                _flush_directory(self._blobs)


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
