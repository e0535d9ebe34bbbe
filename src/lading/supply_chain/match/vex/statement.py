"""A VEX statement as it is applied: which flaw, where, what is said of it, by whom, and until when."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from lading.kernel.errors import InvalidInput
from lading.kernel.purl import PackageUrl
from lading.supply_chain.match.finding import Finding

Homes = Sequence[tuple[str, str]]


class Status(StrEnum):
    """What OpenVEX calls the status; CycloneDX states are translated into it. The most alarming comes last."""

    NOT_AFFECTED = "not_affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"
    AFFECTED = "affected"


_SETS_ASIDE: Final = (Status.NOT_AFFECTED, Status.FIXED)
_RANK: Final = {status: rank for rank, status in enumerate(Status)}


class Product(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a statement is about: an image by digest or repository, a package by purl, or a package of an image."""

    image: str = ""
    repository: str = ""
    package: str = ""


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where whoever took a statement in lets it count. Every kind that is given must fit; patterns as in the shell."""

    images: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.images or self.repositories or self.teams)

    def covers(self, image: str, homes: Homes) -> bool:
        """Whether an image lies within it."""
        if self.images and image not in self.images:
            return False
        if self.repositories and not any(_fits(home[0], self.repositories) for home in homes):
            return False
        return not self.teams or any(team in self.teams for _, team in homes)


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement. Times are RFC 3339; `names` are the ids of one flaw, `products` alternatives (none: all)."""

    id: str
    document: str
    names: tuple[str, ...]
    status: Status
    author: str
    made: str
    until: str
    products: tuple[Product, ...] = ()
    scope: Scope = Scope()
    justification: str = ""
    impact: str = ""
    action: str = ""

    @property
    def sets_aside(self) -> bool:
        """Whether a finding that it is about does not count."""
        return self.status in _SETS_ASIDE

    @property
    def needs_homes(self) -> bool:
        """Whether it depends on the repositories or the team of an image."""
        return bool(self.scope.repositories or self.scope.teams or any(one.repository for one in self.products))

    def covers(self, finding: Finding, image: str, homes: Homes) -> bool:
        """Whether it is about this finding of this image."""
        if set(self.names).isdisjoint(finding.names) or not self.scope.covers(image, homes):
            return False
        return not self.products or any(_is_about(one, finding, image, homes) for one in self.products)

    @property
    def order(self) -> tuple[str, int, str]:
        """The youngest statement wins; of those of one moment, the most alarming."""
        return self.made, _RANK[self.status], self.id


def _is_about(product: Product, finding: Finding, image: str, homes: Homes) -> bool:
    if product.image and product.image != image:
        return False
    if product.repository and not any(_is_repository(product.repository, home[0]) for home in homes):
        return False
    return not product.package or _is_package(product.package, finding)


def _is_repository(said: str, repository: str) -> bool:
    """`said` may carry the host of the registry in front."""
    return said == repository or said.endswith(f"/{repository}")


def _is_package(said: str, finding: Finding) -> bool:
    """Type, namespace and name, version and qualifiers where they are given; a source package stands for what is built
    from it."""
    wanted, found = _parsed(said), _parsed(finding.purl)
    if wanted is None or found is None or (wanted.type, wanted.namespace) != (found.type, found.namespace):
        return False
    if wanted.name != found.name:
        return wanted.name == finding.source and not wanted.version
    if wanted.version and wanted.version != found.version:
        return False
    return all(found.qualifier(key) in ("", value) for key, value in wanted.qualifiers)


@lru_cache(maxsize=4096)
def _parsed(purl: str) -> PackageUrl | None:
    try:
        return PackageUrl.parse(purl)
    except InvalidInput:
        return None


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
