"""What both endpoints share: how errors go over the wire (OCI distribution 1.1, "Error Codes"), numbers and lists."""

from __future__ import annotations

import logging
import math
from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from lading.entrypoints.registry.audit import Calls, NoCalls, note_refusal
from lading.entrypoints.registry.challenge import challenge
from lading.kernel.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    LadingError,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from lading.supply_chain.registry.errors import (
    BlobInUse,
    ConditionFailed,
    Denied,
    NameInvalid,
    RangeInvalid,
    RegistryError,
    ScopeMissing,
    SizeInvalid,
    TooLarge,
    TooManyRequests,
    TooSlow,
)
from lading.supply_chain.registry.mirroring.errors import NotYet

_log: Final = logging.getLogger(__name__)
VERSION_HEADER: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}
_MOST_DIGITS: Final = 18
_MOST_TEXT: Final = 1_024
_MOST_ITEMS: Final = 10_000
_MOST_VALUES: Final = 100
_CLIENT_GONE: Final = 499


def application(routes: list[BaseRoute], service: str = "", calls: Calls | None = None) -> Starlette:
    """An ASGI application whose errors are those of the specification.

    Args:
        service: the name that it issues tokens under; empty when it issues none.
        calls: where refused calls are written down.
    """
    handlers = {
        LadingError: _ours,
        HTTPException: _foreseen,
        ClientDisconnect: _gone,
        Exception: _unforeseen,
    }
    made = Starlette(routes=routes, exception_handlers=handlers)
    made.state.service = service
    made.state.calls = calls or NoCalls()
    # A redirect to a path with a slash more would answer for methods and paths that are not there.
    made.router.redirect_slashes = False
    return made


def number(text: str, what: str) -> int:
    """A number off the wire; raises SizeInvalid."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise SizeInvalid(f"{what} is not a number: {text[:40]!r}.")
    return int(text)


def text(request: Request, name: str) -> str:
    """A query parameter; raises NameInvalid for one that no list could hold."""
    value = request.query_params.get(name, "")
    if len(value) > _MOST_TEXT or not value.isprintable():
        raise NameInvalid(f"The parameter {name} is too long or has characters that nothing is named with.")
    return value


def texts(request: Request, name: str) -> list[str]:
    """The values of a query parameter that may come several times; raises NameInvalid for more than a hundred."""
    values = request.query_params.getlist(name)
    if len(values) > _MOST_VALUES:
        raise NameInvalid(f"The parameter {name} is there {len(values)} times; at most {_MOST_VALUES} are taken.")
    return values


def page(request: Request) -> tuple[int, str]:
    """How many items a list is asked for, and after which one."""
    asked = request.query_params.get("n", "")
    return (min(number(asked, "n"), _MOST_ITEMS) if asked else _MOST_ITEMS), text(request, "last")


def page_headers(path: str, limit: int, names: list[str], more: bool, **parameters: str) -> dict[str, str]:
    """The headers of a list, with a link to the next page when there is one."""
    if not names or not more:
        return VERSION_HEADER
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in parameters.items() if value)
    query = f"n={limit}&last={quote(names[-1], safe='')}" + (f"&{query}" if query else "")
    return VERSION_HEADER | {"Link": f'<{quote(path)}?{query}>; rel="next"'}


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, LadingError)
    code, status, headers = _shape(error)
    note_refusal(request.app.state.calls, request, status, stated=isinstance(error, Denied) and error.stated)
    if status == 401:
        headers = challenge(request, insufficient=isinstance(error, ScopeMissing))
    return _failure(code, status, str(error), error.remedy, headers)


def _foreseen(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "UNSUPPORTED" if error.status_code == 405 else "NAME_UNKNOWN"
    return _failure(code, error.status_code, str(error.detail), headers=dict(error.headers or {}))


def _gone(request: Request, _error: Exception) -> Response:
    """Nobody is there to read this; what arrived is kept and the upload can go on."""
    _log.info("a client went away", extra={"path": request.url.path})
    return Response(status_code=_CLIENT_GONE)


def _unforeseen(request: Request, error: Exception) -> Response:
    """The answer to a fault of ours; the log says more."""
    _log.error("registry request failed unexpectedly", exc_info=error, extra={"path": request.url.path})
    return _failure("UNKNOWN", 500, "The registry has a fault; its log says more.")


def _failure(code: str, status: int, message: str, remedy: str = "", headers: dict[str, str] | None = None) -> Response:
    body = {"errors": [{"code": code, "message": message, "detail": {"remedy": remedy} if remedy else None}]}
    return JSONResponse(body, status, VERSION_HEADER | (headers or {}))


_STATUS: Final = (
    (TooLarge, 413), (TooSlow, 408), (ConditionFailed, 412), (BlobInUse, 405), (Forbidden, 403), (NotFound, 404),
    (InvalidInput, 400), (Conflict, 409), (Unavailable, 503),
)  # fmt: skip


def _shape(error: LadingError) -> tuple[str, int, dict[str, str]]:
    """The code of the specification, the HTTP status, and headers."""
    if isinstance(error, Unauthenticated):
        return "UNAUTHORIZED", 401, {}
    # The one value off the wire that the kernel reads, and complains of by itself, is a digest.
    foreign = "DIGEST_INVALID" if isinstance(error, InvalidInput) else "UNSUPPORTED"
    code = error.oci_code if isinstance(error, RegistryError) else foreign
    if isinstance(error, RangeInvalid):
        return code, 416, {"Range": f"0-{max(error.offset - 1, 0)}"}
    if isinstance(error, TooManyRequests):
        return code, 429, {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if isinstance(error, NotYet):
        return code, 429 if error.throttled else status, {"Retry-After": str(error.seconds)}
    if status == 405:
        return code, status, {"Allow": "GET, HEAD"}
    if status == 503:
        return "TOOMANYREQUESTS", status, {"Retry-After": "5"}
    return code, status, {}
