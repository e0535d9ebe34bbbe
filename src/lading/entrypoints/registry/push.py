"""The push endpoint: OCI distribution 1.1, authenticated, read and write.

Bodies are streamed to storage as they arrive; nothing larger than a manifest is ever held in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lading.entrypoints.registry import http
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, LadingError
from lading.supply_chain.registry.access import Access, Authenticator, Visitor
from lading.supply_chain.registry.errors import ManifestInvalid
from lading.supply_chain.registry.manifest import MOST_BYTES
from lading.supply_chain.registry.registry import Registry

_BUFFER: Final = 4 << 20
_MOST_TAGS: Final = 10_000

Handler = Callable[[Request, Visitor], Awaitable[Response]]


def push_app(registry: Registry, authenticator: Authenticator) -> Starlette:
    """The ASGI application that serves `LADING_PUSH_ADDR`."""
    endpoint = _PushEndpoint(registry, authenticator)
    blob, manifest = "/v2/{name:path}/blobs/{digest}", "/v2/{name:path}/manifests/{reference}"
    upload = "/v2/{name:path}/blobs/uploads/{upload}"
    table: list[tuple[str, str, Access, Handler]] = [
        ("/v2/{name:path}/blobs/uploads/", "POST", Access.PUSH, endpoint.start),
        (upload, "GET", Access.PUSH, endpoint.progress),
        (upload, "PATCH", Access.PUSH, endpoint.chunk),
        (upload, "PUT", Access.PUSH, endpoint.finish),
        (upload, "DELETE", Access.PUSH, endpoint.cancel),
        (blob, "GET", Access.PULL, endpoint.blob),
        (blob, "HEAD", Access.PULL, endpoint.blob),
        (blob, "DELETE", Access.DELETE, endpoint.delete_blob),
        (manifest, "GET", Access.PULL, endpoint.manifest),
        (manifest, "HEAD", Access.PULL, endpoint.manifest),
        (manifest, "PUT", Access.PUSH, endpoint.put_manifest),
        (manifest, "DELETE", Access.DELETE, endpoint.delete_manifest),
        ("/v2/{name:path}/tags/list", "GET", Access.PULL, endpoint.tags),
        ("/v2/{name:path}/referrers/{digest}", "GET", Access.PULL, endpoint.referrers),
    ]
    routes = [Route("/v2/", partial(endpoint.greet), methods=["GET"])]
    for path, method, access, handler in table:
        routes.append(Route(path, _guarded(endpoint, access, handler), methods=[method]))
    routes.append(Route("/v2/_catalog", endpoint.catalog, methods=["GET"]))
    # Starlette adds HEAD to every GET route; those with a HEAD of their own come to the same handler.
    return Starlette(routes=routes, exception_handlers={LadingError: _ours, Exception: http.unforeseen})


def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, LadingError)
    return http.failure(error)


def _guarded(endpoint: _PushEndpoint, access: Access, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        visitor = await http.identify(request, endpoint.authenticator)
        name = request.path_params["name"]
        owner = await run_in_threadpool(endpoint.registry.team_of, name)
        await http.authorise(endpoint.authenticator, visitor, access, name, owner)
        return await handler(request, visitor)

    return guarded


class _PushEndpoint:
    def __init__(self, registry: Registry, authenticator: Authenticator) -> None:
        self.registry = registry
        self.authenticator = authenticator

    async def greet(self, request: Request) -> Response:
        await http.identify(request, self.authenticator)
        return JSONResponse({}, headers=http.VERSION_HEADER)

    async def catalog(self, request: Request) -> Response:
        await http.identify(request, self.authenticator)
        limit, after = _page(request)
        names = await run_in_threadpool(self.registry.repositories, limit=limit or 1_000, after=after)
        return JSONResponse({"repositories": names}, headers=http.VERSION_HEADER)

    # Uploads

    async def start(self, request: Request, visitor: Visitor) -> Response:
        name, query = request.path_params["name"], request.query_params
        if "mount" in query:
            digest, source = Digest.parse(query["mount"]), query.get("from", "")
            if await self._mounted(name, digest, source, visitor):
                return _created(name, "blobs", digest)
        upload = await run_in_threadpool(self.registry.start_upload, name)
        if "digest" in query:
            digest = Digest.parse(query["digest"])
            await self._receive(request, upload, 0)
            await run_in_threadpool(self.registry.finish_upload, name, upload, digest, visitor)
            return _created(name, "blobs", digest)
        return _accepted(name, upload, 0)

    async def progress(self, request: Request, _visitor: Visitor) -> Response:
        name, upload = request.path_params["name"], request.path_params["upload"]
        offset = await run_in_threadpool(self.registry.upload_offset, upload)
        return _accepted(name, upload, offset, status=204)

    async def chunk(self, request: Request, _visitor: Visitor) -> Response:
        name, upload = request.path_params["name"], request.path_params["upload"]
        offset = await self._receive(request, upload, await self._begin(request, upload))
        return _accepted(name, upload, offset)

    async def finish(self, request: Request, visitor: Visitor) -> Response:
        name, upload = request.path_params["name"], request.path_params["upload"]
        digest = Digest.parse(request.query_params.get("digest", ""))
        await self._receive(request, upload, await self._begin(request, upload))
        await run_in_threadpool(self.registry.finish_upload, name, upload, digest, visitor)
        return _created(name, "blobs", digest)

    async def cancel(self, request: Request, _visitor: Visitor) -> Response:
        await run_in_threadpool(self.registry.cancel_upload, request.path_params["upload"])
        return Response(status_code=204, headers=http.VERSION_HEADER)

    async def _begin(self, request: Request, upload: str) -> int:
        """Where the body belongs: what Content-Range says, else the end of what is there."""
        said = request.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
        if said:
            if not said.isascii() or not said.isdigit():
                raise InvalidInput("Content-Range is malformed.", remedy="Write START-END.")
            return int(said)
        return await run_in_threadpool(self.registry.upload_offset, upload)

    async def _receive(self, request: Request, upload: str, at: int) -> int:
        """Append the body as it comes, 4 MiB at a time. A client that vanishes keeps what arrived and may resume."""
        buffer = bytearray()
        try:
            async for piece in request.stream():
                buffer += piece
                if len(buffer) >= _BUFFER:
                    at = await run_in_threadpool(self.registry.append, upload, bytes(buffer), at=at)
                    buffer.clear()
        except ClientDisconnect:
            if buffer:
                await run_in_threadpool(self.registry.append, upload, bytes(buffer), at=at)
            raise
        return await run_in_threadpool(self.registry.append, upload, bytes(buffer), at=at)

    async def _mounted(self, name: str, digest: Digest, source: str, visitor: Visitor) -> bool:
        if not source:
            return False
        owner = await run_in_threadpool(self.registry.team_of, source)
        if not await run_in_threadpool(self.authenticator.may, visitor, Access.PULL, owner):
            return False
        return await run_in_threadpool(self.registry.mount, name, digest, source, visitor)

    # Blobs

    async def blob(self, request: Request, _visitor: Visitor) -> Response:
        name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
        size = await run_in_threadpool(self.registry.blob_size, name, digest)
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": str(digest)}
        opener = None if request.method == "HEAD" else partial(self.registry.open_blob, digest)
        return http.content_response(request, opener, size, headers)

    async def delete_blob(self, request: Request, _visitor: Visitor) -> Response:
        digest = Digest.parse(request.path_params["digest"])
        await run_in_threadpool(self.registry.delete_blob, request.path_params["name"], digest)
        return Response(status_code=202, headers=http.VERSION_HEADER)

    # Manifests

    async def manifest(self, request: Request, _visitor: Visitor) -> Response:
        name, reference = request.path_params["name"], request.path_params["reference"]
        stored = await run_in_threadpool(self.registry.resolve, name, reference)
        headers = {"Content-Type": stored.media_type, "Docker-Content-Digest": str(stored.digest)}
        opener = None if request.method == "HEAD" else partial(self.registry.open_blob, stored.digest)
        return http.content_response(request, opener, stored.size, headers)

    async def put_manifest(self, request: Request, visitor: Visitor) -> Response:
        name, reference = request.path_params["name"], request.path_params["reference"]
        media_type = request.headers.get("content-type", "")
        body = await _bounded(request)
        pushed = await run_in_threadpool(self.registry.put_manifest, name, reference, media_type, body, visitor)
        response = _created(name, "manifests", pushed.digest)
        if pushed.refers_to is not None:
            response.headers["OCI-Subject"] = str(pushed.refers_to)
        return response

    async def delete_manifest(self, request: Request, visitor: Visitor) -> Response:
        name, reference = request.path_params["name"], request.path_params["reference"]
        if ":" in reference:
            await run_in_threadpool(self.registry.delete_manifest, name, Digest.parse(reference), visitor)
        else:
            await run_in_threadpool(self.registry.delete_tag, name, reference, visitor)
        return Response(status_code=202, headers=http.VERSION_HEADER)

    # Lists

    async def tags(self, request: Request, _visitor: Visitor) -> Response:
        name = request.path_params["name"]
        limit, after = _page(request)
        found = await run_in_threadpool(
            self.registry.tags, name, limit=_MOST_TAGS if limit is None else limit, after=after
        )
        headers = dict(http.VERSION_HEADER)
        if limit and len(found) == limit:
            headers["Link"] = f'</v2/{name}/tags/list?n={limit}&last={quote(found[-1])}>; rel="next"'
        return JSONResponse({"name": name, "tags": found}, headers=headers)

    async def referrers(self, request: Request, _visitor: Visitor) -> Response:
        name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
        wanted = request.query_params.get("artifactType", "")
        index = await run_in_threadpool(self.registry.referrers, name, digest, wanted)
        return referrers_response(index, wanted)


def referrers_response(index: dict[str, object], wanted: str) -> Response:
    """The answer of the referrers API; says so when a filter was applied."""
    headers = http.VERSION_HEADER | ({"OCI-Filters-Applied": "artifactType"} if wanted else {})
    return JSONResponse(index, headers=headers, media_type="application/vnd.oci.image.index.v1+json")


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise ManifestInvalid(f"The manifest is larger than {MOST_BYTES} bytes.")
    return bytes(body)


def _page(request: Request) -> tuple[int | None, str]:
    said = request.query_params.get("n", "")
    if said and (not said.isascii() or not said.isdigit()):
        raise InvalidInput("n is not a number.", remedy="Ask for n=100, for example.")
    return (min(int(said), _MOST_TAGS) if said else None), request.query_params.get("last", "")


def _created(name: str, kind: str, digest: Digest) -> Response:
    headers = {"Location": f"/v2/{name}/{kind}/{digest}", "Docker-Content-Digest": str(digest)}
    return Response(status_code=201, headers=http.VERSION_HEADER | headers)


def _accepted(name: str, upload: str, offset: int, status: int = 202) -> Response:
    headers = {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Range": f"0-{max(offset - 1, 0)}",
        "Docker-Upload-UUID": upload,
        "OCI-Chunk-Min-Length": "1",
    }
    return Response(status_code=status, headers=http.VERSION_HEADER | headers)
