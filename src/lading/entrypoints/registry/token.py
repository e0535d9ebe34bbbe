"""Where clients fetch tokens, at both endpoints: `GET /v2/token` with Basic, `POST /v2/token` with a form (OAuth 2).

    credentials -> visitor -> what of the scopes that were asked for it may -> a token of five minutes

Distribution, "Token Authentication Specification" and "OAuth2 Token Authentication". A refresh token is a robot's or a
person's own token (`lad_…`): it is accepted where one is asked for, and none is ever made here, because the pull
endpoint cannot write.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lading.entrypoints.registry import gate, http
from lading.entrypoints.registry.challenge import TOKEN_PATH
from lading.kernel.clock import timestamp
from lading.kernel.errors import Unauthenticated
from lading.supply_chain.registry.access import Authenticator, Visitor
from lading.supply_chain.registry.errors import TokenRequestInvalid, TooLarge
from lading.supply_chain.registry.scopes import Places, granted, read_scopes, write_scopes
from lading.supply_chain.registry.tokens import LIFETIME_SECONDS, AccessTokens, Issued

_MOST_FORM: Final = 32_768
_MOST_FIELDS: Final = 120
_FORM: Final = "application/x-www-form-urlencoded"
# A token is for whoever asked for it (RFC 6749 section 5.1).
_HEADERS: Final = http.VERSION_HEADER | {"Cache-Control": "no-store", "Pragma": "no-cache"}
Fields = dict[str, list[str]]


def token_routes(authenticator: Authenticator, places: Places, tokens: AccessTokens | None) -> list[Route]:
    """The route of an endpoint that issues tokens; none for one that does not."""
    if tokens is None:
        return []
    endpoint = _TokenEndpoint(authenticator, places, tokens)
    return [
        Route(TOKEN_PATH, endpoint.get, methods=["GET"]),
        Route(TOKEN_PATH, endpoint.post, methods=["POST"]),
    ]


class _TokenEndpoint:
    def __init__(self, authenticator: Authenticator, places: Places, tokens: AccessTokens) -> None:
        self._authenticator = authenticator
        self._places = places
        self._tokens = tokens

    async def get(self, request: Request) -> Response:
        asked = {name: request.query_params.getlist(name) for name in ("service", "scope")}
        visitor = await gate.identify(request, self._authenticator, proven=False)
        issued, _ = await self._issued(visitor, asked)
        return JSONResponse(_answer(issued) | {"token": issued.text}, headers=_HEADERS)

    async def post(self, request: Request) -> Response:
        form = await _form(request)
        user, secret = _proof(form)
        visitor = await gate.prove(request, self._authenticator, user, secret)
        issued, scope = await self._issued(visitor, form)
        return JSONResponse(_answer(issued) | {"token_type": "Bearer", "scope": scope}, headers=_HEADERS)

    async def _issued(self, visitor: Visitor, asked: Fields) -> tuple[Issued, str]:
        services = asked.get("service", [])
        if any(service != self._tokens.service for service in services):
            raise TokenRequestInvalid(
                f"Tokens are issued for {self._tokens.service} only, not for {services[0][:100]!r}.",
                remedy="Ask for the service that WWW-Authenticate names.",
            )
        if visitor.scopes is not None:
            # Otherwise a token that leaks could be made to last for ever.
            raise Unauthenticated("A token of this kind fetches no other.", remedy="Log in with what fetched it.")
        return await run_in_threadpool(self._issue, visitor, asked.get("scope", []))

    def _issue(self, visitor: Visitor, asked: list[str]) -> tuple[Issued, str]:
        scopes = granted(read_scopes(asked), visitor, self._authenticator, self._places)
        return self._tokens.issue(visitor, scopes), write_scopes(scopes)


def _answer(issued: Issued) -> dict[str, object]:
    moment = timestamp(datetime.fromtimestamp(issued.issued_at, UTC))
    return {"access_token": issued.text, "expires_in": LIFETIME_SECONDS, "issued_at": moment}


def _proof(form: Fields) -> tuple[str, str]:
    """User name and secret of a form; a refresh token has no user name."""
    kind = _one(form, "grant_type")
    if kind == "password":
        return _one(form, "username"), _one(form, "password")
    if kind == "refresh_token":
        return "", _one(form, "refresh_token")
    raise TokenRequestInvalid(
        f"The grant type {kind[:40]!r} is not known.", remedy="Use password or refresh_token, or GET with Basic."
    )


def _one(form: Fields, name: str) -> str:
    values = form.get(name, [])
    if len(values) > 1:
        raise TokenRequestInvalid(f"The field {name} is given more than once.")
    return values[0] if values else ""


async def _form(request: Request) -> Fields:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise TokenRequestInvalid("The request is not a form.", remedy=f"Send it as {_FORM}.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_FORM:
            raise TooLarge(f"The form is larger than {_MOST_FORM} bytes.")
    try:
        return parse_qs(body.decode(), max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise TokenRequestInvalid("The form cannot be read.", remedy="Send it as UTF-8, with fewer fields.") from error
