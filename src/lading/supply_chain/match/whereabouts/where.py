"""The questions: what is meant, which images have it, and what there is to say of it in some of them.

Since when an image has a flaw: the later of the image's first match and the flaw's first sight in the package. Flaws
are kept for packages, so an image that comes after its flaw has it since it came, and one that was there before has it
since the flaw became known. That more becomes known of a flaw (a fix, a severity) does not move it; a flaw that was
taken back and comes again is a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from lading.kernel.clock import Clock, SystemClock
from lading.state import Database
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.index_sql import PackageIndex
from lading.supply_chain.match.licences_sql import asked
from lading.supply_chain.match.ports import ImageHomes, NoHomes
from lading.supply_chain.match.setting_aside import SettingAside
from lading.supply_chain.match.whereabouts import sql

MOST_IMAGES: Final = 10_000


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One package in one image. `since` is when the image came to have the flaw (RFC 3339), empty for what is no flaw
    or not known; `what` is the id of the flaw or the text of the licence; `vex` what a statement says of it here."""

    image: str
    package: str
    version: str
    purl: str
    layer: str
    path: str
    what: str = ""
    severity: str = ""
    fixed: str = ""
    since: str = ""
    vex: str = ""


class Flaw(msgspec.Struct, frozen=True):
    """A flaw of a package, and when it was first seen in it."""

    finding: Finding
    seen: str


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: packages by their numbers with their flaws, packages alone, or a licence."""

    flaws: dict[int, tuple[Flaw, ...]] = {}
    packages: dict[int, Package] = {}
    licence: str = ""


class Whereabouts:
    """Answers from the tables of matching.

    Args:
        homes: where images are kept, for statements about repositories and teams.
    """

    def __init__(self, database: Database, *, homes: ImageHomes | None = None, clock: Clock | None = None) -> None:
        self._database = database
        self._aside = SettingAside(database, homes or NoHomes(), clock or SystemClock())

    def flaw(self, name: str) -> Sought:
        """A flaw, by its id or any alias; in at most 5,000 packages."""
        flawed: dict[int, list[Flaw]] = {}
        with self._database.read() as tx:
            for number, one, seen in sql.flawed(tx, name):
                flawed.setdefault(number, []).append(Flaw(one, seen))
        return Sought(flaws={number: tuple(some) for number, some in flawed.items()})

    def package(self, text: str) -> Sought:
        """A package: a name, `name@version` or a package URL; at most 5,000 versions and sources of it."""
        with self._database.read() as tx:
            some = sql.called(tx, text)
            name, at, version = text.rpartition("@")
            if not some and at and name:
                some = {number: one for number, one in sql.called(tx, name).items() if one.version == version}
        return Sought(packages=some)

    def licence(self, text: str) -> Sought:
        """A licence: by its SPDX id or any name of it (`GPLv3+`), or by the text as a package has it, in any case."""
        return Sought(licence=asked(text))

    def images(self, sought: Sought) -> list[str]:
        """The images that have it (digests); the first 10,000 that an index has."""
        with self._database.read() as tx:
            if sought.licence:
                return sql.images_licensed(tx, sought.licence, MOST_IMAGES)
            numbers = sorted((*sought.flaws, *sought.packages))
            return sql.images_having(tx, numbers, MOST_IMAGES) if numbers else []

    def places(self, sought: Sought, images: Sequence[str]) -> list[Found]:
        """What is to be said of it in these images, by image and package; each package of an image once, by its first
        path."""
        if not images:
            return []
        with self._database.read() as tx:
            if sought.licence:
                spots = _once(sql.licensed(tx, sought.licence, images))
                packages = PackageIndex().packages(tx, sorted({spot.package for spot in spots}))
                found = [_carried(packages[spot.package], spot) for spot in spots]
            elif sought.flaws:
                spots = _once(sql.spots(tx, sorted(sought.flaws), images))
                flaws = [one.finding for some in sought.flaws.values() for one in some]
                statements = self._aside.statements(tx, flaws)
            else:
                spots = _once(sql.spots(tx, sorted(sought.packages), images)) if sought.packages else []
                found = [_carried(sought.packages[spot.package], spot) for spot in spots]
        if sought.flaws:
            found = [
                _flawed(one, spot, flaw.seen)
                for spot in spots
                for flaw in sought.flaws[spot.package]
                for one in self._aside.applied(spot.image, [_placed(flaw.finding, spot)], statements)
            ]
        return sorted(found, key=_order)


def _once(spots: Iterable[sql.Spot]) -> list[sql.Spot]:
    first: dict[tuple[str, int], sql.Spot] = {}
    for spot in sorted(spots):
        first.setdefault((spot.image, spot.package), spot)
    return list(first.values())


def _placed(one: Finding, spot: sql.Spot) -> Finding:
    return msgspec.structs.replace(one, path=spot.path, layer=spot.layer)


def _flawed(one: Finding, spot: sql.Spot, seen: str) -> Found:
    return Found(
        image=spot.image, package=one.package, version=one.version, purl=one.purl, layer=one.layer, path=one.path,
        what=one.id, severity=one.severity.label, fixed=one.fixed, since=max(seen, spot.matched),
        vex=one.vex.status if one.vex else "",
    )  # fmt: skip


def _carried(package: Package, spot: sql.Spot) -> Found:
    return Found(
        image=spot.image, package=package.name, version=package.version, purl=package.purl, layer=spot.layer,
        path=spot.path, what=spot.text,
    )  # fmt: skip


def _order(found: Found) -> tuple[str, ...]:
    return found.image, found.package, found.version, found.path, found.what
