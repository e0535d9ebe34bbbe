"""What both endpoints share: who is asking, how errors and content go over the wire (OCI distribution 1.1)."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from lading.kernel.errors import Forbidden, InvalidInput, LadingError, NotFound, Unauthenticated, Unavailable
from lading.supply_chain.registry.access import Access, Authenticator, Visitor
from lading.supply_chain.registry.errors import Denied, RangeInvalid, RegistryError

_log: Final = logging.getLogger(__name__)
_CHUNK: Final = 1 << 20
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
VERSION_HEADER: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="lading"'}


async def identify(request: Request, authenticator: Authenticator) -> Visitor:
    """The visitor behind a request's Basic or Bearer credentials.

    Raises:
        Unauthenticated: there are none, or they don't hold.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    user, secret = "", ""
    if scheme.lower() == "basic":
        try:
            user, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            secret = ""
    elif scheme.lower() == "bearer":
        secret = value
    visitor = await run_in_threadpool(authenticator.identify, user, secret) if secret else None
    if visitor is None:
        raise Unauthenticated("Log in first.", remedy="docker login with a robot's name and its token.")
    return visitor


async def authorise(
    authenticator: Authenticator, visitor: Visitor, access: Access, repository: str, owner: str
) -> None:
    """Raises Denied unless the visitor may do this with the repository."""
    if not await run_in_threadpool(authenticator.may, visitor, access, owner):
        whose = f"team {owner}" if owner else "nobody yet"
        raise Denied(
            f"{visitor.principal} may not {access} {repository}, which belongs to {whose}.",
            remedy="Ask an admin of that team for a role, or use a robot of it.",
        )


def failure(error: LadingError) -> Response:
    """An error as the specification wants it."""
    code, status, headers = _shape(error)
    detail = {"remedy": error.remedy} if error.remedy else None
    body = {"errors": [{"code": code, "message": str(error), "detail": detail}]}
    return JSONResponse(body, status, VERSION_HEADER | headers)


def _shape(error: LadingError) -> tuple[str, int, dict[str, str]]:
    if isinstance(error, Unauthenticated):
        return "UNAUTHORIZED", 401, _CHALLENGE
    code = error.oci_code if isinstance(error, RegistryError) else "UNSUPPORTED"
    if isinstance(error, RangeInvalid):
        return code, 416, {"Range": f"0-{max(error.offset - 1, 0)}"}
    for kind, status in ((Forbidden, 403), (NotFound, 404), (InvalidInput, 400), (Unavailable, 503)):
        if isinstance(error, kind):
            return ("DIGEST_INVALID" if code == "UNSUPPORTED" and status == 400 else code), status, {}
    return code, 500, {}


def unforeseen(request: Request, error: Exception) -> Response:
    """The answer to a fault of ours; the log says more."""
    _log.error("registry request failed unexpectedly", exc_info=error, extra={"path": request.url.path})
    body = {"errors": [{"code": "UNKNOWN", "message": "The registry has a fault; its log says more."}]}
    return JSONResponse(body, 500, VERSION_HEADER)


def content_response(
    request: Request, open_at: Callable[[int], IO[bytes]] | None, size: int, headers: dict[str, str]
) -> Response:
    """A blob or manifest, whole or the part that a Range header asks for (RFC 9110 section 14).

    Args:
        open_at: gives the content from a byte on; None for HEAD.
    """
    headers = VERSION_HEADER | headers | {"Accept-Ranges": "bytes"}
    start, end, status = 0, size - 1, 200
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked is not None and (asked[1] or asked[2]):
        if asked[1]:
            start, end = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
        else:
            start = max(size - int(asked[2]), 0)
        if start > end:
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    length = end - start + 1
    headers["Content-Length"] = str(length)
    if open_at is None:
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_chunks(open_at, start, length), status, headers)


async def _chunks(open_at: Callable[[int], IO[bytes]], start: int, length: int) -> AsyncIterator[bytes]:
    stream = await run_in_threadpool(open_at, start)
    try:
        while length > 0:
            chunk = await run_in_threadpool(stream.read, min(_CHUNK, length))
            if not chunk:
                raise Unavailable("A blob is shorter than recorded.", remedy="Push it again.")
            length -= len(chunk)
            yield chunk
    finally:
        stream.close()
