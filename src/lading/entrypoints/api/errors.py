"""The one place where LadingErrors become HTTP answers."""

from __future__ import annotations

import logging
import math
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lading.identity.errors import TooManyAttempts
from lading.kernel import errors
from lading.kernel.errors import LadingError

_log: Final = logging.getLogger(__name__)

_STATUS: Final = {
    errors.InvalidInput: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Refused: 422,
    errors.Unavailable: 503,
    errors.IntegrityFailure: 500,
}


def status_of(error: LadingError) -> int:
    """The HTTP status of an error: that of the closest kind among its ancestors, else 500."""
    if isinstance(error, TooManyAttempts):
        return 429
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def body_of(error: LadingError) -> dict[str, object]:
    """The error document that clients read."""
    return {
        "error": {
            "code": error.code,
            "what": error.what,
            "remedy": error.remedy,
            "details": list(error.details),
            "exit_code": int(error.exit_code),
        }
    }


def install(app: FastAPI) -> None:
    """Make every failure an error document: ours, the framework's and the unforeseen."""

    @app.exception_handler(LadingError)
    def ours(_request: Request, error: LadingError) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, errors.Unauthenticated) else None
        if isinstance(error, TooManyAttempts):
            headers = {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
        return JSONResponse(body_of(error), status_of(error), headers)

    @app.exception_handler(RequestValidationError)
    def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        details = tuple(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:10])
        return JSONResponse(body_of(errors.InvalidInput("The request is malformed.", details=details)), 400)

    @app.exception_handler(HTTPException)
    def framework(request: Request, error: HTTPException) -> JSONResponse:
        kind = errors.NotFound if error.status_code == 404 else errors.InvalidInput
        shown = kind(f"{request.method} {request.url.path}: {error.detail}.", remedy="See /api/docs for what there is.")
        return JSONResponse(body_of(shown), error.status_code, error.headers)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        _log.error("request failed unexpectedly", exc_info=error, extra={"path": request.url.path})
        return JSONResponse(
            body_of(LadingError("The server has a fault.", remedy="Its log says more; please report it.")), 500
        )
