"""Serving bytes: a blob or a manifest, whole or the part that a Range header asks for (RFC 9110 section 14).

The content is opened before the first header is sent, so that what cannot be opened is an honest error, and read a
mebibyte at a time in a thread, so that a slow client holds no thread and little memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lading.entrypoints.registry.http import VERSION_HEADER
from lading.kernel.digest import Digest
from lading.kernel.errors import IntegrityFailure

_CHUNK: Final = 1 << 20
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_UNCACHED: Final = "no-cache"


def content_response(
    request: Request, open_at: Callable[[int], IO[bytes]], digest: Digest, media_type: str, size: int
) -> Response:
    """The answer to GET or HEAD.

    Args:
        open_at: gives the content from a byte on; raises when there is none.
        size: bytes of the whole content.
    """
    headers = VERSION_HEADER | {
        "Accept-Ranges": "bytes",
        "Content-Type": media_type,
        "Docker-Content-Digest": str(digest),
        "ETag": f'"{digest}"',
        # What may be pulled today may be revoked tomorrow: no cache answers for the registry.
        "Cache-Control": _UNCACHED,
    }
    if request.method == "HEAD":
        return Response(headers=headers | {"Content-Length": str(size)})
    asked = _range(request.headers.get("range", ""), size)
    if asked is None:
        return _Streamed(open_at, 0, size, 200, headers)
    start, end = asked
    if start >= size or start > end:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return _Streamed(open_at, start, end - start + 1, 206, headers)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte that are asked for; None for no range or one that we may ignore (several ranges)."""
    asked = _RANGE.fullmatch(header)
    if asked is None or not (asked[1] or asked[2]):
        return None
    if not asked[1]:
        return max(size - int(asked[2]), 0), size - 1 if int(asked[2]) else -1
    return int(asked[1]), min(int(asked[2] or size - 1), size - 1)


class _Streamed(Response):
    def __init__(
        self, open_at: Callable[[int], IO[bytes]], start: int, length: int, status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(status_code=status, headers=headers | {"Content-Length": str(length)})
        self._open_at = open_at
        self._start = start
        self._length = length

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        stream = await run_in_threadpool(self._open_at, self._start)
        try:
            chunk = await run_in_threadpool(stream.read, min(_CHUNK, self._length))
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            left = self._length
            while left > len(chunk):
                if not chunk:
                    raise IntegrityFailure("A blob is shorter than it was when it was pushed.", remedy="Push it again.")
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await run_in_threadpool(stream.read, min(_CHUNK, left))
            await send({"type": "http.response.body", "body": chunk, "more_body": False})
        finally:
            stream.close()
