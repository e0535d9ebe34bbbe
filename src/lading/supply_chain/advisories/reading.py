"""Feeds as they come from files, uploads and the web: plain, gzip, zstd or zip; unpacked within bounds.

Gives the raw bytes of single records; `osv.parse_record` reads them.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec
import zstandard

from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.osv import MOST_RECORD

MOST_UNPACKED: Final = 2 << 30
_MOST_RECORDS: Final = 2_000_000
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP: Final = b"PK\x03\x04"


def unpacked(content: bytes) -> bytes:
    """The content, decompressed when it is gzip or zstd; raises AdvisoryInvalid when damaged or too large."""
    try:
        if content.startswith(_GZIP):
            inflater = zlib.decompressobj(wbits=31)
            out = inflater.decompress(content, MOST_UNPACKED)
            if not inflater.eof:
                raise _wrong("it is cut short or unpacks to too much")
            return out
        if content.startswith(_ZSTD):
            with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
                content, read_across_frames=True
            ) as reader:
                out = reader.read(MOST_UNPACKED + 1)
            if len(out) > MOST_UNPACKED:
                raise _wrong("it unpacks to too much")
            return out
    except (zlib.error, zstandard.ZstdError) as error:
        raise _wrong(f"it is damaged: {error}") from error
    return content


def raw_records(content: bytes) -> Iterator[bytes]:
    """Single OSV records out of an upload or a file; raises AdvisoryInvalid."""
    if content.startswith(_ZIP):
        yield from _zipped(content)
        return
    body = unpacked(content).strip()
    if body.startswith(b"["):
        yield from _listed(body)
    elif b"\n" in body and _is_json(body.partition(b"\n")[0]):
        yield from (line for line in body.splitlines() if line.strip())
    elif body:
        yield body


def _listed(body: bytes) -> Iterator[bytes]:
    try:
        for raw in msgspec.json.decode(body, type=list[msgspec.Raw]):
            yield bytes(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _wrong(str(error)[:200]) from error


def _zipped(content: bytes) -> Iterator[bytes]:
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for number, info in enumerate(archive.infolist()):
                if not info.filename.endswith(".json") or info.is_dir():
                    continue
                total += info.file_size
                if info.file_size > MOST_RECORD or total > MOST_UNPACKED or number > _MOST_RECORDS:
                    raise _wrong(f"{info.filename[:100]} or all of it unpacks to too much")
                with archive.open(info) as member:
                    yield member.read(MOST_RECORD)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _wrong(f"it is damaged: {str(error)[:100]}") from error


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
