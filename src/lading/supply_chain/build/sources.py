"""Source archives, content-addressed in a directory, so that a patch can rebuild what was shipped before."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound
from lading.supply_chain.build.context import unpack
from lading.supply_chain.build.errors import BuilderUnavailable, SourceInvalid

MOST_BYTES: Final = 1 << 30


class Receiving:
    """An archive on its way in. Nothing of it is visible until `finish`."""

    def __init__(self, handle: IO[bytes], scratch: Path, directory: Path) -> None:
        self._handle = handle
        self._scratch = scratch
        self._directory = directory
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            SourceInvalid: the archive is larger than 1 GiB.
            BuilderUnavailable: the disk is full.
        """
        self._size += len(chunk)
        if self._size > MOST_BYTES:
            raise SourceInvalid(
                f"The source archive is larger than {MOST_BYTES >> 20} MiB.",
                remedy="Leave build results and data out of it with a .dockerignore file.",
            )
        self._hash.update(chunk)
        with _full_disk(self._directory):
            self._handle.write(chunk)

    def finish(self) -> tuple[Digest, int]:
        """Make the archive durable under its digest; returns digest and size in bytes."""
        digest = Digest("sha256", self._hash.hexdigest())
        with _full_disk(self._directory):
            self._handle.flush()
            os.fsync(self._handle.fileno())
        self._scratch.replace(self._directory / f"{digest.hex}.tar")
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return digest, self._size


class Sources:
    """The archives of a data directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def receiving(self) -> Iterator[Receiving]:
        """Take an archive in; whatever goes wrong, no part of it stays."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(prefix="incoming-", dir=self._directory)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                yield Receiving(handle, Path(name), self._directory)
        finally:
            Path(name).unlink(missing_ok=True)

    def keep(self, archive: Path) -> Digest:
        """Take an archive in from a file."""
        with self.receiving() as receiving, archive.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                receiving.write(chunk)
            return receiving.finish()[0]

    @contextmanager
    def checkout(self, digest: Digest) -> Iterator[Path]:
        """The source unpacked into a temporary directory.

        Raises:
            NotFound: there is no such archive.
            SourceInvalid: it is no source.
        """
        archive = self.path(digest)
        with tempfile.TemporaryDirectory(prefix="lading-checkout-") as scratch:
            unpack(archive, Path(scratch))
            yield Path(scratch)

    def path(self, digest: Digest) -> Path:
        """The archive file; raises NotFound."""
        path = self._directory / f"{digest.hex}.tar"
        if not path.is_file():
            raise NotFound(f"There is no source archive {digest}.", remedy="Upload it again with `lading ship`.")
        return path


@contextmanager
def _full_disk(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BuilderUnavailable(
            f"The disk of {directory} is full.", remedy="Free some space and try again."
        ) from error
