"""What runs."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation

router: Final = APIRouter(tags=["workloads"])


class RemoveBody(BaseModel):
    """Why an application is removed."""

    why: str = Field("removed by hand", max_length=1_000)


@router.get("/containers")
def containers(
    parts: Parts, caller: Caller, every: Annotated[bool, Query(alias="all")] = False, workload: str = ""
) -> list[dict[str, Any]]:
    """Containers of the caller's teams, youngest first."""
    rows = parts.deployments.containers(running_only=not every, workload=workload)
    return [msgspec.to_builtins(row) for row in rows if parts.identity.may(caller, Operation.READ, row.team)]


@router.get("/applications")
def applications(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """Applications as they shall run, without the values of their environment."""
    shown = []
    for item in parts.deployments.applications():
        if parts.identity.may(caller, Operation.READ, item.team):
            hidden = tuple(
                msgspec.structs.replace(spec, environment=dict.fromkeys(spec.environment, "…"))
                for spec in item.workloads
            )
            shown.append(msgspec.to_builtins(msgspec.structs.replace(item, workloads=hidden)))
    return shown


@router.post("/applications/{name}/remove", status_code=202)
def remove(parts: Parts, caller: Caller, name: str, body: RemoveBody) -> dict[str, Any]:
    """Stop an application and remove its containers; its volumes stay."""
    application, _source = parts.deployments.application(name)
    require(parts, caller, Operation.DEPLOY, application.team, name)
    request = {"application": name, "why": body.why}
    return {"id": parts.jobs.submit("remove", request, actor=caller.id, team=application.team).id}
