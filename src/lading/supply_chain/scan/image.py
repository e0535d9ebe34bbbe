"""An image that was opened, wherever it lies: what is known of it, and how its layers are read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Final

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.source import LayerRef
from lading.supply_chain.scan.errors import ContentAltered

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class OpenedImage:
    """An image ready to be read, lowest layer first.

    `kind` says where it lies: `registry`, `archive`, `layout` or `engine`. `digest` is that of the manifest, or of the
    configuration where there is no manifest. `open` gives a layer as a stream whose end raises ContentAltered when the
    bytes are not those of the digest. `notes` are gaps that opening brought up.
    """

    name: str
    kind: str
    digest: Digest
    layers: tuple[LayerRef, ...]
    open: Callable[[LayerRef], AbstractContextManager[IO[bytes]]]
    platform: str = ""
    configuration: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """What the image tells an engine to run it with: the `config` of its configuration."""
        found = self.configuration.get("config")
        return found if isinstance(found, dict) else {}


class CheckedStream(io.RawIOBase):
    """A stream of chunks as a file, hashed on its way; at its end the digest must be the one that was promised.

    Args:
        most: the bytes there may be, from the descriptor; more of them is an alteration too.
    """

    def __init__(self, chunks: Iterator[bytes], expected: Digest, most: int | None = None) -> None:
        super().__init__()
        self._chunks = chunks
        self._expected = expected
        self._hash = hashlib.new(expected.algorithm)
        self._left = most
        self._buffer = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if not self._buffer and not self._ended:
            self._fill()
        taken = min(len(into), len(self._buffer))
        into[:taken] = self._buffer[:taken]
        self._buffer = self._buffer[taken:]
        return taken

    def finish(self) -> None:
        """Read what the reader left, so that the digest is checked; raises ContentAltered."""
        self._buffer = memoryview(b"")
        while not self._ended:
            self._fill()

    def _fill(self) -> None:
        chunk = next((one for one in self._chunks if one), b"")
        self._hash.update(chunk)
        if self._left is not None:
            self._left -= len(chunk)
        self._ended = not chunk
        if (self._left is not None and self._left < 0) or (
            self._ended and self._hash.hexdigest() != self._expected.hex
        ):
            raise ContentAltered(
                f"A layer has other content than {self._expected} says.",
                remedy="Fetch or save the image again; what was read of it is not used.",
            )
        self._buffer = memoryview(chunk)


@contextmanager
def checked(chunks: Iterator[bytes], expected: Digest, most: int | None = None) -> Iterator[IO[bytes]]:
    """Chunks as a file that is read to its end and checked when the reader is done without an error."""
    stream = CheckedStream(chunks, expected, most)
    yield io.BufferedReader(stream, _CHUNK)
    stream.finish()


def chunks_of(handle: IO[bytes], length: int | None = None) -> Iterator[bytes]:
    """The next `length` bytes of a file (all that are left when None), in chunks."""
    left = length
    while left is None or left > 0:
        chunk = handle.read(_CHUNK if left is None else min(_CHUNK, left))
        if not chunk:
            return
        if left is not None:
            left -= len(chunk)
        yield chunk
