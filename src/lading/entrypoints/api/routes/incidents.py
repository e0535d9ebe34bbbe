"""Incidents: list, show, close."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation

router: Final = APIRouter(tags=["incidents"])


class CloseBody(BaseModel):
    """Why an incident is over."""

    why: str = Field(min_length=3, max_length=1_000)


@router.get("/incidents")
def list_incidents(
    parts: Parts,
    caller: Caller,
    every: Annotated[bool, Query(alias="all")] = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[dict[str, Any]]:
    """Incidents of the caller's teams, open and worst first."""
    found = parts.incidents.list(every=every, limit=limit)
    return [msgspec.to_builtins(item) for item in found if parts.identity.may(caller, Operation.READ, item.team)]


@router.get("/incidents/{incident}")
def show_incident(parts: Parts, caller: Caller, incident: str) -> dict[str, Any]:
    """One incident with its evidence."""
    found = parts.incidents.get(incident)
    require(parts, caller, Operation.READ, found.team, incident)
    return dict(msgspec.to_builtins(found))


@router.post("/incidents/{incident}/close")
def close_incident(parts: Parts, caller: Caller, incident: str, body: CloseBody) -> dict[str, Any]:
    """Close an incident; the reason is kept."""
    require(parts, caller, Operation.RESPOND, parts.incidents.get(incident).team, incident)
    return dict(msgspec.to_builtins(parts.incidents.close(incident, who=caller.id, why=body.why)))
