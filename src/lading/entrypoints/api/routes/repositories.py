"""Repositories: list, and who may see them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel

from lading.entrypoints.api.access import Caller, Parts, hidden
from lading.identity import Operation
from lading.supply_chain.registry.access import Visibility
from lading.supply_chain.registry.errors import NameUnknown
from lading.wiring.access import sight_of

router: Final = APIRouter(tags=["repositories"])


class VisibilityBody(BaseModel):
    """Who may pull: `private`, `internal` or `public`."""

    visibility: Visibility


@router.get("/repositories")
def repositories(
    parts: Parts,
    caller: Caller,
    q: Annotated[str, Query(max_length=300)] = "",
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[dict[str, Any]]:
    """Repositories that the caller may pull from, by name; the next page comes `after` the last name of this one."""
    rows = parts.listings.repositories(sight_of(caller), text=q, after=after, limit=limit)
    return [msgspec.to_builtins(row) for row in rows]


@router.get("/repositories/{repository:path}/tags")
def tags(
    parts: Parts,
    caller: Caller,
    repository: str,
    q: Annotated[str, Query(max_length=300)] = "",
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[dict[str, Any]]:
    """Tags of a repository in lexical order, each with what it names, its state, size and pulls."""
    place = parts.registry.place(repository)
    if not place.exists or not sight_of(caller).sees(place):
        hidden(parts, caller, place)
        raise NameUnknown(f"There is no repository {repository}.", remedy="See `lading repository ls`.")
    return [msgspec.to_builtins(row) for row in parts.listings.tags(repository, text=q, after=after, limit=limit)]


@router.post("/repositories/{repository:path}/visibility")
def change_visibility(parts: Parts, caller: Caller, repository: str, body: VisibilityBody) -> dict[str, Any]:
    """Change who may pull from a repository; admins of its team may."""
    place = parts.registry.place(repository)
    if not place.exists or not sight_of(caller).sees(place):
        hidden(parts, caller, place)
        raise NameUnknown(f"There is no repository {repository}.", remedy="See `lading repository ls`.")
    parts.identity.require(
        caller, Operation.ADMIN, place.team, target=f"visibility of {repository}", repository=repository
    )
    parts.visibilities.change(repository, body.visibility, actor=caller.id)
    return {"repository": repository, "visibility": body.visibility}
