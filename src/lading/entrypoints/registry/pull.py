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
from lading.entrypoints.registry.grants import Grants, Tree
from lading.entrypoints.registry.lists import never_unknown, referrers_response, stand_in_response, tags_response
from lading.entrypoints.registry.token import token_routes
from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Access, Authenticator, Visitor
from lading.supply_chain.registry.errors import Denied, NameUnknown
from lading.supply_chain.registry.mirroring.awaiting import Stale
from lading.supply_chain.registry.redirecting import Redirects
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

    def stale(self, digest: str, repository: str, reference: str, why: str) -> None:
        """Note that something was served that may be old."""
        ...


class Upstreams(Protocol):
    """What sees to it that images of other registries are here."""

    async def ensure(self, repository: str, reference: str) -> Stale:
        """Return when a manifest is here as it is at its upstream, or as it will be served; raises LadingError."""
        ...


class NoUpstreams:
    """Nothing is mirrored."""

    async def ensure(self, repository: str, reference: str) -> Stale:
        del repository, reference
        return Stale()


def pull_app(
    serving: Serving,
    authenticator: Authenticator,
    notes: Notes,
    upstreams: Upstreams | None = None,
    *,
    tokens: AccessTokens | None = None,
    calls: Calls | None = None,
    redirects: Redirects | None = None,
    tree: Tree | None = None,
) -> Starlette:
    """The ASGI application that serves `LADING_PULL_ADDR`.

    Args:
        upstreams: what brings images of other registries; None when nothing is mirrored.
        tokens: what it issues; None to issue none.
        calls: where refused calls are written down.
        redirects: where blobs can be had without us; None when we send all of them.
        tree: whether a static server on this host may answer from its tree; None when there is none.
    """
    endpoint = _PullEndpoint(serving, authenticator, notes, upstreams or NoUpstreams(), redirects)
    grants = Grants(authenticator, serving.reading, tree)
    routes: list[BaseRoute] = [
        Route("/v2/", endpoint.greet, methods=["GET"]),
        *token_routes(authenticator, serving.reading, tokens),
        Route("/v2/{name:path}/blobs/{digest}", endpoint.guarded(endpoint.blob), methods=["GET"]),
        Route("/v2/{name:path}/manifests/{reference}", endpoint.guarded(endpoint.manifest), methods=["GET"]),
        Route("/v2/{name:path}/tags/list", endpoint.guarded(endpoint.tags), methods=["GET"]),
        Route("/grants/{name:path}", grants.answer, methods=["GET"]),
        Route(
            "/v2/{name:path}/referrers/{digest}", never_unknown(endpoint.guarded(endpoint.referrers)), methods=["GET"]
        ),
    ]
    return http.application(routes, tokens.service if tokens else "", calls)


class _PullEndpoint:
    def __init__(
        self,
        serving: Serving,
        authenticator: Authenticator,
        notes: Notes,
        upstreams: Upstreams,
        redirects: Redirects | None,
    ) -> None:
        self._serving = serving
        self._reading = serving.reading
        self._authenticator = authenticator
        self._notes = notes
        self._redirects = redirects
        self._upstreams = upstreams

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
        stale = await self._upstreams.ensure(name, reference)
        stored = await run_in_threadpool(self._reading.resolve, name, reference)
        remarks = await self._check(self._serving.check_manifest, name, stored.digest, visitor)
        if stale.why:
            await run_in_threadpool(self._notes.stale, str(stored.digest), name, reference, stale.why)
        opener, file = partial(self._reading.open_blob, stored.digest), self._reading.blob_file(stored.digest)
        counted = partial(self._notes.pulled, name, str(stored.digest))
        return Served(
            opener,
            stored.digest,
            stored.media_type,
            stored.size,
            path=file,
            sent=counted,
            remarks=(*remarks, *stale.remarks),
            warning=stale.warning,
        )

    async def blob(self, request: Request, visitor: Visitor) -> Response:
        name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
        size = await run_in_threadpool(self._reading.blob_size, name, digest)
        await self._check(self._serving.check_blob, name, digest, visitor)
        if self._redirects is not None:
            # An answer to HEAD that is kept would be given to GET as well.
            request.scope.get("state", {}).pop("keep", None)
            location = await run_in_threadpool(self._redirects.location, digest, size)
            if location and request.method == "GET":
                return _elsewhere(location, digest)
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


def _elsewhere(location: str, digest: Digest) -> Response:
    """The answer that sends a client to the object store. Nobody may keep the address: it ends soon."""
    headers = {"Location": location, "Docker-Content-Digest": str(digest), "Cache-Control": "no-store"}
    return Response(status_code=307, headers=http.VERSION_HEADER | headers)
