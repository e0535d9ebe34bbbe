"""Sources in, long work out: ship, base, patch."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.kernel.digest import Digest

router: Final = APIRouter(tags=["ships"])


class ShipBody(BaseModel):
    """What to ship: a source that was uploaded before."""

    source: str = Field(description="Digest that POST /sources answered.")
    name: str = Field(description="Name to use when the Compose file gives none.", max_length=100)
    commit: str = Field("", max_length=100)
    dirty: bool = False
    team: str = Field("", max_length=100)
    deploy: bool = True


class BaseBody(BaseModel):
    """A base image to make."""

    distribution: str = Field(examples=["debian:12"], max_length=60)
    include: list[str] = Field(default_factory=list, max_length=200)
    tag: str = Field("", max_length=300)
    twice: bool = False
    team: str = Field("", max_length=100)


class PatchBody(BaseModel):
    """A flaw to close."""

    advisory: str = Field(max_length=100)
    auto: bool = False


@router.post("/sources", status_code=201)
async def take_source(parts: Parts, caller: Caller, request: Request) -> dict[str, Any]:
    """Keep a source archive (tar), content-addressed; the body is streamed and bounded."""
    await run_in_threadpool(require, parts, caller, Operation.SHIP)
    with parts.sources.receiving() as receiving:
        async for chunk in request.stream():
            await run_in_threadpool(receiving.write, chunk)
        digest, size = await run_in_threadpool(receiving.finish)
    return {"digest": str(digest), "bytes": size}


@router.post("/ships", status_code=202)
def ship(parts: Parts, caller: Caller, body: ShipBody) -> dict[str, Any]:
    """Build, push, judge, sign and deploy a source."""
    require(parts, caller, Operation.SHIP, body.team)
    parts.sources.path(Digest.parse(body.source))
    job = parts.jobs.submit("ship", body.model_dump(), actor=caller.id, team=body.team)
    return {"id": job.id}


@router.post("/bases", status_code=202)
def base(parts: Parts, caller: Caller, body: BaseBody) -> dict[str, Any]:
    """Make a base image from distribution packages."""
    require(parts, caller, Operation.SHIP, body.team)
    job = parts.jobs.submit("base", body.model_dump(), actor=caller.id, team=body.team)
    return {"id": job.id}


@router.post("/patches", status_code=202)
def patch(parts: Parts, caller: Caller, body: PatchBody) -> dict[str, Any]:
    """Plan what closes a flaw in running containers; with `auto`, carry it out."""
    require(parts, caller, Operation.SHIP)
    job = parts.jobs.submit("patch", body.model_dump(), actor=caller.id)
    return {"id": job.id}
