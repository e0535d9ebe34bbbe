"""Feeds as they come from files, uploads and the web: plain, gzip, zstd or zip; read piece by piece within bounds.

Gives the raw bytes of single records; `osv.parse_record` reads them.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import zstandard

from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.osv import MOST_RECORD

MOST_UNPACKED: Final = 8 << 30
# What has to be read as a whole: a catalogue, or a list of records.
MOST_WHOLE: Final = 512 << 20
_MOST_RECORDS: Final = 2_000_000
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP: Final = b"PK\x03\x04"
_DAMAGE: Final = (
    zlib.error, zstandard.ZstdError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError,
)  # fmt: skip
Content = bytes | Path


def unpacked(content: Content, most: int = MOST_WHOLE) -> bytes:
    """The whole content, decompressed; raises AdvisoryInvalid when damaged or too large."""
    with _opened(content) as stream:
        body: bytes = stream.read(most + 1)
    if len(body) > most:
        raise _wrong("it unpacks to too much")
    return body


@contextmanager
def opened_lines(content: Content) -> Iterator[Iterator[str]]:
    """The lines of a text, decompressed as they are read; raises AdvisoryInvalid when damaged."""
    with _opened(content) as stream:
        yield io.TextIOWrapper(stream, "utf-8", "replace")


def raw_records(content: Content) -> Iterator[bytes]:
    """Single OSV records out of an upload or a file; raises AdvisoryInvalid."""
    if _start(content, len(_ZIP)) == _ZIP:
        yield from _zipped(content)
        return
    with _opened(content) as stream:
        first = stream.readline(MOST_RECORD + 1)
        while first and not first.strip():
            first = stream.readline(MOST_RECORD + 1)
        if first.lstrip().startswith(b"["):
            rest = stream.read(MOST_WHOLE + 1)
            if len(rest) > MOST_WHOLE:
                raise _wrong("its list is too long; give JSON lines instead")
            yield from _listed(first + rest)
        elif _is_json(first):
            yield first
            yield from _lines(stream)
        elif first:
            rest = stream.read(MOST_RECORD + 1)
            yield (first + rest)[: MOST_RECORD + 1]


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    total = 0
    for number, line in enumerate(iter(lambda: stream.readline(MOST_RECORD + 1), b"")):
        total += len(line)
        if total > MOST_UNPACKED or number > _MOST_RECORDS:
            raise _wrong("it unpacks to too much")
        if line.strip():
            yield line


def _listed(body: bytes) -> Iterator[bytes]:
    try:
        for raw in msgspec.json.decode(body, type=list[msgspec.Raw]):
            yield bytes(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _wrong(str(error)[:200]) from error


def _zipped(content: Content) -> Iterator[bytes]:
    total = 0
    try:
        with zipfile.ZipFile(content if isinstance(content, Path) else io.BytesIO(content)) as archive:
            for number, info in enumerate(archive.infolist()):
                if not info.filename.endswith(".json") or info.is_dir():
                    continue
                total += info.file_size
                if info.file_size > MOST_RECORD or total > MOST_UNPACKED or number > _MOST_RECORDS:
                    raise _wrong(f"{info.filename[:100]} or all of it unpacks to too much")
                with archive.open(info) as member:
                    # More than it says would be a bomb; zipfile stops at what it says.
                    yield member.read(MOST_RECORD)
    except _DAMAGE as error:
        raise _wrong(f"it is damaged: {str(error)[:100]}") from error


@contextmanager
def _opened(content: Content) -> Iterator[Any]:
    """A buffered stream of what is in it; damage found while reading is raised as AdvisoryInvalid."""
    start = _start(content, 4)
    try:
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as raw:
            if start.startswith(_GZIP):
                yield io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 20)
            elif start.startswith(_ZSTD):
                reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
                    raw, read_across_frames=True, closefd=False
                )
                yield io.BufferedReader(reader, 1 << 20)
            else:
                yield io.BufferedReader(raw, 1 << 20) if isinstance(raw, io.RawIOBase) else raw
    except _DAMAGE as error:
        raise _wrong(f"it is damaged: {str(error)[:100]}") from error


def _start(content: Content, size: int) -> bytes:
    if isinstance(content, bytes):
        return content[:size]
    with content.open("rb") as handle:
        return handle.read(size)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return line.strip().endswith(b"}")


def _wrong(why: str) -> AdvisoryInvalid:
    return AdvisoryInvalid(
        f"The feed cannot be read: {why}.",
        remedy="Give OSV records as JSON, JSON lines or a zip of them, plain or compressed with gzip or zstd.",
    )
