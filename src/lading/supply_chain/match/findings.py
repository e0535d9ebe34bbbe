"""Findings, kept current: when an image is inventoried, and when what is known of flaws changes.

Both ways end in `_rematch`, which judges a package from all that is known now; so a new advisory leads to exactly the
findings that matching everything anew would give, and no image is read for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import FindingsChanged
from lading.kernel.digest import Digest
from lading.kernel.severity import Severity
from lading.state import Database, Transaction
from lading.supply_chain.advisories.advisory import Advisory
from lading.supply_chain.inventory.values import ImageInventory, Package
from lading.supply_chain.match import matcher
from lading.supply_chain.match.finding import Finding, worst_first
from lading.supply_chain.match.sql import MatchStore

_ACTOR: Final = "system:match"
_Key = tuple[str, int, str]


class AdvisorySource(Protocol):
    """What is known of flaws. Every method reads in the caller's transaction, so that all of a match sees one state."""

    def lock(self, tx: Transaction) -> None:
        """Keep importers out until `tx` ends."""
        ...

    def affecting(self, tx: Transaction, ecosystem: str, names: Sequence[str]) -> dict[str, list[Advisory]]:
        """Package name -> advisories about it, none of them withdrawn, in the order of their ids."""
        ...

    def packages_of(self, tx: Transaction, names: Sequence[str]) -> set[tuple[str, str]]:
        """Ecosystem and name of the packages that the advisories with these ids or aliases are about."""
        ...

    def severities(self, tx: Transaction, names: Sequence[str]) -> dict[str, tuple[float, int]]:
        """Id or alias -> highest score and severity."""
        ...

    def exploited(self, tx: Transaction, cves: Sequence[str]) -> set[str]:
        """Those that are known to be exploited."""
        ...

    def likelihoods(self, tx: Transaction, cves: Sequence[str]) -> dict[str, float]:
        """CVE -> EPSS probability."""
        ...

    def changes_after(self, tx: Transaction, seq: int) -> tuple[int, set[str]]:
        """Number of the last change, and every id and alias of which something changed after `seq`."""
        ...


class LayerOwners(Protocol):
    """Whose a layer is."""

    def owner(self, layer: str) -> str:
        """The team that brought the layer with this digest; empty when nobody knows."""
        ...


class ImageChange(msgspec.Struct, frozen=True):
    """What changed for one image. `changed` are findings that stayed but say something else now."""

    image: str
    opened: tuple[Finding, ...] = ()
    closed: tuple[Finding, ...] = ()
    changed: tuple[Finding, ...] = ()


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
    """

    def __init__(self, database: Database, ledger: Ledger, advisories: AdvisorySource) -> None:
        self._database = database
        self._ledger = ledger
        self._advisories = advisories
        self._store = MatchStore()

    def match_image(self, image: Digest, inventory: ImageInventory) -> list[Finding]:
        """Index an image's packages and match them; worst finding first. Matching again changes nothing."""
        with self._database.write() as tx:
            self._advisories.lock(tx)
            placed = [
                (msgspec.structs.replace(package, layer="", path="", licenses=()), package.path, package.layer)
                for package in inventory.packages
            ]
            numbers = self._store.intern(tx, [(bare, matcher.matched_as(bare)[1]) for bare, _, _ in placed])
            rows = {(numbers[bare], path): (numbers[bare], path, layer) for bare, path, layer in placed}
            gone = self._store.place(tx, str(image), list(rows.values()))
            changes = self._rematch(tx, sorted({*numbers.values(), *gone}), image=str(image))
            self._tell(tx, changes, "image-matched")
            return sorted(self._store.of(tx, str(image)), key=worst_first)

    def match_advisories(self, names: Iterable[str]) -> list[ImageChange]:
        """Match what changed (`Imported.touched`) against every package ever indexed; what changed for each image."""
        with self._database.write() as tx:
            return self._match_names(tx, set(names))

    def catch_up(self) -> list[ImageChange]:
        """Match all changes of the advisories since the last time; safe to repeat and to be killed in."""
        with self._database.write() as tx:
            return self.catch_up_in(tx)

    def catch_up_in(self, tx: Transaction) -> list[ImageChange]:
        """`catch_up`, in the transaction of a follower."""
        self._advisories.lock(tx)
        seen = self._store.seen(tx)
        last, names = self._advisories.changes_after(tx, seen)
        if last == seen:
            return []
        changes = self._match_names(tx, names)
        self._store.see(tx, last)
        return changes

    def of(self, image: Digest) -> list[Finding]:
        """The findings of an image, worst first; none for an image never matched."""
        with self._database.read() as tx:
            return sorted(self._store.of(tx, str(image)), key=worst_first)

    def images_with(self, what: str) -> list[Place]:
        """Where a flaw is (an id or alias), or a package (a name, `name@version` or a purl)."""
        with self._database.read() as tx:
            named = self._store.named(tx, what)
            if named:
                return sorted((_flawed(image, one) for image, one in named), key=_place_order)
            carried = self._store.carrying(tx, what)
            name, at, version = what.rpartition("@")
            if not carried and at and name:
                carried = [pair for pair in self._store.carrying(tx, name) if pair[1].version == version]
        return sorted((_carried(image, package) for image, package in carried), key=_place_order)

    def concerned_by(self, advisories: Iterable[str]) -> dict[str, tuple[Finding, ...]]:
        """Image -> its findings that any of these advisories (ids or aliases) is about, worst first.

        What an import led to, whoever matched it: ask after `catch_up`, with `Imported.changed`.
        """
        wanted = set(advisories)
        found: dict[str, list[Finding]] = {}
        with self._database.read() as tx:
            numbers = sorted(self._store.with_finding(tx, wanted))
            for (image, _, _), one in self._store.found(tx, numbers).items():
                if not wanted.isdisjoint(one.names):
                    found.setdefault(image, []).append(one)
        return {image: _ordered(group) for image, group in sorted(found.items())}

    def counts(self, images: Sequence[str]) -> dict[str, Counted]:
        """How many findings by severity, worst first, and packages each image has; cheap for a page of images."""
        with self._database.read() as tx:
            severities = self._store.by_severity(tx, images)
            packages = self._store.package_counts(tx, images)
        return {
            image: Counted(
                by_severity={Severity(level).label: n for level, n in sorted(severities.get(image, {}).items())[::-1]},
                packages=packages.get(image),
            )
            for image in images
        }

    def documents(self, image: Digest, owners: LayerOwners) -> list[dict[str, Any]]:
        """The findings of an image as policies see them, worst first, each with the owner of its layer."""
        found = self.of(image)
        teams = {layer: owners.owner(layer) for layer in {one.layer for one in found}}
        return [one.document(teams[one.layer]) for one in found]

    def _match_names(self, tx: Transaction, names: set[str]) -> list[ImageChange]:
        if not names:
            return []
        self._advisories.lock(tx)
        numbers = self._store.about(tx, self._advisories.packages_of(tx, sorted(names)))
        numbers |= self._store.with_finding(tx, names)
        changes = self._rematch(tx, sorted(numbers))
        self._tell(tx, changes, "advisories-changed")
        return changes

    def _rematch(self, tx: Transaction, numbers: Sequence[int], image: str | None = None) -> list[ImageChange]:
        """Judge packages anew and write the difference, for one image or for all that have them."""
        judged = self._judge(tx, self._store.packages(tx, numbers))
        places = self._store.places(tx, numbers, image)
        before = self._store.found(tx, numbers, image)
        after: dict[_Key, Finding] = {
            (where, number, one.id): msgspec.structs.replace(one, path=path, layer=layer)
            for number, found in judged.items()
            for where, (path, layer) in places.get(number, {}).items()
            for one in found
        }
        stale = [key for key in before if after.get(key) != before[key]]
        fresh = [(key, one) for key, one in after.items() if before.get(key) != one]
        self._store.replace(tx, stale, fresh)
        return _changes(before, after)

    def _judge(self, tx: Transaction, packages: dict[int, Package]) -> dict[int, list[Finding]]:
        wanted: dict[str, set[str]] = {}
        for package in packages.values():
            ecosystem, name, _ = matcher.matched_as(package)
            wanted.setdefault(ecosystem, set()).add(name)
        known = {
            ecosystem: self._advisories.affecting(tx, ecosystem, sorted(names)) for ecosystem, names in wanted.items()
        }
        hits = {}
        for number, package in packages.items():
            ecosystem, name, _ = matcher.matched_as(package)
            if found := matcher.hits(package, known[ecosystem].get(name, ())):
                hits[number] = found
        names = sorted({name for found in hits.values() for hit in found for name in hit.advisory.names})
        cves = [name for name in names if name.startswith("CVE-")]
        knowledge = matcher.Knowledge(
            severities=self._advisories.severities(tx, names),
            exploited=frozenset(self._advisories.exploited(tx, cves)),
            likelihoods=self._advisories.likelihoods(tx, cves),
        )
        return {number: matcher.findings(packages[number], found, knowledge) for number, found in hits.items()}

    def _tell(self, tx: Transaction, changes: Sequence[ImageChange], cause: str) -> None:
        """State the changes; that only a likelihood moved is not worth a fact for every image, every day."""
        telling = [change for change in changes if change.opened or change.closed or change.changed]
        counts = self._store.by_severity(tx, [change.image for change in telling])
        facts = [
            FindingsChanged(
                digest=change.image,
                opened=tuple(one.key for one in change.opened),
                closed=tuple(one.key for one in change.closed),
                by_severity={Severity(level).label: n for level, n in sorted(counts.get(change.image, {}).items())},
                advisories=tuple(
                    sorted(
                        {name for one in (*change.opened, *change.closed, *change.changed) for name in one.advisories}
                    )
                ),
                cause=cause,
            )
            for change in telling
        ]
        if facts:
            self._ledger.append(tx, facts, actor=_ACTOR)


def _changes(before: dict[_Key, Finding], after: dict[_Key, Finding]) -> list[ImageChange]:
    opened: dict[str, list[Finding]] = {}
    closed: dict[str, list[Finding]] = {}
    changed: dict[str, list[Finding]] = {}
    for key, one in after.items():
        old = before.get(key)
        if old is None:
            opened.setdefault(key[0], []).append(one)
        elif msgspec.structs.replace(old, epss=one.epss) != one:
            changed.setdefault(key[0], []).append(one)
    for key, one in before.items():
        if key not in after:
            closed.setdefault(key[0], []).append(one)
    return [
        ImageChange(image, *(_ordered(group.get(image, ())) for group in (opened, closed, changed)))
        for image in sorted({*opened, *closed, *changed})
    ]


def _ordered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=worst_first))


def _flawed(image: str, one: Finding) -> Place:
    return Place(image, one.package, one.version, one.purl, one.layer, one.path, one)


def _carried(image: str, package: Package) -> Place:
    return Place(image, package.name, package.version, package.purl, package.layer, package.path)


def _place_order(place: Place) -> tuple[str, ...]:
    return place.image, place.purl, place.path, place.finding.id if place.finding else ""
