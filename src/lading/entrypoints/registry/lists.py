"""The lists that both endpoints serve, page by page: tags and referrers."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lading.entrypoints.registry import http
from lading.entrypoints.registry.audit import note_refusal
from lading.entrypoints.registry.content import Served
from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import NameUnknown
from lading.supply_chain.registry.manifest import OCI_INDEX
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.referring import MOST_REFERRERS, Page, StandIn, index_of

_FILTERED: Final = {"OCI-Filters-Applied": "artifactType"}


async def tags_response(request: Request, reading: Reading) -> Response:
    """The tags of a repository in lexical order ("Listing Tags")."""
    name = request.path_params["name"]
    limit, after = http.page(request)
    found = await run_in_threadpool(reading.tags, name, limit=limit + 1, after=after)
    shown = found[:limit]
    headers = http.page_headers(f"/v2/{name}/tags/list", limit, shown, len(found) > limit)
    return JSONResponse({"name": name, "tags": shown}, headers=headers)


async def referrers_response(request: Request, reading: Reading) -> Response:
    """What refers to a manifest ("Listing Referrers"); says so when a filter was applied."""
    name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
    wanted, after = http.text(request, "artifactType"), http.text(request, "last")
    page = await run_in_threadpool(partial(reading.referrers_page, name, digest, wanted, after=after))
    return _index(request, digest, wanted, page)


def never_unknown(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A registry that lists referrers never answers 404 there ("Listing Referrers"): of a name that nobody pushed to,
    or that is not there for the visitor, there are none."""

    async def answered(request: Request) -> Response:
        digest, wanted = Digest.parse(request.path_params["digest"]), http.text(request, "artifactType")
        try:
            return await handler(request)
        except NameUnknown:
            await run_in_threadpool(note_refusal, request.app.state.calls, request, 404)
            return _index(request, digest, wanted, Page([], more=False))

    return answered


def stand_in_response(index: StandIn) -> Served:
    """The index that a tag of the referrers tag schema answers with ("Referrers Tag Schema")."""
    digest = Digest.of(index.body)
    return Served(lambda start: io.BytesIO(index.body[start:]), digest, OCI_INDEX, len(index.body))


def _index(request: Request, digest: Digest, wanted: str, page: Page) -> Response:
    path = f"/v2/{request.path_params['name']}/referrers/{digest}"
    found = [one["digest"] for one in page.manifests]
    headers = http.page_headers(path, MOST_REFERRERS, found, page.more, artifactType=wanted)
    return JSONResponse(index_of(page.manifests), headers=headers | (_FILTERED if wanted else {}), media_type=OCI_INDEX)
