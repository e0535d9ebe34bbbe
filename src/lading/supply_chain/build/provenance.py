"""SLSA v1 provenance of a build: what went in, by digest, who built it, what its steps installed, what was cached.

Source: SLSA specification 1.0, "Provenance" (predicate type https://slsa.dev/provenance/v1). Values of secrets never
appear: arguments whose names look like secrets are left out, also where a step repeats them, and BuildKit secrets are
named only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.build.builder import Built
from lading.supply_chain.build.errors import BuildFailed

PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:lading:build:dockerfile:v1"
_MOST_PACKAGES: Final = 5_000
_MOST_WORDS: Final = 4_000
_SECRET_NAME: Final = re.compile(r"pass(word|wd)?|secret|token|credential|key|auth", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class BuildRecord:
    """Everything about a build that its provenance tells. Times are RFC 3339."""

    build: str
    source: Digest
    commit: str
    dirty: bool
    dockerfile: Digest
    dockerfile_path: str
    target: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    pins: Mapping[Reference, Reference] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    builder: str = ""
    builder_version: str = ""
    started: str = ""
    finished: str = ""


@dataclass(frozen=True, slots=True)
class StepPackages:
    """What the step that made a layer did to packages, as package URLs; `changed` are pairs of before and after.

    `stage` names the stage whose layer it is, where the image itself does not have it.
    """

    layer: Digest
    step: str
    added: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()
    stage: str = ""


def provenance(record: BuildRecord, built: Built, steps: Sequence[StepPackages] = ()) -> dict[str, Any]:
    """The predicate, as JSON; `steps` say what became of packages, layer by layer."""
    shown, hidden = _arguments(record.arguments)
    secrets = [record.arguments[name] for name in hidden if record.arguments[name]]
    parameters = {
        "source": {"digest": _digest(record.source), "commit": record.commit, "dirty": record.dirty},
        "dockerfile": {"path": record.dockerfile_path, "digest": _digest(record.dockerfile)},
        "target": record.target,
        "arguments": shown,
        "argumentsLeftOut": hidden,
        "secrets": list(record.secrets),
    }
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": parameters,
            "internalParameters": {"stages": list(record.stages)},
            "resolvedDependencies": [
                _source(record),
                *(_base(said, pin) for said, pin in record.pins.items()),
                *({"name": f"stage {name}", "digest": _digest(digest)} for name, digest in built.stages.items()),
            ],
        },
        "runDetails": {
            "builder": {"id": f"urn:lading:builder:{record.builder}", "version": {"engine": record.builder_version}},
            "metadata": {"invocationId": record.build, "startedOn": record.started, "finishedOn": record.finished},
            "byproducts": [
                {
                    "name": "cache",
                    "annotations": {
                        "steps": len(built.steps),
                        "cached": built.cached_steps,
                        "seconds": round(built.seconds, 3),
                    },
                },
                *(_layer(step, secrets) for step in steps),
            ],
        },
    }


def _layer(step: StepPackages, secrets: Sequence[str]) -> dict[str, Any]:
    words = step.step
    for secret in secrets:
        words = words.replace(secret, "…")
    told: dict[str, Any] = {"stage": step.stage} if step.stage else {}
    told |= {
        "step": words[:_MOST_WORDS],
        "added": list(step.added[:_MOST_PACKAGES]),
        "changed": [{"from": before, "to": after} for before, after in step.changed[:_MOST_PACKAGES]],
        "removed": list(step.removed[:_MOST_PACKAGES]),
    }
    left_out = sum(max(0, len(one) - _MOST_PACKAGES) for one in (step.added, step.changed, step.removed))
    return {"name": "layer", "digest": _digest(step.layer), "annotations": told | {"leftOut": left_out}}


def _arguments(arguments: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    hidden = sorted(name for name in arguments if _SECRET_NAME.search(name))
    return {name: value for name, value in sorted(arguments.items()) if name not in hidden}, hidden


def _source(record: BuildRecord) -> dict[str, Any]:
    digest = _digest(record.source) | ({"gitCommit": record.commit} if record.commit else {})
    return {"name": "source", "digest": digest}


def _base(said: Reference, pin: Reference) -> dict[str, Any]:
    if pin.digest is None:
        raise BuildFailed(f"{said} was not pinned to a digest.", remedy="This is a fault of the caller.")
    return {
        "name": str(said),
        "uri": f"pkg:oci/{pin.path.rpartition('/')[2]}@{pin.digest}",
        "digest": _digest(pin.digest),
    }


def _digest(digest: Digest) -> dict[str, str]:
    return {digest.algorithm: digest.hex}
