"""Findings, kept current: when an image is inventoried, and when what is known of flaws changes.

What is kept says what is wrong with packages; what is wrong with an image is read from the packages it has. Statements
that a flaw does not matter somewhere (VEX) are applied when findings are read, so that they end by themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lading.facts import Ledger
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.severity import Severity
from lading.state import Database, Transaction
from lading.supply_chain.inventory.values import ImageInventory, Package
from lading.supply_chain.match import matcher
from lading.supply_chain.match.finding import Finding, worst_first
from lading.supply_chain.match.flaws_sql import FlawStore, Key
from lading.supply_chain.match.index_sql import PackageIndex, Spot
from lading.supply_chain.match.licences_sql import LicenceStore
from lading.supply_chain.match.matching import ImageChange, Matching, difference, placed
from lading.supply_chain.match.ports import AdvisorySource, ImageHomes, LayerOwners, NoHomes
from lading.supply_chain.match.setting_aside import SettingAside
from lading.supply_chain.match.vex.statement import Statement

_CURSOR: Final = "advisories"
_PACKAGES_AT_ONCE: Final = 2_000


class Place(msgspec.Struct, frozen=True):
    """One package in one image, and the finding when a flaw was asked for."""

    image: str
    package: str
    version: str
    purl: str
    layer: str
    path: str
    finding: Finding | None = None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What lists say of an image: findings by severity, worst first, and packages; None when it was never read."""

    by_severity: dict[str, int]
    packages: int | None


class Findings:
    """What is known to be wrong with every image.

    Args:
        advisories: the `Advisories` of the advisories room.
        homes: where images are kept, for statements about repositories and teams.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        advisories: AdvisorySource,
        *,
        homes: ImageHomes | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._advisories = advisories
        self._clock = clock or SystemClock()
        self._matching = Matching(ledger, advisories, self._clock)
        self._index = PackageIndex()
        self._flaws = FlawStore()
        self._licences = LicenceStore()
        self._aside = SettingAside(database, homes or NoHomes(), self._clock)

    # ---- kept current

    def match_image(self, image: Digest, inventory: ImageInventory) -> list[Finding]:
        """Index an image's packages and match them; worst finding first. Matching again changes nothing."""
        with self._database.write() as tx:
            self._advisories.lock(tx)
            self.match_image_in(tx, str(image), inventory)
        return self.of(image)

    def match_image_in(self, tx: Transaction, image: str, inventory: ImageInventory) -> ImageChange:
        """`match_image` in a transaction that locked the advisories; what changed for the image."""
        before = self._of_image(tx, image)
        bare = [
            (msgspec.structs.replace(package, layer="", path="", licenses=()), package.path, package.layer)
            for package in inventory.packages
        ]
        numbers, new = self._index.intern(tx, [(package, matcher.matched_as(package)[1]) for package, _, _ in bare])
        # What is known of the others is as current as the last time that changes were matched.
        behind = self._advisories.last_change(tx) > self._flaws.place_of(tx, _CURSOR)
        changes = self._matching.update(tx, sorted(numbers.values()) if behind else sorted(new))
        rows = [(numbers[package], path, layer) for package, path, layer in bare]
        groups = self._index.place(tx, image, rows, timestamp(self._clock.now()))
        self._licences.place(
            tx,
            [
                (groups[layer], number, one.licenses)
                for (number, _, layer), one in zip(rows, inventory.packages, strict=True)
            ],
        )
        for _ in self._matching.tell(tx, changes, "advisories-changed", but=image):
            pass
        change = difference(image, before, self._of_image(tx, image))
        self._matching.state(tx, [change], "image-matched")
        return change

    def knows(self, image: Digest) -> bool:
        """Whether the image was ever matched, and not forgotten since."""
        with self._database.read() as tx:
            return bool(self._index.package_counts(tx, [str(image)]))

    def images_in(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """The images that were matched, in order, beyond `after`."""
        return self._index.images_after(tx, after, limit)

    def forget_in(self, tx: Transaction, images: Sequence[str]) -> None:
        """The images are no more: nothing is found in them, and what only they had is known no longer."""
        self._advisories.lock(tx)
        for image in images:
            self._index.forget(tx, image)

    def forget(self, image: Digest) -> None:
        """`forget_in` of one image in a transaction of its own."""
        with self._database.write() as tx:
            self.forget_in(tx, [str(image)])

    def judge(self, inventory: ImageInventory) -> list[Finding]:
        """What matching an inventory now would find, worst first; nothing is kept."""
        with self._database.read() as tx:
            judged = self._matching.judge(tx, dict(enumerate(inventory.packages)))
        return sorted((one for found in judged.values() for one in found), key=worst_first)

    def match_advisories(self, names: Iterable[str]) -> list[ImageChange]:
        """Match what changed (`Imported.touched`) against every package ever indexed; what changed for each image."""
        with self._database.write() as tx:
            self._advisories.lock(tx)
            changes = self._matching.update(tx, self._concerned(tx, set(names)))
            return sorted(self._matching.tell(tx, changes, "advisories-changed"), key=lambda change: change.image)

    def catch_up(self) -> int:
        """Match all changes of the advisories since the last time; for how many images something changed.

        Many packages are judged in several transactions, so that nobody waits long for his turn to write; each package
        is always judged from one state. Killed in the middle, it is simply done again.
        """
        told = 0
        while True:
            with self._database.read() as tx:
                seen = self._flaws.place_of(tx, _CURSOR)
                last, names = self._advisories.changes_after(tx, seen)
                if last == seen:
                    return told
                numbers = self._concerned(tx, names)
            told += self._match_again(numbers, last)

    def _match_again(self, numbers: Sequence[int], last: int) -> int:
        """Judge packages anew and note that the changes up to `last` are matched."""
        told = 0
        for start in range(0, max(len(numbers), 1), _PACKAGES_AT_ONCE):
            some = numbers[start : start + _PACKAGES_AT_ONCE]
            with self._database.write() as tx:
                self._advisories.lock(tx)
                changes = self._matching.update(tx, some)
                told += sum(1 for _ in self._matching.tell(tx, changes, "advisories-changed"))
                if start + _PACKAGES_AT_ONCE >= len(numbers):
                    self._flaws.move(tx, _CURSOR, max(last, self._flaws.place_of(tx, _CURSOR)))
        return told

    # ---- read

    def of(self, image: Digest) -> list[Finding]:
        """The findings of an image that count, worst first; none for an image never matched."""
        return [one for one in self.all_of(image) if not one.is_set_aside]

    def set_aside(self, image: Digest) -> list[Finding]:
        """The findings of an image that do not count, because somebody answers for it; worst first."""
        return [one for one in self.all_of(image) if one.is_set_aside]

    def all_of(self, image: Digest) -> list[Finding]:
        """Every finding of an image, worst first."""
        with self._database.read() as tx:
            found = sorted(self._of_image(tx, str(image)).values(), key=worst_first)
            statements = self._aside.statements(tx, found)
        return self._aside.applied(str(image), found, statements)

    def images_with(self, what: str) -> list[Place]:
        """Where a flaw is (an id or alias), or a package (a name, `name@version` or a purl).

        Where a statement says that the flaw does not matter, the place says so too.
        """
        with self._database.read() as tx:
            if flawed := self._flaws.named(tx, [what]):
                places = self._where_flawed(tx, flawed)
                statements = self._aside.statements(tx, flawed.values())
            else:
                carried = self._called(tx, what)
                spots = list(self._index.spots(tx, sorted(carried)))
        if flawed:
            return sorted(self._with_statements(places, statements), key=_place_order)
        return sorted((_carried(carried[spot.package], spot) for spot in spots), key=_place_order)

    def concerned_by(self, advisories: Iterable[str]) -> dict[str, tuple[Finding, ...]]:
        """Image -> its findings that any of these advisories (ids or aliases) is about, worst first.

        What an import led to, whoever matched it: ask after `catch_up`, with `Imported.changed`.
        """
        found: dict[str, list[Finding]] = {}
        with self._database.read() as tx:
            for place in self._where_flawed(tx, self._flaws.named(tx, sorted(set(advisories)))):
                if place.finding is not None:
                    found.setdefault(place.image, []).append(place.finding)
        return {image: tuple(sorted(group, key=worst_first)) for image, group in sorted(found.items())}

    def counts(self, images: Sequence[str]) -> dict[str, Counted]:
        """How many findings that count by severity, worst first, and packages each image has; cheap for a page."""
        with self._database.read() as tx:
            severities = self._flaws.by_severity(tx, images)
            packages = self._index.package_counts(tx, images)
            concerned = self._aside.concerned(tx, images)
        for image in concerned:
            severities[image] = Counter(int(one.severity) for one in self.of(Digest.parse(image)))
        return {
            image: Counted(
                by_severity={Severity(level).label: n for level, n in sorted(severities.get(image, {}).items())[::-1]},
                packages=packages.get(image),
            )
            for image in images
        }

    def documents(self, image: Digest, owners: LayerOwners, *, set_aside: bool = False) -> list[dict[str, Any]]:
        """The findings of an image as policies see them, worst first, each with the owner of its layer: those that
        count, or those that are set aside."""
        found = self.set_aside(image) if set_aside else self.of(image)
        teams = {layer: owners.owner(layer) for layer in {one.layer for one in found}}
        return [one.document(teams[one.layer]) for one in found]

    def _with_statements(self, places: Sequence[Place], statements: Sequence[Statement]) -> list[Place]:
        if not statements:
            return list(places)
        return [
            msgspec.structs.replace(place, finding=one)
            for place in places
            if place.finding is not None
            for one in self._aside.applied(place.image, [place.finding], statements)
        ]

    def _called(self, tx: Transaction, what: str) -> dict[int, Package]:
        carried = self._index.called(tx, what)
        name, at, version = what.rpartition("@")
        if not carried and at and name:
            carried = {number: one for number, one in self._index.called(tx, name).items() if one.version == version}
        return carried

    def _of_image(self, tx: Transaction, image: str) -> dict[Key, Finding]:
        spots = self._index.contents(tx, image)
        return {key: placed(one, spots[key[0]]) for key, one in self._flaws.found(tx, sorted(spots)).items()}

    def _concerned(self, tx: Transaction, names: set[str]) -> list[int]:
        """The packages that changes of these names may matter to."""
        if not names:
            return []
        numbers = self._index.about(tx, self._advisories.packages_of(tx, sorted(names)))
        return sorted(numbers | self._flaws.with_name(tx, names))

    def _where_flawed(self, tx: Transaction, flawed: Mapping[Key, Finding]) -> list[Place]:
        by_package: dict[int, list[Finding]] = {}
        for (number, _), one in flawed.items():
            by_package.setdefault(number, []).append(one)
        return [
            _flawed(placed(one, spot), spot)
            for spot in self._index.spots(tx, sorted(by_package))
            for one in by_package[spot.package]
        ]


def _flawed(one: Finding, spot: Spot) -> Place:
    return Place(spot.image, one.package, one.version, one.purl, one.layer, one.path, one)


def _carried(package: Package, spot: Spot) -> Place:
    return Place(spot.image, package.name, package.version, package.purl, spot.layer, spot.path)


def _place_order(place: Place) -> tuple[str, ...]:
    return place.image, place.purl, place.path, place.finding.id if place.finding else ""
