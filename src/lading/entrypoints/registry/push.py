"""The push endpoint: OCI distribution 1.1, authenticated, read and write.

Bodies are streamed to storage as they arrive; nothing larger than a manifest is ever held in memory.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lading.entrypoints.registry import gate, http
from lading.entrypoints.registry import warnings as warning_headers
from lading.entrypoints.registry.audit import Calls, NoCalls, is_change, note_change
from lading.entrypoints.registry.conditions import condition
from lading.entrypoints.registry.content import Served
from lading.entrypoints.registry.lists import never_unknown, referrers_response, stand_in_response, tags_response
from lading.entrypoints.registry.token import token_routes
from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Access, Authenticator, Visitor
from lading.supply_chain.registry.blobs import check_offset
from lading.supply_chain.registry.errors import Denied, SizeInvalid, TooLarge, TooSlow
from lading.supply_chain.registry.manifest import MOST_BYTES
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.tokens import AccessTokens

PATIENCE_SECONDS: Final = 120.0
_BUFFER: Final = 1 << 20
_CONTENT_RANGE: Final = re.compile(r"(?:bytes )?(\d{1,18})-(\d{1,18})")

Handler = Callable[[Request, Visitor], Awaitable[Response]]


def push_app(
    registry: Registry,
    authenticator: Authenticator,
    tokens: AccessTokens | None = None,
    calls: Calls | None = None,
    *,
    patience: float = PATIENCE_SECONDS,
) -> Starlette:
    """The ASGI application that serves `LADING_PUSH_ADDR`.

    Args:
        tokens: what it issues; None to issue none.
        calls: where refused calls and changes are written down.
        patience: seconds that a manifest may take to arrive.
    """
    endpoint = _PushEndpoint(registry, authenticator, calls or NoCalls(), patience)
    blob, manifest = "/v2/{name:path}/blobs/{digest}", "/v2/{name:path}/manifests/{reference}"
    uploads = "/v2/{name:path}/blobs/uploads/"
    table: list[tuple[str, str, Access, Handler]] = [
        (uploads, "POST", Access.PUSH, endpoint.start),
        (uploads + "{upload}", "GET", Access.PUSH, endpoint.progress),
        (uploads + "{upload}", "PATCH", Access.PUSH, endpoint.chunk),
        (uploads + "{upload}", "PUT", Access.PUSH, endpoint.finish),
        (uploads + "{upload}", "DELETE", Access.PUSH, endpoint.cancel),
        (blob, "GET", Access.PULL, endpoint.blob),
        (blob, "DELETE", Access.DELETE, endpoint.delete_blob),
        (manifest, "GET", Access.PULL, endpoint.manifest),
        (manifest, "PUT", Access.PUSH, endpoint.put_manifest),
        (manifest, "DELETE", Access.DELETE, endpoint.delete_manifest),
        ("/v2/{name:path}/tags/list", "GET", Access.PULL, endpoint.tags),
        ("/v2/{name:path}/referrers/{digest}", "GET", Access.PULL, endpoint.referrers),
    ]
    by_path: dict[str, dict[str, Callable[[Request], Awaitable[Response]]]] = {}
    for path, method, access, handler in table:
        guarded = endpoint.guarded(access, handler)
        by_path.setdefault(path, {})[method] = never_unknown(guarded) if "/referrers/" in path else guarded
    routes: list[BaseRoute] = [
        Route("/v2/", endpoint.greet, methods=["GET"]),
        *token_routes(authenticator, registry, tokens),
        Route("/v2/_catalog", endpoint.catalog, methods=["GET"]),
    ]
    routes += [Route(path, _by_method(handlers), methods=list(handlers)) for path, handlers in by_path.items()]
    return http.application(routes, tokens.service if tokens else "", endpoint.calls)


def _by_method(
    handlers: dict[str, Callable[[Request], Awaitable[Response]]],
) -> Callable[[Request], Awaitable[Response]]:
    async def chosen(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return chosen


class _PushEndpoint:
    def __init__(self, registry: Registry, authenticator: Authenticator, calls: Calls, patience: float) -> None:
        self.patience = patience
        self.registry = registry
        self.calls = calls
        self.authenticator = authenticator

    def guarded(self, access: Access, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler, for those who may."""

        async def guarded(request: Request) -> Response:
            visitor, place = await gate.enter(request, self.authenticator, access, self.registry)
            if access is Access.PUSH and not place.team:
                # Two teams may reach for a new name at once: the one that comes second is asked again.
                await run_in_threadpool(self.registry.claim, place.name, visitor)
                await gate.enter(request, self.authenticator, access, self.registry)
            response = await handler(request, visitor)
            if is_change(access, response):
                await run_in_threadpool(note_change, self.calls, request, visitor, access, response)
            return response

        return guarded

    async def greet(self, request: Request) -> Response:
        await gate.identify(request, self.authenticator)
        return JSONResponse({}, headers=http.VERSION_HEADER)

    async def catalog(self, request: Request) -> Response:
        """The names of the repositories that the visitor may pull from."""
        visitor = await gate.enter_catalogue(request, self.authenticator)
        limit, after = http.page(request)
        sight = await run_in_threadpool(self.authenticator.sight, visitor)
        names = await run_in_threadpool(self.registry.repositories, sight, limit=limit + 1, after=after)
        headers = http.page_headers("/v2/_catalog", limit, names[:limit], len(names) > limit)
        return JSONResponse({"repositories": names[:limit]}, headers=headers)

    # Uploads

    async def start(self, request: Request, visitor: Visitor) -> Response:
        name = request.path_params["name"]
        if mount := http.text(request, "mount"):
            digest, source = Digest.parse(mount), http.text(request, "from")
            if await self._mounted(name, digest, source, visitor):
                return _created(name, "blobs", digest)
        said = http.text(request, "digest")
        whole = Digest.parse(said) if said else None
        upload = await run_in_threadpool(self.registry.start_upload, name)
        if whole is None:
            return _accepted(name, upload, 0)
        await self._finish(request, upload, 0, whole, visitor)
        return _created(name, "blobs", whole)

    async def progress(self, request: Request, _visitor: Visitor) -> Response:
        name, upload = request.path_params["name"], request.path_params["upload"]
        offset = await run_in_threadpool(self.registry.upload_offset, name, upload)
        return _accepted(name, upload, offset, status=204)

    async def chunk(self, request: Request, _visitor: Visitor) -> Response:
        name, upload = request.path_params["name"], request.path_params["upload"]
        at, rest = await self._receive(request, upload, await self._begin(request, upload))
        offset = await run_in_threadpool(self.registry.append, name, upload, rest, at=at)
        return _accepted(name, upload, offset)

    async def finish(self, request: Request, visitor: Visitor) -> Response:
        name, upload = request.path_params["name"], request.path_params["upload"]
        digest = Digest.parse(http.text(request, "digest"))
        await self._finish(request, upload, await self._begin(request, upload), digest, visitor)
        return _created(name, "blobs", digest)

    async def cancel(self, request: Request, _visitor: Visitor) -> Response:
        name, upload = request.path_params["name"], request.path_params["upload"]
        await run_in_threadpool(self.registry.cancel_upload, name, upload)
        return Response(status_code=204, headers=http.VERSION_HEADER)

    async def _begin(self, request: Request, upload: str) -> int | None:
        """Where the body belongs: the end of what is there now, which is all that Content-Range may say, too.

        None for a short body that says nothing: it is added at once when all of it arrived, wherever the end is then.
        A longer one holds to where it began, so that what arrives late of a client that vanished is not added to what
        another one sent since.

        Raises:
            UploadUnknown, RangeInvalid: the chunk is out of order.
            SizeInvalid: Content-Range is malformed, or says another length than Content-Length.
        """
        said, length = request.headers.get("content-range", ""), request.headers.get("content-length", "")
        if not said and length and http.number(length, "Content-Length") < _BUFFER:
            return None
        offset = await run_in_threadpool(self.registry.upload_offset, request.path_params["name"], upload)
        if not said:
            return offset
        asked = _CONTENT_RANGE.fullmatch(said)
        if asked is None:
            raise SizeInvalid(f"Content-Range is malformed: {said[:60]!r}.", remedy="Write START-END.")
        start, end = int(asked[1]), int(asked[2])
        check_offset(start, offset)
        if end < start or (length and http.number(length, "Content-Length") != end - start + 1):
            raise SizeInvalid("Content-Range and Content-Length do not agree.")
        return start

    async def _receive(self, request: Request, upload: str, at: int | None) -> tuple[int | None, bytes]:
        """Append the body as it comes, a mebibyte at a time; returns what is left of it, and where that belongs.

        Most blobs are smaller than a mebibyte: what is left is then everything, and nothing was appended yet. A client
        that vanishes keeps what arrived of a longer body, and may resume.

        Raises:
            SizeInvalid: the body is shorter than Content-Length says.
        """
        buffer, received = bytearray(), 0
        append = partial(self.registry.append, request.path_params["name"], upload)
        length = request.headers.get("content-length", "")
        expected = http.number(length, "Content-Length") if length else None
        try:
            async for piece in request.stream():
                buffer += piece
                received += len(piece)
                if len(buffer) >= _BUFFER:
                    at = await run_in_threadpool(append, bytes(buffer), at=at, more=True)
                    buffer.clear()
        except ClientDisconnect:
            if at is not None:
                await run_in_threadpool(append, bytes(buffer), at=at)
            raise
        if expected is not None and received != expected:
            await run_in_threadpool(append, bytes(buffer), at=at)
            raise SizeInvalid(f"The body has {received} bytes; Content-Length says {expected}.")
        return at, bytes(buffer)

    async def _finish(self, request: Request, upload: str, at: int | None, digest: Digest, visitor: Visitor) -> None:
        """Make an upload a blob, after its last bytes arrived."""
        at, rest = await self._receive(request, upload, at)
        finish = partial(self.registry.finish_upload, rest=rest, at=at)
        await run_in_threadpool(finish, request.path_params["name"], upload, digest, visitor)

    async def _mounted(self, name: str, digest: Digest, source: str, visitor: Visitor) -> bool:
        return await run_in_threadpool(self._mount, name, digest, source, visitor)

    def _mount(self, name: str, digest: Digest, source: str, visitor: Visitor) -> bool:
        """Without a source, from any repository that the visitor may pull from; a token stays within its scopes.

        Raises:
            NameInvalid: `source` is no name of a repository.
            ScopeMissing: the token was not asked for with the source.
        """
        if (
            source
            and visitor.scopes is not None
            and self.registry.place(source).name not in visitor.scopes.repositories
        ):
            raise gate.scope_missing()
        found = [source] if source else self.registry.repositories_with(digest, self.authenticator.sight(visitor))
        return any(self._may_pull(one, visitor) and self.registry.mount(name, digest, one, visitor) for one in found)

    def _may_pull(self, source: str, visitor: Visitor) -> bool:
        scopes = visitor.scopes
        if scopes is not None and Access.PULL not in scopes.repositories.get(source, ()):
            return False
        return self.authenticator.may(visitor, Access.PULL, self.registry.place(source))

    # Blobs

    async def blob(self, request: Request, _visitor: Visitor) -> Response:
        name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
        size = await run_in_threadpool(self.registry.relied_on, name, digest)
        opener, file = partial(self.registry.open_blob, digest), self.registry.blob_file(digest)
        return Served(opener, digest, "application/octet-stream", size, path=file)

    async def delete_blob(self, request: Request, _visitor: Visitor) -> Response:
        digest = Digest.parse(request.path_params["digest"])
        await run_in_threadpool(self.registry.delete_blob, request.path_params["name"], digest)
        return Response(status_code=202, headers=http.VERSION_HEADER)

    # Manifests

    async def manifest(self, request: Request, _visitor: Visitor) -> Response:
        name, reference = request.path_params["name"], request.path_params["reference"]
        if index := await run_in_threadpool(self.registry.stand_in, name, reference):
            return stand_in_response(index)
        stored = await run_in_threadpool(self.registry.resolve, name, reference)
        opener, file = partial(self.registry.open_blob, stored.digest), self.registry.blob_file(stored.digest)
        return Served(opener, stored.digest, stored.media_type, stored.size, path=file)

    async def put_manifest(self, request: Request, visitor: Visitor) -> Response:
        name, reference = request.path_params["name"], request.path_params["reference"]
        media_type = request.headers.get("content-type", "")
        if visitor.principal.startswith("region:"):
            raise Denied(f"{visitor.principal} brings blobs only.", remedy="Manifests travel as signed changes.")
        tags, said = http.texts(request, "tag") if ":" in reference else [], http.text(request, "digest")
        if ":" not in reference and said:
            # A tag for a digest that is not of the usual algorithm is put together with it.
            tags, reference = [reference], said
        body = await _bounded(request, self.patience)
        put = partial(self.registry.put_manifest, tags=tags, only_if=condition(request.scope))
        pushed = await run_in_threadpool(put, name, reference, media_type, body, visitor)
        response = _created(name, "manifests", pushed.digest)
        if pushed.refers_to is not None:
            response.headers["OCI-Subject"] = str(pushed.refers_to)
        for tag in tags:
            response.headers.append("OCI-Tag", tag)
        for value in warning_headers.warning_values(pushed.remarks):
            response.headers.append(warning_headers.NAME, value)
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
        return await tags_response(request, self.registry)

    async def referrers(self, request: Request, _visitor: Visitor) -> Response:
        return await referrers_response(request, self.registry)


async def _bounded(request: Request, seconds: float) -> bytes:
    """The body of a manifest: what is held in memory is neither large nor there for long."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BYTES:
                    raise TooLarge(f"The manifest is larger than {MOST_BYTES} bytes.", remedy="Split it.")
    except TimeoutError:
        raise TooSlow(f"The manifest did not arrive within {seconds:g} s.", remedy="Push it again.") from None
    return bytes(body)


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
