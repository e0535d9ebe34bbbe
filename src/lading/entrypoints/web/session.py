"""Who looks at the console: a session cookie behind a login with a token; no other site can use it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lading.entrypoints.web.pages import render
from lading.identity import IssuedToken, Principal
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
    response = RedirectResponse(_within(to), 303)
    _keep(response, issued)
    return response


def welcome(request: Request, parts: Wiring, issued: IssuedToken, to: str) -> Response:
    """Start a session for whoever came back from the identity provider.

    With a page that goes on by itself: a browser does not send a strict cookie along when another site's redirect ends
    here.
    """
    request.state.caller = parts.identity.authenticate_token(issued.text)
    response = render("welcome", {"to": _within(to), "viewer": "", "path": ""})
    _keep(response, issued)
    parts.identity.used(request.state.caller, "log in", "console")
    return response


def _keep(response: Response, issued: IssuedToken) -> None:
    response.set_cookie(
        COOKIE, issued.text, max_age=int(_LASTING.total_seconds()), httponly=True, samesite="strict", path="/"
    )


def _within(to: str) -> str:
    """A path of the console; the first page for what leads elsewhere."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"


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
