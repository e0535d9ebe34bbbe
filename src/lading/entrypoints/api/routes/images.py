"""Images: list, show, move, prove."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from lading.entrypoints.api.access import Caller, Parts, hidden, require
from lading.identity import Operation, Principal
from lading.kernel.digest import Digest
from lading.kernel.errors import Conflict
from lading.kernel.reference import Reference, is_repository_name
from lading.supply_chain.attest.statement import PROVENANCE
from lading.supply_chain.match.findings import Counted
from lading.supply_chain.registry.attribution import missing
from lading.supply_chain.registry.errors import Denied, ManifestUnknown
from lading.supply_chain.registry.listing import ListedImage
from lading.supply_chain.registry.reading import ImageRow
from lading.supply_chain.registry.states import State
from lading.wiring import Wiring
from lading.wiring.access import readable_teams, sight_of

router: Final = APIRouter(tags=["images"])
_REMEDY: Final = "See `lading image ls`."
_MOST_PLACES: Final = 100


class MoveBody(BaseModel):
    """Why an image moves, until when it is approved, and what replaces it."""

    why: str = Field(min_length=3, max_length=1_000)
    days: int = Field(90, ge=1, le=365)
    replaced_by: str = Field("", max_length=500)


@router.get("/images")
def list_images(
    parts: Parts,
    caller: Caller,
    response: Response,
    repository: str = "",
    state: str = "",
    q: Annotated[str, Query(max_length=300)] = "",
    unattributed: bool = False,
    after: Annotated[str, Query(max_length=1_000)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> list[dict[str, Any]]:
    """Images of the caller's teams, youngest first; a `Link` header names the next page."""
    rows = parts.listings.images(
        teams=readable_teams(caller), may=lambda team, name: parts.identity.may(caller, Operation.READ, team, name),
        repository=repository, state=state, text=q, unattributed=unattributed, after=after, limit=limit,
    )  # fmt: skip
    if len(rows) == limit:
        asked = {"repository": repository, "state": state, "q": q, "unattributed": "1" if unattributed else ""}
        query = urlencode(
            {key: value for key, value in asked.items() if value} | {"limit": limit, "after": rows[-1].key}
        )
        response.headers["Link"] = f'</api/v1/images?{query}>; rel="next"'
    counts = parts.findings.counts([row.digest for row in rows])
    return [_listed(row, counts[row.digest]) for row in rows]


@router.get("/images/{image:path}/findings")
def findings(parts: Parts, caller: Caller, image: str, set_aside: bool = False) -> list[dict[str, Any]]:
    """What is known to be wrong with an image, worst first, and who reported it: what counts, or what a VEX statement
    sets aside."""
    row = find_image(parts, caller, image)
    found = parts.documents.findings(Digest.parse(row.digest), set_aside=set_aside)
    origins = {layer: parts.owners.origin(layer) for layer in {one["layer"] for one in found}}
    return [one | {"origin": origins[one["layer"]]} for one in found]


@router.get("/images/{image:path}/weaknesses")
def weaknesses(parts: Parts, caller: Caller, image: str) -> list[dict[str, Any]]:
    """What rules of ours find weak about an image, worst first: secrets, settings, licences, ends of support, base."""
    return parts.details.weaknesses(find_image(parts, caller, image).digest)


@router.get("/images/{image:path}/sbom")
def sbom(parts: Parts, caller: Caller, image: str) -> dict[str, Any]:
    """The inventory as CycloneDX 1.6."""
    return parts.bill_of_materials.of(Digest.parse(find_image(parts, caller, image).digest))


@router.get("/images/{image:path}/provenance")
def provenance(parts: Parts, caller: Caller, image: str) -> dict[str, Any]:
    """The SLSA provenance; empty when Lading did not make the image."""
    row = find_image(parts, caller, image)
    for item in parts.attestations.verify(Digest.parse(row.digest), row.repository):
        if item.predicate_type == PROVENANCE and not item.problem:
            return item.predicate
    return {}


@router.get("/images/{image:path}/attestations")
def attestations(parts: Parts, caller: Caller, image: str) -> list[dict[str, Any]]:
    """The signature and every attestation, each verified now."""
    row = find_image(parts, caller, image)
    return attested(parts, Digest.parse(row.digest), row.repository)


@router.get("/images/{image:path}")
def show(parts: Parts, caller: Caller, image: str) -> dict[str, Any]:
    """One image with its state and layers."""
    row = find_image(parts, caller, image)
    digest = Digest.parse(row.digest)
    state = parts.states.state(digest)
    shown = _row(parts, row) | (msgspec.to_builtins(state) if state else {"state": "unknown"})
    shown["pull"] = _pulled(parts, row)
    shown["running"] = msgspec.to_builtins(parts.revocation.running(digest))
    shown["members"] = _members(parts, digest)
    shown["lineage"] = _lineage(parts, caller, row.digest)
    shown["unspoken"] = parts.documents.unspoken(digest)
    shown["reports"] = parts.details.reports(row.digest)
    shown["layers"] = [
        {
            "digest": item["digest"],
            "size_mb": round(item["size"] / 1e6, 2),
            "packages": item["packages"],
            "team": item["team"],
            "origin": item["origin"],
        }
        for item in parts.details.layers(row.digest)
    ]
    return shown


@router.post("/images/{image:path}/approve")
def approve(parts: Parts, caller: Caller, image: str, body: MoveBody) -> dict[str, Any]:
    """Approve an image by hand: signed and attested as such, until it expires."""
    row = find_image(parts, caller, image)
    _require_move(parts, caller, Operation.APPROVE, row)
    digest, until = Digest.parse(row.digest), parts.clock.now() + timedelta(days=body.days)
    if (weakest := parts.admission.weakest(digest)) is not None:
        member, found = weakest
        raise Conflict(
            f"Its image for {member.platform or 'no platform'}, {member.digest}, is {found.state}: {found.why}.",
            remedy="An index is as good as its worst platform: approve that image first.",
        )
    parts.attestations.sign(digest, row.repository, actor=caller.id)
    with parts.database.write() as tx:
        parts.states.move(tx, digest, State.APPROVED, who=caller.id, why=body.why, until=until)
    return _moved(parts, digest)


@router.post("/images/{image:path}/quarantine")
def quarantine(parts: Parts, caller: Caller, image: str, body: MoveBody) -> dict[str, Any]:
    """Withdraw an approval."""
    row = find_image(parts, caller, image)
    _require_move(parts, caller, Operation.REVOKE, row)
    digest = Digest.parse(row.digest)
    with parts.database.write() as tx:
        parts.states.move(tx, digest, State.QUARANTINED, who=caller.id, why=body.why)
    return _moved(parts, digest)


@router.post("/images/{image:path}/revoke")
def revoke(parts: Parts, caller: Caller, image: str, body: MoveBody) -> dict[str, Any]:
    """Refuse an image on every pull path from now on, and name the containers that still run it."""
    row = find_image(parts, caller, image)
    _require_move(parts, caller, Operation.REVOKE, row)
    digest = Digest.parse(row.digest)
    done = parts.revocation.revoke(digest, who=caller.id, why=body.why, replaced_by=body.replaced_by)
    return _moved(parts, digest) | {"running": msgspec.to_builtins(done.running)}


def attested(parts: Wiring, digest: Digest, repository: str) -> list[dict[str, Any]]:
    """The signature and attestations of an image, verified now."""
    names = {key.key_id: key.name for key in parts.keyring.all()}
    return [
        {
            "what": "signature" if one.is_signature else "attestation",
            "predicate_type": one.predicate_type,
            "holds": one.valid,
            "problem": one.problem,
            "signer": names.get(one.signer, one.signer),
            "issuer": one.issuer,
            "key_id": one.key_id,
            "form": one.form,
            "at": one.at,
            "until": one.until,
            "digest": one.digest,
        }
        for one in parts.attestations.check(digest, repository)
        if one.what != "claim"
    ]


def _lineage(parts: Wiring, caller: Caller, digest: str) -> dict[str, Any]:
    """What an image is built on, without the names of repositories that the caller may not know of."""
    found, sight = parts.details.lineage(digest), sight_of(caller)
    for base in found["line"]:
        repository = base["name"].rpartition(":")[0]
        if base["digest"] and is_repository_name(repository) and not sight.sees(parts.registry.place(repository)):
            base["name"] = ""
    return {"line": found["line"], "built_on_it": found["built_on_it"]}


def find_image(parts: Wiring, caller: Caller, image: str) -> ImageRow:
    """The image that a reference or digest names.

    Raises:
        NotFound: there is none, or only in repositories that the caller may not know of.
        AccessDenied: it is another team's.
    """
    reference = Reference.parse(image) if not image.startswith(("sha256:", "sha512:")) else None
    if reference is None:
        digest, unknown = Digest.parse(image), ManifestUnknown(f"No image {image} was ever pushed.", remedy=_REMEDY)
        parts.registry.repository_of(digest)
    else:
        tag = str(reference.digest) if reference.digest else reference.tag or "latest"
        unknown = ManifestUnknown(f"{reference.path} has no {tag[:140]!r}.", remedy=_REMEDY)
        digest = parts.registry.resolve(reference.path, tag).digest
    rows = parts.registry.images(digest=digest, limit=_MOST_PLACES)
    if reference is not None:
        rows = [row for row in rows if row.repository == reference.path]
        if not rows:
            raise unknown
    for row in rows:
        if parts.identity.may(caller, Operation.READ, row.team, row.repository):
            return row
    sight, places = sight_of(caller), [parts.registry.place(row.repository) for row in rows]
    if not any(sight.sees(place) for place in places):
        hidden(parts, caller, places[0])
        raise unknown
    require(parts, caller, Operation.READ, rows[0].team, rows[0].digest, rows[0].repository)
    return rows[0]


def _require_move(parts: Wiring, caller: Principal, operation: Operation, row: ImageRow) -> None:
    """Raises AccessDenied unless the caller may move the image: its state counts wherever it lies, so those decide who
    pushed it first."""
    digest = Digest.parse(row.digest)
    first = parts.registry.images(repository=parts.registry.repository_of(digest), digest=digest, limit=1)[0]
    require(parts, caller, operation, first.team, first.digest, first.repository)


def _listed(row: ListedImage, counted: Counted) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(row),
        "size_mb": round(row.size / 1e6, 1),
        "worst": next(iter(counted.by_severity), "none"),
        "findings": sum(counted.by_severity.values()),
        "packages": counted.packages,
    }


def _row(parts: Wiring, row: ImageRow) -> dict[str, Any]:
    counted = parts.findings.counts([row.digest])[row.digest]
    return {
        **msgspec.to_builtins(row),
        "size_mb": round(row.size / 1e6, 1),
        "worst": next(iter(counted.by_severity), "none"),
        "findings": sum(counted.by_severity.values()),
        "packages": parts.details.package_count(row.digest),
        "missing": list(missing(row.principal, row.commit, row.pipeline)),
    }


def _pulled(parts: Wiring, row: ImageRow) -> str:
    """Empty when the image can be pulled, otherwise why not."""
    try:
        parts.serving.check_manifest(row.repository, Digest.parse(row.digest))
    except Denied as denied:
        return denied.what
    return ""


def _members(parts: Wiring, digest: Digest) -> list[dict[str, Any]]:
    """What an index lists, and where each stands."""
    members = parts.registry.members(digest)
    states = parts.states.states([member.digest for member in members])
    return [
        member._asdict() | {"state": found.state, "why": found.why}
        for member in members
        if (found := states.get(member.digest)) is not None
    ]


def _moved(parts: Wiring, digest: Digest) -> dict[str, Any]:
    state = parts.states.state(digest)
    return {"digest": str(digest), **(msgspec.to_builtins(state) if state else {})}
