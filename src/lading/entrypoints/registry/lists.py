"""The lists that both endpoints serve, page by page: tags and referrers."""

from __future__ import annotations

from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lading.entrypoints.registry import http
from lading.kernel.digest import Digest
from lading.supply_chain.registry.manifest import OCI_INDEX
from lading.supply_chain.registry.reading import MOST_REFERRERS, Reading

_FILTERED: Final = {"OCI-Filters-Applied": "artifactType"}


async def tags_response(request: Request, reading: Reading) -> Response:
    """The tags of a repository in lexical order ("Listing Tags")."""
    name = request.path_params["name"]
    limit, after = http.page(request)
    found = await run_in_threadpool(reading.tags, name, limit=limit, after=after)
    headers = http.page_headers(f"/v2/{name}/tags/list", limit, found)
    return JSONResponse({"name": name, "tags": found}, headers=headers)


async def referrers_response(request: Request, reading: Reading) -> Response:
    """What refers to a manifest ("Listing Referrers"); says so when a filter was applied."""
    name, digest = request.path_params["name"], Digest.parse(request.path_params["digest"])
    wanted, after = http.text(request, "artifactType"), http.text(request, "last")
    index = await run_in_threadpool(partial(reading.referrers, name, digest, wanted, after=after))
    found = [one["digest"] for one in index["manifests"]]
    headers = http.page_headers(f"/v2/{name}/referrers/{digest}", MOST_REFERRERS, found, artifactType=wanted)
    return JSONResponse(index, headers=headers | (_FILTERED if wanted else {}), media_type=OCI_INDEX)
