"""The pull endpoint: read-only, approved content only. Nothing that writes is reachable from here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lading.entrypoints.registry import gate, http
from lading.entrypoints.registry.audit import Calls
from lading.entrypoints.registry.content import Served
from lading.entrypoints.registry.lists import never_unknown, referrers_response, stand_in_response, tags_response
from lading.entrypoints.registry.token import token_routes
from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Access, Authenticator, Visitor
from lading.supply_chain.registry.errors import Denied, NameUnknown
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.tokens import AccessTokens

Handler = Callable[[Request, Visitor], Awaitable[Response]]


class Notes(Protocol):
    """Where the endpoint notes down what happens. Both are quick and never fail a request."""

    def refused(self, digest: str, repository: str, principal: str, reason: str) -> None:
        """Note a refused pull."""
        ...

    def pulled(self, repository: str, digest: str) -> None:
        """Count an answered pull of a manifest."""
        ...


def pull_app(
    serving: Serving,
    authenticator: Authenticator,
    notes: Notes,
    tokens: AccessTokens | None = None,
    calls: Calls | None = None,
) -> Starlette:
    """The ASGI application that serves `LADING_PULL_ADDR`.

    Args:
        tokens: what it issues; None to issue none.
        calls: where refused calls are written down.
    """
    endpoint = _PullEndpoint(serving, authenticator, notes)
    routes: list[BaseRoute] = [
        Route("/v2/", endpoint.greet, methods=["GET"]),
        *token_routes(authenticator, serving.reading, tokens),
        Route("/v2/{name:path}/blobs/{digest}", endpoint.guarded(endpoint.blob), methods=["GET"]),
        Route("/v2/{name:path}/manifests/{reference}", endpoint.guarded(endpoint.manifest), methods=["GET"]),
        Route("/v2/{name:path}/tags/list", endpoint.guarded(endpoint.tags), methods=["GET"]),
        Route(
            "/v2/{name:path}/referrers/{digest}", never_unknown(endpoint.guarded(endpoint.referrers)), methods=["GET"]
        ),
    ]
    return http.application(routes, tokens.service if tokens else "", calls)


class _PullEndpoint:
    def __init__(self, serving: Serving, authenticator: Authenticator, notes: Notes) -> None:
        self._serving = serving
        self._reading = serving.reading
        self._authenticator = authenticator
        self._notes = notes

    def guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            visitor, _place = await gate.enter(request, self._authenticator, Access.PULL, self._reading)
            return await handler(request, visitor)

        return guarded

    async def greet(self, request: Request) -> Response:
        await gate.identify(request, self._authenticator)
        return JSONResponse({}, headers=http.VERSION_HEADER)

    async def manifest(self, request: Request, visitor: Visitor) -> Response:
        name, reference = request.path_params["name"], request.path_params["reference"]
        if index := await run_in_threadpool(partial(self._reading.stand_in, name, reference, kept=False)):
            await self._check(self._serving.check_manifest, name, index.subject, visitor)
            return stand_in_response(index)
        stored = await run_in_threadpool(self._reading.resolve, name, reference)
        remarks = await self._check(self._serving.check_manifest, name, stored.digest, visitor)
        opener, file = partial(self._reading.open_blob, stored.digest), self._reading.blob_file(stored.digest)
        counted = partial(self._notes.pulled, name, str(stored.digest))
        return Served(opener, stored.digest, stored.media_type, stored.size, path=file, sent=counted, remarks=remarks)

    async def blob(self, request: Request, visitor: Visitor) -> Response:
        name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
        size = await run_in_threadpool(self._reading.blob_size, name, digest)
        await self._check(self._serving.check_blob, name, digest, visitor)
        opener, file = partial(self._reading.open_blob, digest), self._reading.blob_file(digest)
        return Served(opener, digest, "application/octet-stream", size, path=file)

    async def tags(self, request: Request, _visitor: Visitor) -> Response:
        return await tags_response(request, self._reading)

    async def referrers(self, request: Request, visitor: Visitor) -> Response:
        name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
        if not await run_in_threadpool(self._reading.has_manifest, name, digest):
            raise NameUnknown(f"{name} has no {digest}.")
        await self._check(self._serving.check_manifest, name, digest, visitor)
        return await referrers_response(request, self._reading)

    async def _check(
        self, check: Callable[[str, Digest], Sequence[str]], name: str, digest: Digest, visitor: Visitor
    ) -> Sequence[str]:
        try:
            return await run_in_threadpool(check, name, digest)
        except Denied as denied:
            await run_in_threadpool(self._notes.refused, str(digest), name, visitor.principal, denied.what)
            denied.stated = True
            raise
