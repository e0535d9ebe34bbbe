"""Blobs as files, to be read: `blobs/sha256/ab/abcdef…`. A file is there when, and only when, all of it was checked."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from lading.kernel.digest import Digest
from lading.supply_chain.registry.content import unknown_blob
from lading.supply_chain.registry.errors import StorageFailed


class DirectoryContent:
    """The finished blobs below a directory."""

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs"

    def path(self, digest: Digest) -> Path:
        """The file that holds, or would hold, a blob."""
        return self._blobs / digest.algorithm / digest.hex[:2] / digest.hex

    def file(self, digest: Digest) -> Path | None:
        return self.path(digest)

    def size(self, digest: Digest) -> int | None:
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self.path(digest), error) from error

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        try:
            handle = self.path(digest).open("rb")
        except FileNotFoundError:
            raise unknown_blob(digest) from None
        except OSError as error:
            raise _unreadable(self.path(digest), error) from error
        handle.seek(start)
        return handle


def _unreadable(path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(
        f"{path} cannot be read: {error.strerror}.", remedy="Check the disk and the permissions of the data directory."
    )
