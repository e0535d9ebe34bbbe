"""Images by hand: tag, give to a team, copy, remove."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, hidden, require
from lading.entrypoints.api.routes.images import find_image
from lading.identity import Operation, Principal
from lading.kernel.digest import Digest
from lading.kernel.errors import Conflict, NotFound
from lading.kernel.reference import Reference
from lading.supply_chain.registry.access import Access
from lading.supply_chain.registry.errors import Denied, NameUnknown
from lading.wiring import Wiring
from lading.wiring.access import sight_of, visitor_of
from lading.wiring.copies import CopyOrder

router: Final = APIRouter(tags=["images"])


class TagBody(BaseModel):
    """The tag that an image gets, in the repository where it lies."""

    tag: str = Field(min_length=1, max_length=128)


class OwnerBody(BaseModel):
    """The team that an image belongs to from now on."""

    team: str = Field(min_length=1, max_length=64)


class EndBody(BaseModel):
    """One end of a copy: `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`, and how to get into another registry."""

    image: str = Field(max_length=500)
    user: str = Field("", max_length=200)
    secret: str = Field("", max_length=16_384, repr=False)
    plain: bool = False


class CopyBody(BaseModel):
    """A copy to make: with everything that refers to the image."""

    source: EndBody
    target: EndBody
    platform: str = Field("", max_length=64)


@router.post("/images/{image:path}/tag")
def tag(parts: Parts, caller: Caller, image: str, body: TagBody) -> dict[str, Any]:
    """Give an image another tag, in the same repository."""
    row = find_image(parts, caller, image)
    _require_push(parts, caller, row.repository)
    stored = parts.registry.resolve(row.repository, row.digest)
    parts.registry.put_manifest(
        row.repository, body.tag, stored.media_type, parts.registry.manifest(stored.digest), visitor_of(caller)
    )
    return {"repository": row.repository, "tag": body.tag, "digest": row.digest}


@router.post("/images/{image:path}/owner")
def owner(parts: Parts, caller: Caller, image: str, body: OwnerBody) -> dict[str, Any]:
    """Give an image to another team, wherever it lies; an admin of its present team may."""
    row = find_image(parts, caller, image)
    require(parts, caller, Operation.ADMIN, row.team, row.digest, row.repository)
    if body.team not in parts.identity.teams():
        raise NotFound(f"There is no team {body.team!r}.", remedy="See `lading team ls`.")
    parts.registry.change_owner(Digest.parse(row.digest), body.team, actor=caller.id)
    return {"digest": row.digest, "team": body.team}


@router.post("/copies", status_code=202)
def copy(parts: Parts, caller: Caller, body: CopyBody) -> dict[str, Any]:
    """Copy an image with its signatures and attestations, as a job. From or to another registry: admins only."""
    source = parts.copies.end(body.source.image, body.source.user, body.source.secret, plain=body.source.plain)
    target = parts.copies.end(body.target.image, body.target.user, body.target.secret, plain=body.target.plain)
    elsewhere = [end.image for end in (source, target) if Reference.parse(end.image).domain]
    if elsewhere:
        require(parts, caller, Operation.ADMIN, target=", ".join(elsewhere))
    if source.image not in elsewhere:
        place = parts.registry.place(Reference.parse(source.image).path)
        if not place.exists or not sight_of(caller).sees(place):
            hidden(parts, caller, place)
            raise NameUnknown(f"There is no repository {place.name}.", remedy="See `lading repository ls`.")
    if target.image not in elsewhere:
        _require_push(parts, caller, Reference.parse(target.image).path)
    team = visitor_of(caller).team
    order = CopyOrder(source=source, target=target, team=team, platform=body.platform)
    return dict(msgspec.to_builtins(parts.jobs.submit("copy", msgspec.to_builtins(order), actor=caller.id, team=team)))


@router.delete("/images/{image:path}")
def remove(parts: Parts, caller: Caller, image: str) -> dict[str, Any]:
    """Remove a tag, or an image from a repository when it is named by its digest."""
    row = find_image(parts, caller, image)
    require(parts, caller, Operation.DELETE, row.team, image, row.repository)
    reference = Reference.parse(image) if not image.startswith(("sha256:", "sha512:")) else None
    digest, visitor = Digest.parse(row.digest), visitor_of(caller)
    if reference is not None and reference.digest is None:
        parts.registry.delete_tag(row.repository, reference.tag or "latest", visitor)
        return {"repository": row.repository, "digest": row.digest, "removed": reference.tag or "latest"}
    _check_free(parts, row.repository, digest)
    parts.registry.delete_manifest(row.repository, digest, visitor)
    return {"repository": row.repository, "digest": row.digest, "removed": row.digest}


def _require_push(parts: Wiring, caller: Principal, repository: str) -> None:
    place = parts.registry.place(repository)
    if not parts.authenticator.may(visitor_of(caller), Access.PUSH, place):
        parts.identity.refused(caller, Operation.PUSH, repository)
        raise Denied(f"{caller.id} may not push to {repository}.", remedy="Ask an admin of its team for a role.")


def _check_free(parts: Wiring, repository: str, digest: Digest) -> None:
    """Raises Conflict for an image that runs, is held, or that an index of the repository lists."""
    running = parts.revocation.running(digest)
    if running:
        names = tuple(f"{row.workload} {row.name}" for row in running[:10])
        raise Conflict(f"{digest} runs in {len(running)} containers.", remedy="Deploy another first.", details=names)
    with parts.database.write() as tx:
        held = parts.holds.protection(tx).images
    if str(digest) in held:
        raise Conflict(f"{digest} is under hold.", remedy="Release the hold first.")
    for index in parts.registry.indexes_with(digest):
        if any(row.repository == repository for row in parts.registry.images(repository=repository, digest=index)):
            raise Conflict(f"The index {index} of {repository} lists {digest}.", remedy="Remove the index first.")
