"""How an accepted manifest is kept: the rows of the tables, and the facts about it.

Before it the registry checked that everything the manifest names is there; what is made here is kept in the same
transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from lading.facts import Fact
from lading.facts.kinds.supply_chain import ImagePushed, ImageUnattributed
from lading.supply_chain.registry import attribution
from lading.supply_chain.registry.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a manifest comes from: whose it is, who pushed it, from which commit, built where."""

    team: str
    principal: str
    commit: str
    pipeline: str


def manifest_values(manifest: Manifest, served_with: str, origin: Origin) -> dict[str, object]:
    """The columns of a manifest. What an engine can run has no artifact type, whatever it calls itself."""
    config = next(iter(manifest.of_role("config")), None)
    runnable = manifest.is_runnable and not served_with
    kind = manifest.artifact_type
    if served_with and not manifest.refers_to:
        kind = manifest.signature_kind
    elif not runnable and not manifest.refers_to:
        kind = kind or "artifact"
    return {
        "digest": str(manifest.digest),
        "media_type": manifest.media_type,
        "size": manifest.size,
        "content_size": manifest.size + sum(part.size for part in manifest.parts),
        "config": str(config.digest) if config else "",
        "artifact_type": "" if runnable and not manifest.refers_to else kind,
        "refers_to": str(manifest.refers_to or ""),
        "served_with": served_with,
        "runnable": runnable,
        "annotations": msgspec.json.encode(manifest.annotations) if manifest.annotations else None,
        "team": origin.team,
        "principal": origin.principal,
        "commit": origin.commit,
        "pipeline": origin.pipeline,
    }


def part_rows(manifest: Manifest) -> list[dict[str, object]]:
    return [
        {
            "manifest": str(manifest.digest),
            "role": part.role,
            "position": position,
            "digest": str(part.digest),
            "media_type": part.media_type,
            "size": part.size,
            "platform": part.platform,
        }
        for role in ("config", "layer", "manifest")
        for position, part in enumerate(manifest.of_role(role))
    ]


def origin_rows(manifest: Manifest, repository: str, team: str) -> list[dict[str, object]]:
    layers = dict.fromkeys(str(part.digest) for part in manifest.of_role("layer"))
    origin = {"image": str(manifest.digest), "repository": repository, "team": team, "layers": len(layers)}
    return [{"layer": layer, **origin} for layer in layers]


def unattributed(manifest: Manifest, repository: str, origin: Origin) -> list[Fact]:
    """The finding about an image that does not say where it comes from. An index is what its images are."""
    missing = attribution.missing(origin.principal, origin.commit, origin.pipeline)
    if not missing or manifest.is_index:
        return []
    fact = ImageUnattributed(
        digest=str(manifest.digest),
        repository=repository,
        team=origin.team,
        principal=origin.principal,
        missing=missing,
    )
    return [fact]


def pushed_fact(manifest: Manifest, repository: str, tag: str, values: dict[str, object]) -> ImagePushed:
    return ImagePushed(
        digest=str(manifest.digest),
        repository=repository,
        tag=tag,
        media_type=manifest.media_type,
        size=manifest.size + sum(part.size for part in manifest.parts),
        layers=tuple(str(part.digest) for part in manifest.of_role("layer")),
        config=str(values["config"]),
        team=str(values["team"]),
        principal=str(values["principal"]),
        commit=str(values["commit"]),
        pipeline=str(values["pipeline"]),
        artifact_type=str(values["artifact_type"]),
        refers_to=str(values["refers_to"]),
    )
