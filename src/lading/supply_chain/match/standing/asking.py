"""Asks how flaws stand: lists, one flaw, some images, history. What is kept is read from indexes; statements (VEX) are
applied when it is read, so that they end by themselves."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from lading.kernel.clock import Clock, SystemClock, parse_timestamp, timestamp
from lading.kernel.severity import Severity
from lading.state import Database
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.flaws_sql import FlawStore
from lading.supply_chain.match.index_sql import PackageIndex
from lading.supply_chain.match.ports import ImageHomes
from lading.supply_chain.match.setting_aside import with_statements
from lading.supply_chain.match.standing import asking_sql as sql
from lading.supply_chain.match.standing import keeping_sql, stale_sql
from lading.supply_chain.match.standing.bearing import ALL, Flawed, Stands
from lading.supply_chain.match.standing.wanted import Sort, Wanted, begins
from lading.supply_chain.match.vex.statement import Statement
from lading.supply_chain.match.vex.vex_sql import VexStore

COUNTED: Final = 1_000
_MOST_WAITING: Final = 10_000
_MOST_LOOKED_AT: Final = 200
_MOST_SPELLS: Final = 500
_MOST_ENDED: Final = 100_000


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say of a flaw: its findings by package, the statements that count, and what they set aside here
    (`all`, `some` or nothing)."""

    found: dict[int, Flawed]
    statements: tuple[Statement, ...] = ()
    aside: str = ""

    @property
    def findings(self) -> list[Finding]:
        """What is found in each package."""
        return [one.finding for one in self.found.values()]


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of an image, and when its flaw was first seen in the package."""

    image: str
    finding: Finding
    seen: str


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What began and ended on a day, by severity."""

    day: str
    opened: dict[str, int]
    closed: dict[str, int]


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """How long flaws stood for a team before they ended, in seconds."""

    team: str
    times: int
    median: float
    p90: float


class Asking:
    """Answers from what is kept."""

    def __init__(self, database: Database, *, homes: ImageHomes, clock: Clock | None = None) -> None:
        self._database = database
        self._homes = homes
        self._clock = clock or SystemClock()
        self._flaws = FlawStore()
        self._index = PackageIndex()
        self._vex = VexStore()

    def page(self, wanted: Wanted, *, sort: Sort = "urgency", after: str = "", limit: int = 50) -> list[Stands]:
        """The first flaws after a cursor that are wanted; raises InvalidInput for a cursor that is none."""
        place = begins(after, sort) if after else None
        with self._database.read() as tx:
            return sql.page(tx, wanted, sort, place, limit)

    def counts(self, wanted: Wanted) -> dict[Severity, int]:
        """How many flaws are wanted, by severity."""
        with self._database.read() as tx:
            return sql.counts(tx, wanted)

    def waiting(self) -> int:
        """How much is not worked out yet, up to 10,000."""
        with self._database.read() as tx:
            return stale_sql.waiting(tx, _MOST_WAITING)

    # ---- narrowing

    def named(self, name: str) -> frozenset[str]:
        """The flaws that have this id or alias."""
        with self._database.read() as tx:
            return frozenset(sql.ids_named(tx, name))

    def of_package(self, text: str) -> frozenset[str]:
        """The flaws of a package: a name, `name@version` or a package URL."""
        with self._database.read() as tx:
            return frozenset(sql.ids_of(tx, self._numbers(tx, text)))

    def spoken_of(self) -> frozenset[str]:
        """The flaws about which some statement counts now."""
        with self._database.read() as tx:
            return frozenset(sql.ids_spoken_of(tx, self._now()))

    # ---- details

    def known(self, some: Sequence[str], teams: Collection[str] | None) -> dict[str, Known]:
        """What there is to say of flaws in packages that these teams have. Statements that count in some places only
        are looked at in at most 200 images of theirs that have the flaw."""
        with self._database.read() as tx:
            found = keeping_sql.flawed(tx, some)
            if teams is not None:
                theirs = sql.had_by(tx, sorted({number for one in found.values() for number in one}), teams)
                found = {
                    flaw: mine
                    for flaw, one in found.items()
                    if (mine := {number: flawed for number, flawed in one.items() if number in theirs})
                }
            names = {name for packages in found.values() for one in packages.values() for name in one.finding.names}
            by_name: dict[str, list[Statement]] = {}
            for statement in self._vex.about(tx, sorted(names), self._now()):
                for name in statement.names:
                    by_name.setdefault(name, []).append(statement)
        return {flaw: self._told(packages, by_name, teams) for flaw, packages in found.items()}

    def whose(self, some: Sequence[str], teams: Collection[str] | None) -> dict[str, list[sql.Whose]]:
        """Flaw -> whose it is."""
        with self._database.read() as tx:
            return sql.whose(tx, some, teams)

    def image_counts(self, known: Mapping[str, Known], teams: Collection[str] | None) -> dict[str, int]:
        """Flaw -> how many images have it, up to 1,000."""
        with self._database.read() as tx:
            return {flaw: sql.count_images(tx, sorted(one.found), teams, COUNTED) for flaw, one in known.items()}

    def packages(self, text: str) -> dict[int, Package]:
        """The packages that are called so."""
        with self._database.read() as tx:
            return self._index.packages(tx, self._numbers(tx, text))

    def licences_of(self, numbers: Sequence[int]) -> list[str]:
        """What the licences of packages say, as the packages have it; at most 50."""
        with self._database.read() as tx:
            return sql.licences_of(tx, numbers)

    def flaws_of(self, numbers: Sequence[int]) -> dict[int, list[Flawed]]:
        """Package -> its flaws."""
        found: dict[int, list[Flawed]] = {}
        with self._database.read() as tx:
            seen = sql.seen_of(tx, numbers)
            for (number, identity), one in self._flaws.found(tx, numbers).items():
                found.setdefault(number, []).append(Flawed(one, seen.get((number, identity), "")))
        return found

    def images_with(self, numbers: Sequence[int], teams: Collection[str] | None, most: int) -> list[str]:
        """The first images of these teams that have one of the packages, those that run first."""
        with self._database.read() as tx:
            return sql.images_with(tx, sorted(numbers), teams, most) if numbers else []

    def image_page(
        self, teams: Collection[str] | None, running: bool, before: int, limit: int
    ) -> list[tuple[int, str]]:
        """Images that have a home, those matched last first: number and digest."""
        with self._database.read() as tx:
            return sql.image_page(tx, teams, running, before, limit)

    def running_of(self, images: Sequence[str]) -> set[str]:
        """Those of the images that somebody runs."""
        with self._database.read() as tx:
            return sql.running_of(tx, images)

    def placed(self, images: Sequence[str]) -> list[Placed]:
        """The findings of some images, each flaw once for a package of an image; with what statements say."""
        with self._database.read() as tx:
            spots: dict[tuple[str, int], sql.Spot] = {}
            for spot in sorted(sql.contents(tx, images), key=lambda one: (one.image, one.package, one.path, one.layer)):
                spots.setdefault((spot.image, spot.package), spot)
            numbers = sorted({number for _, number in spots})
            found = self._flaws.found(tx, numbers)
            seen = sql.seen_of(tx, numbers)
            names = sorted({name for one in found.values() for name in one.names})
            statements = self._vex.about(tx, names, self._now())
        by_package: dict[int, list[Finding]] = {}
        for (number, _), one in found.items():
            by_package.setdefault(number, []).append(one)
        by_image: dict[str, list[tuple[Finding, str]]] = {}
        for (image, number), spot in spots.items():
            by_image.setdefault(image, []).extend(
                (msgspec.structs.replace(one, layer=spot.layer, path=spot.path), seen.get((number, one.id), ""))
                for one in by_package[number]
            )
        made: list[Placed] = []
        for image, rows in by_image.items():
            homes = self._homes.homes(image) if any(one.needs_homes for one in statements) else ()
            decided = with_statements(image, [one for one, _ in rows], statements, homes) if statements else None
            made += [
                Placed(image=image, finding=decided[n] if decided else one, seen=moment)
                for n, (one, moment) in enumerate(rows)
            ]
        return made

    # ---- history

    def spells(self, flaw: str, teams: Collection[str] | None) -> list[sql.Spell]:
        """When a flaw began and ended for teams, youngest first; at most 500."""
        with self._database.read() as tx:
            return sql.spells_of(tx, flaw, teams, _MOST_SPELLS)

    def history(self, teams: Collection[str] | None, *, running: bool, days: int) -> tuple[list[Moved], list[Mended]]:
        """What began and ended on each of the last days, and how long what ended had stood, team by team.

        For some teams, a flaw counts once for each of them.
        """
        start = self._clock.now() - timedelta(days=days - 1)
        since_when = timestamp(start)[:10]
        with self._database.read() as tx:
            listed = (ALL,) if teams is None else sorted(teams)
            opened = sql.moved(tx, "began", listed, running, since_when)
            closed = sql.moved(tx, "ended", listed, running, since_when)
            ended = sql.ended(tx, teams, running, since_when, _MOST_ENDED)
        dates = [timestamp(start + timedelta(days=n))[:10] for n in range(days)]
        moved = [Moved(day=day, opened=_on(day, opened), closed=_on(day, closed)) for day in dates]
        return moved, _mended(ended)

    # ----

    def _now(self) -> str:
        return timestamp(self._clock.now())

    def _numbers(self, tx: Any, text: str) -> list[int]:
        numbers = sql.numbers_called(tx, text)
        name, at, version = text.rpartition("@")
        if not numbers and at and name:
            found = self._index.packages(tx, sql.numbers_called(tx, name))
            numbers = [number for number, one in found.items() if one.version == version]
        return sorted(numbers)

    def _told(
        self, packages: dict[int, Flawed], by_name: Mapping[str, Sequence[Statement]], teams: Collection[str] | None
    ) -> Known:
        """What statements set aside of one flaw."""
        names = {name for one in packages.values() for name in one.finding.names}
        said = {one.id: one for name in names for one in by_name.get(name, ())}
        statements = tuple(sorted(said.values(), key=lambda one: one.order, reverse=True))
        if not statements:
            return Known(found=packages)
        found = [one.finding for one in packages.values()]
        if all(_counts_everywhere(one) for one in statements):
            decided = with_statements("", found, statements, ())
        else:
            decided = []
            for image in self.images_with(sorted(packages), teams, _MOST_LOOKED_AT):
                homes = self._homes.homes(image) if any(one.needs_homes for one in statements) else ()
                decided += with_statements(image, self._here(image, packages), statements, homes)
        aside = [one.is_set_aside for one in decided]
        told = "all" if aside and all(aside) else "some" if any(aside) else ""
        return Known(found=packages, statements=statements, aside=told)

    def _here(self, image: str, packages: dict[int, Flawed]) -> list[Finding]:
        with self._database.read() as tx:
            here = {spot.package for spot in sql.contents(tx, [image])}
        return [one.finding for number, one in packages.items() if number in here]


def _counts_everywhere(statement: Statement) -> bool:
    return not statement.scope and not any(one.image or one.repository for one in statement.products)


def _on(day: str, rows: Sequence[tuple[str, Severity, int]]) -> dict[str, int]:
    """Severity -> number on a day, worst first."""
    found: dict[Severity, int] = {}
    for when, severity, number in rows:
        if when == day:
            found[severity] = found.get(severity, 0) + number
    return {severity.label: found[severity] for severity in sorted(found, reverse=True)}


def _mended(ended: Sequence[tuple[str, str, str]]) -> list[Mended]:
    by_team: dict[str, list[float]] = {}
    for team, began, end in ended:
        lasted = (parse_timestamp(end) - parse_timestamp(began)).total_seconds()
        by_team.setdefault(team, []).append(max(0.0, lasted))
    return [
        Mended(team=team, times=len(some), median=_quantile(some, 0.5), p90=_quantile(some, 0.9))
        for team, some in sorted(by_team.items())
    ]


def _quantile(some: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(some)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
