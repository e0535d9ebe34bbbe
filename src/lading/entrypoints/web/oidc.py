"""Logging in to the console at the identity provider: there with what we remember in a sealed cookie, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lading.entrypoints.api.errors import status_of
from lading.entrypoints.registry.challenge import asked_origin
from lading.entrypoints.web import session
from lading.entrypoints.web.pages import HEADERS, render
from lading.identity.oidc.login import LOGIN_SECONDS, OidcLogins
from lading.kernel.errors import InvalidInput, LadingError, NotFound
from lading.wiring import Wiring

COOKIE: Final = "lading_login"
BEGIN: Final = "/login/oidc"
BACK: Final = "/login/oidc/back"
_MOST_TEXT: Final = 4_096


class OidcPages:
    """The two addresses of a login at the identity provider."""

    def __init__(self, parts: Wiring) -> None:
        self._parts = parts

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider."""
        return await run_in_threadpool(_shown, self._begin, request)

    async def back(self, request: Request) -> Response:
        """Take the provider's answer and begin a session."""
        return await run_in_threadpool(_shown, self._back, request)

    def _begin(self, request: Request) -> Response:
        origin = asked_origin(request)
        if not origin:
            raise InvalidInput("The request names no host.")
        begun = self._logins.begin(origin + BACK, request.query_params.get("to", "/")[:_MOST_TEXT])
        response = RedirectResponse(begun.url, 303, HEADERS)
        # Lax, because the provider sends the browser back: it is another site.
        response.set_cookie(
            COOKIE, begun.kept, max_age=LOGIN_SECONDS, httponly=True, samesite="lax", path=BEGIN,
            secure=origin.startswith("https:"),
        )  # fmt: skip
        return response

    def _back(self, request: Request) -> Response:
        said = {name: request.query_params.get(name, "")[:_MOST_TEXT] for name in ("state", "code", "iss", "error")}
        if said["error"]:
            raise InvalidInput(f"The identity provider says {said['error'][:100]!r}.", remedy="Log in once more.")
        kept = request.cookies.get(COOKIE, "")
        issued, to = self._logins.finish(kept, said["state"], said["code"], said["iss"])
        response = session.welcome(request, self._parts, issued, to)
        response.delete_cookie(COOKIE, path=BEGIN)
        return response

    @property
    def _logins(self) -> OidcLogins:
        if self._parts.logins is None:
            raise NotFound("This Lading has no identity provider.", remedy="Log in with a token.")
        return self._parts.logins


def _shown(make: Callable[[Request], Response], request: Request) -> Response:
    try:
        return make(request)
    except LadingError as error:
        shown = {"to": "/", "error": error, "viewer": "", "path": "", "provider": ""}
        return render("login", shown, status_of(error))
