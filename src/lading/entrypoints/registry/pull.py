"""The pull endpoint: read-only, approved content only. Nothing that writes is reachable from here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lading.entrypoints.registry import http
from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.supply_chain.registry.access import Access, Authenticator, Visitor
from lading.supply_chain.registry.errors import Denied
from lading.supply_chain.registry.serving import Serving

Handler = Callable[[Request, Visitor], Awaitable[Response]]


class Refusals(Protocol):
    """Where refused pulls are noted down."""

    def add(self, digest: str, repository: str, principal: str, reason: str) -> None:
        """Note one down; quick, and never fails a request."""
        ...


def pull_app(serving: Serving, authenticator: Authenticator, refusals: Refusals) -> Starlette:
    """The ASGI application that serves `LADING_PULL_ADDR`."""
    endpoint = _PullEndpoint(serving, authenticator, refusals)
    routes = [
        Route("/v2/", endpoint.greet, methods=["GET"]),
        Route("/v2/{name:path}/blobs/{digest}", endpoint.guarded(endpoint.blob), methods=["GET"]),
        Route("/v2/{name:path}/manifests/{reference}", endpoint.guarded(endpoint.manifest), methods=["GET"]),
        Route("/v2/{name:path}/tags/list", endpoint.guarded(endpoint.tags), methods=["GET"]),
        Route("/v2/{name:path}/referrers/{digest}", endpoint.guarded(endpoint.referrers), methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={LadingError: _ours, Exception: http.unforeseen})


def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, LadingError)
    return http.failure(error)


class _PullEndpoint:
    def __init__(self, serving: Serving, authenticator: Authenticator, refusals: Refusals) -> None:
        self._serving = serving
        self._reading = serving.reading
        self._authenticator = authenticator
        self._refusals = refusals

    def guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            visitor = await http.identify(request, self._authenticator)
            name = request.path_params["name"]
            owner = await run_in_threadpool(self._reading.team_of, name)
            await http.authorise(self._authenticator, visitor, Access.PULL, name, owner)
            return await handler(request, visitor)

        return guarded

    async def greet(self, request: Request) -> Response:
        await http.identify(request, self._authenticator)
        return JSONResponse({}, headers=http.VERSION_HEADER)

    async def manifest(self, request: Request, visitor: Visitor) -> Response:
        name = request.path_params["name"]
        stored = await run_in_threadpool(self._reading.resolve, name, request.path_params["reference"])
        await self._check(self._serving.check_manifest, name, stored.digest, visitor)
        headers = {"Content-Type": stored.media_type, "Docker-Content-Digest": str(stored.digest)}
        return self._content(request, stored.digest, stored.size, headers)

    async def blob(self, request: Request, visitor: Visitor) -> Response:
        name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
        size = await run_in_threadpool(self._reading.blob_size, name, digest)
        await self._check(self._serving.check_blob, name, digest, visitor)
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": str(digest)}
        return self._content(request, digest, size, headers)

    async def tags(self, request: Request, _visitor: Visitor) -> Response:
        name = request.path_params["name"]
        return JSONResponse(
            {"name": name, "tags": await run_in_threadpool(self._reading.tags, name)}, headers=http.VERSION_HEADER
        )

    async def referrers(self, request: Request, visitor: Visitor) -> Response:
        name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
        await self._check(self._serving.check_manifest, name, digest, visitor)
        wanted = request.query_params.get("artifactType", "")
        index = await run_in_threadpool(self._reading.referrers, name, digest, wanted)
        headers = http.VERSION_HEADER | ({"OCI-Filters-Applied": "artifactType"} if wanted else {})
        return JSONResponse(index, headers=headers, media_type="application/vnd.oci.image.index.v1+json")

    def _content(self, request: Request, digest: Digest, size: int, headers: dict[str, str]) -> Response:
        opener = None if request.method == "HEAD" else partial(self._reading.open_blob, digest)
        return http.content_response(request, opener, size, headers)

    async def _check(self, check: Callable[[str, Digest], None], name: str, digest: Digest, visitor: Visitor) -> None:
        try:
            await run_in_threadpool(check, name, digest)
        except Denied as denied:
            await run_in_threadpool(self._refusals.add, str(digest), name, visitor.principal, denied.what)
            raise
