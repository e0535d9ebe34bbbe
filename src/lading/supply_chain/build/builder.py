"""What a builder is asked for and what it answers: the port and its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.build.dockerfile import Dockerfile


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a build: what it ran, whether it came from the cache, and how long it took."""

    name: str
    cached: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """What to build.

    `pins` maps each outside reference of the Dockerfile to one with a digest on a registry that the builder reaches.
    `secrets` map an id to a file; they are mounted while a step runs and never stored. `labels` go into the image
    configuration.
    """

    directory: Path
    dockerfile: Dockerfile
    image: Reference
    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[Reference, Reference] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Built:
    """What came out: the digest of the pushed manifest, and what each step did; `FROM` is no step.

    `stages` are the digests of the intermediate stages, which were pushed too, by name.
    """

    digest: Digest
    steps: tuple[Step, ...]
    seconds: float
    stages: Mapping[str, Digest] = field(default_factory=dict)

    @property
    def cached_steps(self) -> int:
        """How many steps came from the cache."""
        return sum(step.cached for step in self.steps)


Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Credentials:
    """How the builder logs in to the registries; kept out of arguments and logs."""

    user: str
    secret: str = field(repr=False)
    registries: tuple[str, ...] = ()


class Builder(Protocol):
    """Builds an image and pushes it."""

    name: str

    def version(self) -> str:
        """The builder and its version; raises BuilderUnavailable."""
        ...

    def build(self, request: BuildRequest, credentials: Credentials, progress: Progress) -> Built:
        """Build and push `request.image`; when this returns, the registry holds it.

        Raises:
            BuildFailed: a step failed; the registry holds nothing new under the image's tag.
            BuilderUnavailable: the builder does not answer, or stopped in the middle.
        """
        ...
