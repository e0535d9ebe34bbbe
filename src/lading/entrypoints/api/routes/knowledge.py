"""What is publicly known, and whom it concerns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.kernel.errors import InvalidInput
from lading.supply_chain.advisories import Imported
from lading.supply_chain.advisories.bundle import is_bundle
from lading.wiring import Wiring
from lading.wiring.access import readable_teams

router: Final = APIRouter(tags=["knowledge"])
_MOST_BYTES: Final = 4 << 30
_CHUNK: Final = 1 << 20


@router.get("/where")
def where(
    parts: Parts,
    caller: Caller,
    q: Annotated[str, Query(min_length=2, max_length=300)],
    kind: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
) -> dict[str, Any]:
    """Which images and running containers have a flaw, a package or a licence, are an image, or are a team's."""
    started = time.perf_counter()
    answer = parts.where.find(
        q,
        lru_cache(maxsize=None)(lambda team, name: parts.identity.may(caller, Operation.READ, team, name)),
        kind=kind,
        limit=limit,
        sees_all=readable_teams(caller) is None,
    )
    return {**msgspec.to_builtins(answer), "milliseconds": (time.perf_counter() - started) * 1000}


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
    """Take advisories in (OSV: JSON, JSON lines or zip; plain, gzip or zstd; or a bundle) and match them at once."""
    await run_in_threadpool(require, parts, caller, Operation.EXCEPT)
    directory = parts.settings.data / "feeds"
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=directory, prefix="upload-") as file:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > _MOST_BYTES:
                raise InvalidInput(f"The feed is larger than {_MOST_BYTES >> 20} MiB.", remedy="Split it.")
            file.write(chunk)
        file.flush()
        return await run_in_threadpool(_take_in, parts, source, Path(file.name), caller.id)


@router.get("/advisories/bundle")
def export(parts: Parts, caller: Caller) -> StreamingResponse:
    """All feeds as one signed file, for a Lading that reaches no network."""
    require(parts, caller, Operation.READ)
    directory = parts.settings.data / "feeds"
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix="export-") as scratch:
        path = Path(scratch) / "bundle"
        parts.bundles.export(path)
        # Open, it outlives its name: the server may send it later than this returns.
        content = path.open("rb")
    return StreamingResponse(_read_out(content), media_type="application/zstd")


def _read_out(content: IO[bytes]) -> Iterator[bytes]:
    with content:
        while chunk := content.read(_CHUNK):
            yield chunk


class UpdateOrder(BaseModel):
    """Which source to update (all when empty), and whether to fetch all of it."""

    source: str = Field(default="", max_length=100)
    whole: bool = False


@router.post("/advisories/updates", status_code=202)
def update(parts: Parts, caller: Caller, order: UpdateOrder) -> dict[str, Any]:
    """Update feeds from where they are published: a job."""
    require(parts, caller, Operation.EXCEPT)
    if order.source:
        parts.updates.sources.named(order.source)
    return dict(msgspec.to_builtins(parts.jobs.submit("feeds", order.model_dump(), actor=caller.id)))


@router.post("/advisories/records/{source}/{identity:path}", status_code=201)
def fetch_record(parts: Parts, caller: Caller, source: str, identity: str) -> dict[str, Any]:
    """Fetch one record of an ecosystem now and match it."""
    require(parts, caller, Operation.EXCEPT)
    return _concerned(parts, [parts.updates.fetch_record(source, identity, actor=caller.id)])


def _take_in(parts: Wiring, source: str, file: Path, actor: str) -> dict[str, Any]:
    if is_bundle(file):
        return _concerned(parts, parts.bundles.take_in(file, actor=actor))
    return _concerned(parts, [parts.advisories.import_content(source, file, actor=actor)])


def _concerned(parts: Wiring, imported: Sequence[Imported]) -> dict[str, Any]:
    parts.findings.catch_up()
    # The worker may have matched it first: ask who is concerned, not what this very call changed.
    concerned = list(parts.findings.concerned_by(name for one in imported for name in one.changed))
    running = parts.deployments.running(concerned)
    return {
        "source": ", ".join(one.source for one in imported),
        "records": sum(one.records for one in imported),
        "changed": sum(len(one.changed) for one in imported),
        "refused": sum(one.refused for one in imported),
        "images": len(concerned),
        "containers": len(running),
        "workloads": sorted({row.workload for row in running}),
    }


def _feed(item: Any) -> dict[str, Any]:
    return dict(msgspec.to_builtins(item))
