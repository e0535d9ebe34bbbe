"""Copies of the registry: targets and accepted regions for people, and the way in for other regions."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation, Principal, PrincipalKind
from lading.kernel.errors import Forbidden, InvalidInput
from lading.supply_chain.registry.replication.changes import MOST_BODY
from lading.supply_chain.registry.replication.targets import Order, Sent, TargetKind
from lading.wiring import Wiring

router: Final = APIRouter(tags=["replication"])


class TargetBody(BaseModel):
    """Where to copy to. The name of a region may be left out: it says it itself."""

    name: str = Field("", max_length=64)
    kind: TargetKind = TargetKind.LADING
    url: str = Field(max_length=300)
    push: str = Field("", max_length=300)
    user: str = Field("", max_length=200)
    secret: str = Field("", max_length=16_384, repr=False)
    prefix: str = Field("", max_length=200)
    patterns: list[str] = Field(default_factory=list, max_length=50)
    states: Sent = Sent.ANY
    rate: int = Field(0, ge=0)


class RegionBody(BaseModel):
    """A region whose changes are to be taken over, with its public key (PEM) and the terms."""

    name: str = Field(max_length=64)
    key: str = Field(max_length=16_384)
    patterns: list[str] = Field(default_factory=list, max_length=50)
    approvals: bool = True
    deletions: bool = True


class RunBody(BaseModel):
    """Whether to offer everything once more."""

    again: bool = False


@router.get("/replication/region")
def region(parts: Parts, caller: Caller) -> dict[str, Any]:
    """How this region introduces itself: name, public key, push endpoint."""
    if not caller.may(Operation.REPLICATE, "*"):
        require(parts, caller, Operation.READ)
    found: dict[str, Any] = msgspec.to_builtins(parts.replication.describe())
    return found


@router.post("/replication/changes")
async def changes(parts: Parts, caller: Caller, request: Request) -> Response:
    """Take over what another region signed. Only tokens of accepted regions are good for this."""
    sender = await run_in_threadpool(_sender, parts, caller)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            raise InvalidInput(f"A batch has at most {MOST_BODY} bytes.", remedy="Send less at once.")
    outcomes = await run_in_threadpool(parts.replication.receive, sender, bytes(body))
    return Response(msgspec.json.encode(outcomes), media_type="application/json")


@router.get("/replication/targets")
def targets(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """Where the registry is copied to; secrets are never told."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(target) for target in parts.replication.targets.all()]


@router.post("/replication/targets", status_code=201)
def add(parts: Parts, caller: Caller, body: TargetBody) -> dict[str, Any]:
    """Copy the registry to a target from now on."""
    require(parts, caller, Operation.ADMIN)
    order = Order(
        name=body.name,
        kind=body.kind,
        url=body.url,
        push=body.push,
        user=body.user,
        prefix=body.prefix,
        patterns=tuple(body.patterns),
        states=body.states,
        rate=body.rate,
    )
    found: dict[str, Any] = msgspec.to_builtins(parts.replication.add(order, body.secret, actor=caller.id))
    return found


@router.delete("/replication/targets/{name}")
def remove(parts: Parts, caller: Caller, name: str) -> dict[str, Any]:
    """Copy nothing to a target any more; what is there stays."""
    require(parts, caller, Operation.ADMIN)
    parts.replication.targets.remove(name, actor=caller.id)
    return {"removed": name}


@router.post("/replication/targets/{name}/run")
def run(parts: Parts, caller: Caller, name: str, body: RunBody) -> dict[str, Any]:
    """Try everything that waits for a target at once."""
    require(parts, caller, Operation.ADMIN)
    parts.replication.targets.run(name, again=body.again)
    return {"target": name}


@router.get("/replication/status")
def status(parts: Parts, caller: Caller, conflicts: Annotated[int, Query(ge=0, le=1_000)] = 20) -> dict[str, Any]:
    """How far behind each target is, and which tags were moved in two regions at once."""
    require(parts, caller, Operation.READ)
    return {
        "region": parts.settings.region,
        "targets": [msgspec.to_builtins(item) for item in parts.replication.standings.targets()],
        "conflicts": parts.replication.standings.conflicts(conflicts) if conflicts else [],
    }


@router.get("/replication/regions")
def regions(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """The regions whose changes are taken over here."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(item) for item in parts.replication.regions.all()]


@router.post("/replication/regions", status_code=201)
def accept(parts: Parts, caller: Caller, body: RegionBody) -> dict[str, Any]:
    """Take over what a region signs from now on; its token is in this answer and nowhere else."""
    require(parts, caller, Operation.ADMIN)
    token = parts.replication.accept(
        body.name,
        body.key,
        patterns=tuple(body.patterns),
        approvals=body.approvals,
        deletions=body.deletions,
        actor=caller.id,
    )
    return {"region": body.name, "token": token}


@router.delete("/replication/regions/{name}")
def dismiss(parts: Parts, caller: Caller, name: str) -> dict[str, Any]:
    """Take nothing over from a region any more; what was taken over stays."""
    require(parts, caller, Operation.ADMIN)
    parts.replication.dismiss(name, actor=caller.id)
    return {"dismissed": name}


def _sender(parts: Wiring, caller: Principal) -> str:
    """The name of the region that calls; raises Forbidden for everybody else."""
    require(parts, caller, Operation.REPLICATE)
    if caller.kind is not PrincipalKind.REGION:
        raise Forbidden("Only another region says what happened there.", remedy="Use the token that it was given.")
    return caller.id.removeprefix("region:")
