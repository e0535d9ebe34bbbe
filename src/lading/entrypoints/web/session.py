"""Who looks at the console: a session cookie behind a login with a token; no other site can use it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lading.identity import Principal
from lading.kernel.errors import Forbidden, Unauthenticated
from lading.wiring import Wiring

COOKIE: Final = "lading_session"
_LASTING: Final = timedelta(hours=12)


def viewer(request: Request, parts: Wiring) -> Principal:
    """The principal of the session; raises Unauthenticated."""
    token = request.cookies.get(COOKIE, "")
    if not token:
        raise Unauthenticated("Log in first.")
    found = parts.identity.authenticate_token(token)
    request.state.caller = found
    return found


def log_in(parts: Wiring, token: str, to: str) -> Response:
    """Start a session for the principal of `token`; raises Unauthenticated."""
    principal = parts.identity.authenticate_token(token.strip())
    issued = parts.identity.issue_token(principal.id, purpose="session", lasting=_LASTING, actor=principal.id)
    response = RedirectResponse(to if to.startswith("/") and not to.startswith("//") else "/", 303)
    response.set_cookie(
        COOKIE, issued.text, max_age=int(_LASTING.total_seconds()), httponly=True, samesite="strict", path="/"
    )
    return response


def log_out(request: Request, parts: Wiring) -> Response:
    """End the session: its token is revoked."""
    try:
        principal = viewer(request, parts)
        parts.identity.revoke_token(principal.token_id, actor=principal.id)
    except Unauthenticated:
        pass
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response


def same_origin(request: Request) -> None:
    """Raises Forbidden for a change that another site asked for (fetch metadata, else the Origin header)."""
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    if site in ("same-origin", "none") or (not site and origin.partition("://")[2] == request.headers.get("host", "")):
        return
    raise Forbidden("This change was asked for by another site.", remedy="Use the console itself.")
