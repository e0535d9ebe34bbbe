"""Registries that are mirrored here: add, change and remove them, carry out their plans, see how they are."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, require
from lading.identity import Operation
from lading.kernel.errors import NotFound
from lading.supply_chain.registry.access import Visibility
from lading.supply_chain.registry.mirroring.upstream import Upstream
from lading.wiring import Wiring

router: Final = APIRouter(tags=["mirror"])
_Patterns = list[str]


class UpstreamBody(BaseModel):
    """Another registry that is to be mirrored. The prefix is its name when it is left out."""

    name: str = Field(max_length=64)
    url: str = Field(max_length=300)
    prefix: str = Field("", max_length=200)
    rewrites: _Patterns = Field(default_factory=list, max_length=50)
    user: str = Field("", max_length=200)
    secret: str = Field("", max_length=16_384, repr=False)
    allow: _Patterns = Field(default_factory=list, max_length=200)
    deny: _Patterns = Field(default_factory=list, max_length=200)
    platforms: _Patterns = Field(default_factory=list, max_length=20)
    team: str = Field(max_length=64)
    visibility: Visibility = Visibility.INTERNAL
    freshness: int = Field(300, ge=0)
    on_pull: bool = True
    mirror: _Patterns = Field(default_factory=list, max_length=200)
    every: int = Field(0, ge=0)
    rate: int = Field(0, ge=0)
    enabled: bool = True
    plain: bool = False
    ca_file: str = Field("", max_length=1_000)


class UpstreamChange(BaseModel):
    """What of an upstream is to be another; what is left out stays. A new address forgets the secret."""

    url: str | None = Field(None, max_length=300)
    rewrites: _Patterns | None = Field(None, max_length=50)
    user: str | None = Field(None, max_length=200)
    secret: str | None = Field(None, max_length=16_384, repr=False)
    allow: _Patterns | None = Field(None, max_length=200)
    deny: _Patterns | None = Field(None, max_length=200)
    platforms: _Patterns | None = Field(None, max_length=20)
    team: str | None = Field(None, max_length=64)
    visibility: Visibility | None = None
    freshness: int | None = Field(None, ge=0)
    on_pull: bool | None = None
    mirror: _Patterns | None = Field(None, max_length=200)
    every: int | None = Field(None, ge=0)
    rate: int | None = Field(None, ge=0)
    enabled: bool | None = None
    plain: bool | None = None
    ca_file: str | None = Field(None, max_length=1_000)


@router.get("/mirror/upstreams")
def upstreams(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """The registries that are mirrored; secrets are never told."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(item) for item in parts.mirrors.upstreams.all()]


@router.post("/mirror/upstreams", status_code=201)
def add(parts: Parts, caller: Caller, body: UpstreamBody) -> dict[str, Any]:
    """Mirror another registry from now on."""
    require(parts, caller, Operation.ADMIN)
    values = _plain(body.model_dump(exclude={"secret"}))
    upstream = Upstream(**values | {"prefix": body.prefix or body.name})
    _check_team(parts, upstream.team)
    found: dict[str, Any] = msgspec.to_builtins(parts.mirrors.upstreams.add(upstream, body.secret, actor=caller.id))
    return found


@router.patch("/mirror/upstreams/{name}")
def change(parts: Parts, caller: Caller, name: str, body: UpstreamChange) -> dict[str, Any]:
    """Mirror a registry otherwise from now on; ends its rest."""
    require(parts, caller, Operation.ADMIN)
    values = _plain(body.model_dump(exclude={"secret"}, exclude_none=True))
    if "team" in values:
        _check_team(parts, values["team"])
    changed = parts.mirrors.upstreams.change(name, values, body.secret, actor=caller.id)
    found: dict[str, Any] = msgspec.to_builtins(changed)
    return found


@router.delete("/mirror/upstreams/{name}")
def remove(parts: Parts, caller: Caller, name: str) -> dict[str, Any]:
    """Mirror a registry no longer; what came from it stays."""
    require(parts, caller, Operation.ADMIN)
    parts.mirrors.upstreams.remove(name, actor=caller.id)
    return {"removed": name}


@router.post("/mirror/upstreams/{name}/sync", status_code=202)
def sync(parts: Parts, caller: Caller, name: str) -> dict[str, Any]:
    """Let the plan of an upstream be carried out now, and end its rest."""
    require(parts, caller, Operation.ADMIN)
    parts.mirrors.upstreams.hurry(name)
    return {"upstream": name}


@router.get("/mirror/status")
def status(parts: Parts, caller: Caller) -> list[dict[str, Any]]:
    """How each upstream is, what came from it, and what is remarkable about its tags."""
    require(parts, caller, Operation.READ)
    return [msgspec.to_builtins(item) for item in parts.mirrors.standings.all()]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values of a body as an upstream has them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _check_team(parts: Wiring, team: str) -> None:
    if team not in parts.identity.teams():
        raise NotFound(f"There is no team {team!r}.", remedy="Make it first: `lading team create`.")
