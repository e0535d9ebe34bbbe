"""The index of a layer's files, packed as it grows, so that a million files need little memory.

Rows are msgpack in one zstd stream; `unpack` gives them back one batch after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import zstandard

from lading.supply_chain.inventory.values import FileEntry

_BATCH: Final = 2_048
_LENGTH: Final = 4
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[FileEntry]).decode


class FilePacker:
    """Takes entries in the order of the archive."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=3).compressobj()
        self._packed: list[bytes] = []
        self._batch: list[FileEntry] = []
        self.count = 0

    def add(self, entry: FileEntry) -> None:
        """Take one entry in."""
        self._batch.append(entry)
        self.count += 1
        if len(self._batch) == _BATCH:
            self._flush()

    def finish(self) -> bytes:
        """The packed index."""
        self._flush()
        self._packed.append(self._compressor.flush())
        return b"".join(self._packed)

    def _flush(self) -> None:
        body = _encode(self._batch)
        self._packed.append(self._compressor.compress(len(body).to_bytes(_LENGTH) + body))
        self._batch = []


def unpack(packed: bytes) -> Iterator[FileEntry]:
    """The entries in the order of the archive; a path may come more than once, the last one counts."""
    if not packed:
        return
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        while length := reader.read(_LENGTH):
            size, body = int.from_bytes(length), b""
            while len(body) < size:
                body += reader.read(size - len(body))
            yield from _decode(body)
