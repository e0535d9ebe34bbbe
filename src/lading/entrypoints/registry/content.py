"""Serving bytes: a blob or a manifest, whole or the part that a Range header asks for (RFC 9110 section 14).

Small content is sent from memory. A whole file is handed to the server by its path, which sends it without passing it
through Python. Everything else is opened before the first header is sent, so that what cannot be opened is an honest
error, and read a mebibyte at a time in a thread, so that a slow client holds no thread and little memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lading.entrypoints.registry.conditions import is_known, range_counts
from lading.entrypoints.registry.http import VERSION_HEADER
from lading.entrypoints.registry.warnings import NAME as WARNING
from lading.entrypoints.registry.warnings import warning_values
from lading.kernel.digest import Digest
from lading.kernel.errors import IntegrityFailure

_CHUNK: Final = 1 << 20
_MOST_IN_MEMORY: Final = 32 << 10
_RANGE: Final = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})")
_Headers = list[tuple[bytes, bytes]]


class Served(Response):
    """Content as the answer to any number of GET and HEAD requests.

    Args:
        open_at: gives the content from a byte on; raises when there is none.
        size: bytes of the whole content.
        path: the file that holds it, where it is a file.
        sent: called for each GET that is answered with the beginning of the content.
        remarks: what the client should know besides, for `Warning` headers.
        warning: of content that may be old (RFC 7234, section 5.5); empty otherwise.
    """

    def __init__(
        self,
        open_at: Callable[[int], IO[bytes]],
        digest: Digest,
        media_type: str,
        size: int,
        *,
        path: Path | None = None,
        sent: Callable[[], None] = lambda: None,
        remarks: Iterable[str] = (),
        warning: str = "",
    ) -> None:
        self._open_at = open_at
        self._digest = str(digest)
        self._size = size
        self._path = str(path) if path is not None and size > _MOST_IN_MEMORY else ""
        self._sent = sent
        self._content: bytes | None = None
        self.status_code = 200
        self.background = None
        headers = VERSION_HEADER | {
            "Accept-Ranges": "bytes",
            "Content-Type": media_type,
            "Docker-Content-Digest": str(digest),
            "ETag": f'"{digest}"',
            # What may be pulled today may be revoked tomorrow: no cache answers for the registry.
            "Cache-Control": "no-cache",
        }
        if warning:
            headers[WARNING] = warning
        self._common: _Headers = [(key.lower().encode(), value.encode("latin-1")) for key, value in headers.items()]
        self._common += [(WARNING.lower().encode(), value.encode()) for value in warning_values(remarks)]
        self._whole: _Headers = [*self._common, (b"content-length", b"%d" % size)]
        self.raw_headers = self._whole

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request. Raises, before anything is sent, when the content is not there."""
        keep: Callable[[Served], None] | None = scope.get("state", {}).get("keep")
        if keep is not None:
            keep(self)
        if is_known(scope, self._digest):
            await _empty(send, 304, self._common)
            return
        if scope["method"] == "HEAD":
            await _empty(send, 200, self._whole)
            return
        asked = _range(scope, self._size) if range_counts(scope, self._digest) else None
        if asked is None:
            await self._send_whole(scope, send)
            return
        start, end = asked
        if start >= self._size or start > end:
            await _empty(send, 416, [*self._common, (b"content-range", b"bytes */%d" % self._size)])
            return
        headers = [
            *self._common,
            (b"content-range", b"bytes %d-%d/%d" % (start, end, self._size)),
            (b"content-length", b"%d" % (end - start + 1)),
        ]
        await self._stream(send, start, end - start + 1, 206, headers)
        if start == 0:
            self._sent()

    async def _send_whole(self, scope: Scope, send: Send) -> None:
        if self._size <= _MOST_IN_MEMORY:
            if self._content is None:
                self._content = await run_in_threadpool(self._read)
            await send({"type": "http.response.start", "status": 200, "headers": self._whole})
            await send({"type": "http.response.body", "body": self._content})
        elif self._is_file() and "http.response.pathsend" in scope.get("extensions", {}):
            await send({"type": "http.response.start", "status": 200, "headers": self._whole})
            await send({"type": "http.response.pathsend", "path": self._path})
        else:
            await self._stream(send, 0, self._size, 200, self._whole)
        self._sent()

    def _is_file(self) -> bool:
        try:
            return bool(self._path) and os.stat(self._path).st_size == self._size  # noqa: PTH116 - for each request
        except OSError:
            return False

    def _read(self) -> bytes:
        with self._open_at(0) as stream:
            content = stream.read(self._size + 1)
        if len(content) != self._size:
            raise _shorter()
        return content

    async def _stream(self, send: Send, start: int, length: int, status: int, headers: _Headers) -> None:
        stream = await run_in_threadpool(self._open_at, start)
        try:
            chunk = await run_in_threadpool(stream.read, min(_CHUNK, length))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            left = length
            while left > len(chunk):
                if not chunk:
                    raise _shorter()
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await run_in_threadpool(stream.read, min(_CHUNK, left))
            await send({"type": "http.response.body", "body": chunk, "more_body": False})
        finally:
            stream.close()


async def _empty(send: Send, status: int, headers: _Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _range(scope: Scope, size: int) -> tuple[int, int] | None:
    """First and last byte that are asked for; None for no range or one that we may ignore (several ranges)."""
    header = next((value for key, value in scope["headers"] if key == b"range"), b"")
    asked = _RANGE.fullmatch(header)
    if asked is None or not (asked[1] or asked[2]):
        return None
    if not asked[1]:
        return max(size - int(asked[2]), 0), size - 1 if int(asked[2]) else -1
    return int(asked[1]), min(int(asked[2] or size - 1), size - 1)


def _shorter() -> IntegrityFailure:
    return IntegrityFailure("A blob is shorter than it was when it was pushed.", remedy="Push it again.")
