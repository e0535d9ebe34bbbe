"""A directory as an image of one layer: its files as a tar stream, made while it is read, nothing written.

So the same reader and the same bounds hold for a root file system or a checked-out source as for a layer. Times and
owners' names are left out: the same files have the same digest.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lading.supply_chain.inventory.values import Note

_BLOCK: Final = tarfile.BLOCKSIZE
_CHUNK: Final = 1 << 20
_MOST_NOTES: Final = 1_000
UNREADABLE: Final = "file-unreadable"


class DirectoryTar(io.RawIOBase):
    """The tar stream of a directory. `gaps` and `digest` are complete when the stream has ended."""

    def __init__(self, root: Path, skip: tuple[Path, ...] = ()) -> None:
        super().__init__()
        self.gaps: list[Note] = []
        self.unread = 0
        self.size = 0
        self._root = root
        self._skip = {str(path.resolve()) for path in skip}
        self._device = root.stat().st_dev
        self._hash = hashlib.sha256()
        self._chunks = self._stream()
        self._buffer = memoryview(b"")

    @property
    def digest(self) -> str:
        """sha256 of what was read so far, as `sha256:HEX`."""
        return f"sha256:{self._hash.hexdigest()}"

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._buffer:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._hash.update(chunk)
            self.size += len(chunk)
            self._buffer = memoryview(chunk)
        taken = min(len(into), len(self._buffer))
        into[:taken] = self._buffer[:taken]
        self._buffer = self._buffer[taken:]
        return taken

    def _stream(self) -> Iterator[bytes]:
        yield from self._below(str(self._root), "")
        yield b"\0" * (2 * _BLOCK)

    def _below(self, directory: str, prefix: str) -> Iterator[bytes]:
        """Depth first, names in order; a stack of its own, so that deep trees are no trouble."""
        waiting = [(directory, prefix)]
        while waiting:
            here, below = waiting.pop()
            try:
                with os.scandir(here) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                self._gap(below, f"the directory cannot be listed: {error.strerror}")
                continue
            inner = []
            for entry in entries:
                path = f"{below}{entry.name}"
                try:
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        if status.st_dev != self._device:
                            self._gap(path, "another file system is mounted there, it was not read")
                        elif entry.path not in self._skip:
                            yield _header(path + "/", status, tarfile.DIRTYPE)
                            inner.append((entry.path, path + "/"))
                    else:
                        yield from self._entry(entry.path, path, status)
                except OSError as error:
                    self._gap(path, error.strerror or str(error))
            waiting += reversed(inner)

    def _entry(self, real: str, path: str, status: os.stat_result) -> Iterator[bytes]:
        if stat.S_ISLNK(status.st_mode):
            yield _header(path, status, tarfile.SYMTYPE, link=str(Path(real).readlink()))
        elif stat.S_ISREG(status.st_mode):
            # Without following: what was a file a moment ago may be a link out of the directory now.
            descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as handle:
                yield _header(path, status, tarfile.REGTYPE, size=status.st_size)
                yield from self._content(handle, path, status.st_size)
        elif stat.S_ISFIFO(status.st_mode):
            yield _header(path, status, tarfile.FIFOTYPE)

    def _content(self, handle: Any, path: str, size: int) -> Iterator[bytes]:
        left = size
        while left:
            try:
                chunk = handle.read(min(_CHUNK, left))
            except OSError as error:
                self._gap(path, f"it cannot be read: {error.strerror}")
                chunk = b""
            if not chunk:
                # The header has promised so many bytes.
                self._gap(path, f"it became shorter while it was read, by {left} bytes")
                chunk = b"\0" * min(_CHUNK, left)
            left -= len(chunk)
            yield chunk
        yield b"\0" * (-size % _BLOCK)

    def _gap(self, path: str, why: str) -> None:
        if len(self.gaps) < _MOST_NOTES:
            self.gaps.append(Note(UNREADABLE, path.encode("utf-8", "backslashreplace").decode(), why))
        else:
            self.unread += 1


def _header(path: str, status: os.stat_result, kind: bytes, *, size: int = 0, link: str = "") -> bytes:
    member = tarfile.TarInfo(path)
    member.type = kind
    member.mode = stat.S_IMODE(status.st_mode)
    member.uid, member.gid = status.st_uid, status.st_gid
    member.size = size
    member.linkname = link
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
