"""What is publicly known, and whom it concerns."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.orchestration.sql import ContainerRow
from lading.wiring import Wiring

router: Final = APIRouter(tags=["knowledge"])
_MOST_BYTES: Final = 512 << 20
_MOST_IMAGES: Final = 1_000


@router.get("/where")
def where(parts: Parts, caller: Caller, q: Annotated[str, Query(min_length=2, max_length=300)]) -> dict[str, Any]:
    """Which images and running containers have a flaw or a package."""
    started = time.perf_counter()
    places = parts.findings.images_with(q)
    running: dict[str, list[ContainerRow]] = {}
    for row in parts.deployments.running(place.image for place in places):
        running.setdefault(row.image, []).append(row)
    may = lru_cache(maxsize=None)(lambda team: parts.identity.may(caller, Operation.READ, team))
    owner = lru_cache(maxsize=None)(parts.owners.owner)
    images: list[dict[str, Any]] = []
    containers = []
    for place in places:
        what = {
            "package": place.package,
            "version": place.version,
            "fixed": place.finding.fixed if place.finding else "",
            "layer": place.layer,
            "owner": owner(place.layer),
        }
        if len(images) < _MOST_IMAGES:
            images += [image | what for image in _shown(parts, place.image) if may(image["team"])]
        containers += [{**msgspec.to_builtins(row), **what} for row in running.get(place.image, ()) if may(row.team)]
    elapsed = (time.perf_counter() - started) * 1000
    more = max(0, len({place.image for place in places}) - len({image["digest"] for image in images}))
    return {
        "images": images,
        "more_images": more if len(images) >= _MOST_IMAGES else 0,
        "containers": containers,
        "milliseconds": elapsed,
    }


def _shown(parts: Wiring, image: str) -> list[dict[str, Any]]:
    digest = Digest.parse(image)
    state = parts.states.state(digest)
    rows = parts.registry.images(digest=digest, limit=1)
    return [{**msgspec.to_builtins(row), "state": state.state if state else "unknown"} for row in rows]


@router.get("/advisories")
def feeds(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """Each feed, its size and its age."""
    require(parts, caller, Operation.READ)
    return [_feed(item) for item in parts.advisories.status()]


@router.post("/advisories", status_code=201)
async def take_in(
    parts: Parts,
    caller: Caller,
    request: Request,
    source: Annotated[str, Query(pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$")],
) -> dict[str, Any]:
    """Take advisories in (OSV: JSON or JSON lines, plain, gzip or zstd) and match them at once."""
    await run_in_threadpool(require, parts, caller, Operation.EXCEPT)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MOST_BYTES:
            raise InvalidInput(f"The feed is larger than {_MOST_BYTES >> 20} MiB.", remedy="Split it.")
    return await run_in_threadpool(_take_in, parts, source, bytes(content), caller.id)


def _take_in(parts: Wiring, source: str, content: bytes, actor: str) -> dict[str, Any]:
    imported = parts.advisories.import_content(source, content, actor=actor)
    parts.findings.catch_up()
    # The worker may have matched it first: ask who is concerned, not what this very call changed.
    concerned = list(parts.findings.concerned_by(imported.changed))
    running = parts.deployments.running(concerned)
    return {
        "source": source,
        "records": imported.records,
        "changed": len(imported.changed),
        "images": len(concerned),
        "containers": len(running),
        "workloads": sorted({row.workload for row in running}),
    }


def _feed(item: Any) -> dict[str, Any]:
    return dict(msgspec.to_builtins(item))
