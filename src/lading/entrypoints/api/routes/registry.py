"""Space in the registry: garbage collection, retention, quotas, usage."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.supply_chain.registry import usage
from lading.supply_chain.registry.collecting import Order
from lading.supply_chain.registry.retention import Rule

router: Final = APIRouter(prefix="/registry", tags=["registry"])
Limit = Annotated[int, Query(ge=1, le=10_000)]
Grace = Annotated[float | None, Query(ge=0, le=31_536_000)]


class CollectionBody(BaseModel):
    """A collection to run. Without `grace` and `rate` those of the settings count."""

    grace: float | None = Field(default=None, ge=0, le=31_536_000)
    rate: float | None = Field(default=None, ge=0)
    strays: bool = False


class RuleBody(BaseModel):
    """A rule of retention."""

    pattern: str
    keep_tags: list[str] = Field(default=[], max_length=100)
    keep_last: int = 0
    keep_days: int = 0
    keep_pulled_days: int = 0
    keep_revoked_days: int = 365


class QuotaBody(BaseModel):
    """What a team may store, in bytes; -1 for no limit."""

    team: str
    most: int = Field(ge=-1)


@router.get("/gc")
def collections(parts: Parts, caller: Caller, limit: Limit = 20) -> list[dict[str, Any]]:
    """Collections of garbage, youngest first."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(item) for item in parts.collecting.collections.recent(limit=limit)]


@router.get("/gc/plan")
def planned_collection(parts: Parts, caller: Caller, grace: Grace = None, limit: Limit = 1_000) -> dict[str, Any]:
    """What a collection would give up now, each with its reason; the first `limit` and the sums over all."""
    require(parts, caller, Operation.READ)
    count, size, shown = 0, 0, list[Any]()
    for item in parts.collecting.collections.explain(_order(parts, grace, None)):
        if item.what == "blob":
            count, size = count + 1, size + item.size
        if len(shown) < limit:
            shown.append(msgspec.to_builtins(item))
    return {"blobs": count, "bytes": size, "deletions": shown}


@router.post("/gc", status_code=202)
def collect(parts: Parts, caller: Caller, body: CollectionBody) -> dict[str, Any]:
    """Collect garbage, as a job."""
    require(parts, caller, Operation.ADMIN)
    order = msgspec.to_builtins(_order(parts, body.grace, body.rate))
    job = parts.jobs.submit("collect", {"order": order, "strays": body.strays}, actor=caller.id)
    return dict(msgspec.to_builtins(job))


@router.get("/retention")
def rules(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """The rules of retention."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(rule) for rule in parts.collecting.retention.rules()]


@router.put("/retention")
def set_rule(parts: Parts, caller: Caller, body: RuleBody) -> dict[str, Any]:
    """Set the rule for a pattern of repositories."""
    require(parts, caller, Operation.ADMIN)
    rule = msgspec.convert(body.model_dump(), Rule)
    parts.collecting.retention.set(rule, actor=caller.id)
    return dict(msgspec.to_builtins(rule))


@router.delete("/retention", status_code=204)
def remove_rule(parts: Parts, caller: Caller, pattern: Annotated[str, Query(max_length=255)]) -> None:
    """Remove the rule for a pattern."""
    require(parts, caller, Operation.ADMIN)
    parts.collecting.retention.remove(pattern, actor=caller.id)


@router.get("/retention/plan")
def planned_retention(
    parts: Parts, caller: Caller, repository: str = "", limit: Limit = 1_000, going: bool = False
) -> list[dict[str, Any]]:
    """Which images stay and which go, and why; with `going` only those that go."""
    require(parts, caller, Operation.READ)
    verdicts = parts.collecting.retention.explain(repository)
    return [msgspec.to_builtins(one) for one in islice((v for v in verdicts if not (going and v.stays)), limit)]


@router.post("/retention/run", status_code=202)
def retain(parts: Parts, caller: Caller) -> dict[str, Any]:
    """Delete what no rule keeps, as a job."""
    require(parts, caller, Operation.ADMIN)
    return dict(msgspec.to_builtins(parts.jobs.submit("retain", {}, actor=caller.id)))


@router.get("/quotas")
def quotas(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """What each team stores and may store."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(item) for item in parts.collecting.quotas.all()]


@router.put("/quotas")
def set_quota(parts: Parts, caller: Caller, body: QuotaBody) -> dict[str, Any]:
    """Let a team store so much."""
    require(parts, caller, Operation.ADMIN)
    parts.collecting.quotas.set(body.team, body.most, actor=caller.id)
    return body.model_dump()


@router.get("/usage")
def used(parts: Parts, caller: Caller, team: str = "", limit: Limit = 100) -> dict[str, Any]:
    """Who stores how much, and how much space sharing saves."""
    require(parts, caller, Operation.READ, team)
    return dict(msgspec.to_builtins(usage.report(parts.database, team=team, limit=limit)))


def _order(parts: Parts, grace: float | None, rate: float | None) -> Order:
    settings = parts.settings
    return Order(
        grace=settings.gc_grace_seconds if grace is None else grace,
        rate=float(settings.gc_rate) if rate is None else rate,
    )
