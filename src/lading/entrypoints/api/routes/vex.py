"""What is said of flaws: VEX documents taken in, listed, and ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.supply_chain.match.vex.reading import MOST_BYTES
from lading.supply_chain.match.vex.statement import Scope
from lading.supply_chain.match.vexing import LONGEST

router: Final = APIRouter(tags=["knowledge"])
_Names = Annotated[list[str] | None, Query(max_length=100)]


@router.get("/vex")
def statements(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """Every statement that was taken in, oldest first."""
    require(parts, caller, Operation.READ)
    now = parts.clock.now().isoformat()
    return [
        {**msgspec.to_builtins(kept.statement), "taken": kept.taken, "actor": kept.actor,
         "counts": kept.statement.until[:19] > now[:19]}
        for kept in parts.vex.all()
    ]  # fmt: skip


@router.post("/vex", status_code=201)
async def take_in(
    parts: Parts,
    caller: Caller,
    request: Request,
    repository: _Names = None,
    team: _Names = None,
    image: _Names = None,
    days: Annotated[int, Query(ge=1, le=LONGEST.days)] = 365,
) -> list[dict[str, Any]]:
    """Take an OpenVEX or CycloneDX document in; it counts at once, in its scope, until it ends."""
    await run_in_threadpool(require, parts, caller, Operation.EXCEPT)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise InvalidInput(f"The document is larger than {MOST_BYTES >> 20} MiB.", remedy="Split it.")
    scope = Scope(
        images=tuple(str(Digest.parse(one)) for one in image or ()),
        repositories=tuple(repository or ()),
        teams=tuple(team or ()),
    )
    taken = await run_in_threadpool(
        parts.vex.take, bytes(content), scope=scope, lasting=timedelta(days=days), actor=caller.id
    )
    return [msgspec.to_builtins(one) for one in taken]


@router.delete("/vex/{name:path}")
def remove(parts: Parts, caller: Caller, name: str) -> dict[str, Any]:
    """End a statement (by its id) or all of a document now."""
    require(parts, caller, Operation.EXCEPT)
    return {"removed": [one.id for one in parts.vex.remove(name, actor=caller.id)]}
