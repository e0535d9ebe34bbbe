"""A layer's bytes as uncompressed chunks: gzip, zstd or neither, told apart by their first bytes, within bounds.

Decompression runs one chunk ahead in a thread of its own: zlib and zstd release the interpreter, and so does hashing,
so two processors share the work.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Final, cast

import zstandard

from lading.supply_chain.inventory.limits import DEFAULT, Limits

CHUNK: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_MOST_WINDOW: Final = 1 << 27


class StreamEnded(Exception):
    """The stream stopped before its end. `kind` is the kind of gap, the message is its detail."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def uncompressed(blob: IO[bytes], limits: Limits = DEFAULT) -> Iterator[bytes]:
    """The uncompressed content in chunks of at most 1 MiB.

    Raises:
        StreamEnded: truncated, corrupt, or beyond a bound; what was yielded before is good.
    """
    counted = _Counted(blob)
    produced = 0
    with ThreadPoolExecutor(1, thread_name_prefix="layer-stream") as ahead:
        chunks = _chunks(counted)
        future = ahead.submit(next, chunks, b"")
        while chunk := future.result():
            future = ahead.submit(next, chunks, b"")
            produced += len(chunk)
            if produced > limits.bytes:
                raise StreamEnded("layer-too-large", f"reading stopped after {limits.bytes} bytes")
            if produced > limits.ratio_grace and produced > limits.ratio * counted.consumed:
                raise StreamEnded(
                    "layer-bomb",
                    f"{produced} bytes came out of {counted.consumed}; reading stopped at {limits.ratio}:1",
                )
            yield chunk


class _Counted:
    def __init__(self, blob: IO[bytes]) -> None:
        self._blob = blob
        self._head = b""
        self.consumed = 0

    def put_back(self, head: bytes) -> None:
        self._head = head

    def read(self, size: int = -1) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        data = self._blob.read(CHUNK if size < 0 else min(size, CHUNK))
        self.consumed += len(data)
        return data


def _chunks(blob: _Counted) -> Iterator[bytes]:
    head = b""
    while len(head) < 4 and (more := blob.read(4 - len(head))):
        head += more
    if head.startswith(_GZIP):
        yield from _gzip(blob, head)
    elif head.startswith(_ZSTD):
        yield from _zstd(blob, head)
    else:
        if head:
            yield head
        while data := blob.read(CHUNK):
            yield data


def _gzip(blob: _Counted, head: bytes) -> Iterator[bytes]:
    data = head
    try:
        while data:
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                out = member.decompress(data, CHUNK)
                data = member.unconsumed_tail
                if out:
                    yield out
                if data or member.eof:
                    continue
                data = blob.read(CHUNK // 8)
                if not data:
                    raise StreamEnded("layer-truncated", "the gzip stream ends in its middle")
            data = member.unused_data or blob.read(CHUNK // 8)
    except zlib.error as error:
        raise StreamEnded("layer-corrupt", f"gzip: {error}") from error


def _zstd(blob: _Counted, head: bytes) -> Iterator[bytes]:
    """Frames one after the other. The reader does not say when a frame is cut short: a tar without its end does."""
    blob.put_back(head)
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
    try:
        reader = decompressor.stream_reader(
            cast("IO[bytes]", blob), read_size=CHUNK // 8, read_across_frames=True, closefd=False
        )
        while data := reader.read(CHUNK):
            yield data
    except zstandard.ZstdError as error:
        raise StreamEnded("layer-corrupt", f"zstd: {error}") from error
