"""Base images from distribution packages: what is asked for, what comes out, and who makes it.

Before it: an operator names a distribution and packages. After it: the image is pushed like every other, inventoried
and judged, and Dockerfiles start from it. A base is reproducible: one request and one snapshot of the package archives
give one digest, on any machine with the same tools.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.purl import PackageUrl
from lading.supply_chain.build.errors import BuildError

Say = Callable[[str], None]

# Releases that have a name as well as a number; Debian's package archives are addressed by name.
_DEBIAN: Final = {"11": "bullseye", "12": "bookworm", "13": "trixie"}
# Debian policy 5.6.1. Anything else could be read as an option or a pattern by the package tools.
_PACKAGE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]{1,100}")
BUILD_TYPE: Final = "urn:lading:build:distribution-packages:v1"
VARIANTS: Final = ("essential", "apt", "minbase")
MOST_PACKAGES: Final = 200


class BaseInvalid(BuildError, InvalidInput):
    """A base image was asked for that cannot be made: unknown distribution, variant or package name."""

    code = "base_invalid"


class BaseFailed(BuildError):
    """The packages did not become an image; the details are the last lines of the package tools."""

    code = "base_failed"


@dataclass(frozen=True, slots=True)
class BaseRequest:
    """What a base image shall hold.

    Args:
        distribution: name and release, such as `debian:12`.
        include: packages to add to the variant, sorted, each once.
        variant: `essential` (no package manager front end), `apt`, or `minbase` (all of priority "required", and apt).
        documentation: keep manual pages, translations and package documentation (copyright files are always kept).
    """

    distribution: str
    include: tuple[str, ...] = ()
    variant: str = "essential"
    documentation: bool = False

    @classmethod
    def of(
        cls, distribution: str, include: list[str] | tuple[str, ...] = (), *, variant: str = "essential"
    ) -> BaseRequest:
        """A checked request.

        Raises:
            BaseInvalid: names the part that cannot be asked for.
        """
        if len(include) > MOST_PACKAGES:
            raise BaseInvalid(f"{len(include)} packages are more than {MOST_PACKAGES}.")
        if wrong := [name for name in include if _PACKAGE_NAME.fullmatch(name) is None]:
            raise BaseInvalid(f"{wrong[0][:100]!r} is not a package name.", remedy="Write names only, no versions.")
        if variant not in VARIANTS:
            raise BaseInvalid(f"{variant[:40]!r} is not a variant.", remedy=f"Choose one of {', '.join(VARIANTS)}.")
        request = cls(distribution, tuple(sorted(set(include))), variant)
        _ = request.suite
        return request

    @property
    def suite(self) -> str:
        """The name of the release in the package archives; raises BaseInvalid."""
        name, _, release = self.distribution.partition(":")
        suite = _DEBIAN.get(release, release)
        if name != "debian" or suite not in _DEBIAN.values():
            raise BaseInvalid(
                f"{self.distribution[:60]!r} cannot be made from packages here.",
                remedy="Distributions are " + ", ".join(f"debian:{number}" for number in _DEBIAN) + ".",
            )
        return suite

    @property
    def number(self) -> str:
        """The number of the release, as os-release(5) has it in VERSION_ID; raises BaseInvalid."""
        return next(number for number, suite in _DEBIAN.items() if suite == self.suite)


@dataclass(frozen=True, slots=True)
class Package:
    """One installed distribution package, and the source package it was built from."""

    name: str
    version: str
    architecture: str
    source: str


@dataclass(frozen=True, slots=True)
class Archive:
    """The signed index of one suite of a package archive. Carries no host names: mirrors serve the same bytes."""

    name: str
    date: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The package archives as they were: what decides which versions go in."""

    archives: tuple[Archive, ...]
    epoch: int

    @property
    def digest(self) -> Digest:
        """One digest for all indexes."""
        return Digest.of(canonical_json([[item.name, str(item.digest)] for item in self.archives]))


@dataclass(frozen=True, slots=True)
class MadeBase:
    """A finished base image.

    `layout` is a directory in OCI image layout with one manifest; blobs are in `layout/blobs/sha256/HEX`. `inputs` is
    the digest of all that decides the content: request, architecture, snapshot and tool versions. `reused` is true when
    nothing had to be made.
    """

    request: BaseRequest
    layout: Path
    manifest: Digest
    config: Digest
    layer: Digest
    size: int
    architecture: str
    packages: tuple[Package, ...]
    snapshot: Snapshot
    tools: dict[str, str]
    inputs: Digest
    seconds: float
    reused: bool = False

    def blob(self, digest: Digest) -> Path:
        """The file of one of the image's blobs."""
        return self.layout / "blobs" / digest.algorithm / digest.hex

    @property
    def reference_tag(self) -> str:
        """A tag for when none is asked for: the release."""
        return self.request.distribution.partition(":")[2]


class BaseMaker(Protocol):
    """Makes base images.

    `make` leaves a complete image or nothing. The same request against the same snapshot and tools gives the same
    manifest digest, and is not made twice: the second call returns the first one's image with `reused`. Calls may run
    at the same time. `again` makes a finished image once more from the beginning, against the snapshot that it records,
    and returns the digest it got; the finished image stays as it is.

    Raises:
        BaseInvalid: a package does not exist.
        BaseFailed: the package tools failed or their archives cannot be reached.
    """

    def make(self, request: BaseRequest, say: Say) -> MadeBase: ...

    def again(self, made: MadeBase, say: Say) -> Digest: ...


def provenance(made: MadeBase, version: str) -> dict[str, Any]:
    """The SLSA v1 provenance predicate of a base image: what was asked for, every package, every archive by digest.

    Args:
        version: Lading's own version.
    """
    archives = [
        {
            "name": item.name,
            "digest": {item.digest.algorithm: item.digest.hex},
            "annotations": {"date": item.date},
        }
        for item in made.snapshot.archives
    ]
    packages = [
        {
            "uri": str(PackageUrl.of("deb", item.name, namespace="debian", version=item.version,
                                     qualifiers={"arch": item.architecture})),
            "annotations": {"source": item.source},
        }
        for item in made.packages
    ]  # fmt: skip
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "distribution": made.request.distribution,
                "include": list(made.request.include),
                "variant": made.request.variant,
                "documentation": made.request.documentation,
            },
            "internalParameters": {"architecture": made.architecture, "inputs": str(made.inputs)},
            "resolvedDependencies": [*archives, *packages],
        },
        "runDetails": {
            "builder": {"id": "urn:lading:builder:mmdebstrap", "version": {"lading": version, **made.tools}},
            "metadata": {},
            "byproducts": [{"name": "timing", "annotations": {"seconds": round(made.seconds, 3)}}],
        },
    }
