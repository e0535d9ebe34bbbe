"""Judging packages anew and telling which images that changes something for.

A package is judged once for all images, from all that is known now; so what a change of the advisories leads to is
exactly what matching everything anew would give, and no image is read for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import FindingsChanged
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.severity import Severity
from lading.state import Transaction
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.match import matcher
from lading.supply_chain.match.finding import Finding, worst_first
from lading.supply_chain.match.flaws_sql import FlawStore
from lading.supply_chain.match.index_sql import PackageIndex, Spot
from lading.supply_chain.match.ports import AdvisorySource

_ACTOR: Final = "system:match"
_FACTS_AT_ONCE: Final = 1_000


class ImageChange(msgspec.Struct, frozen=True):
    """What changed for one image. `changed` are findings that stayed but say something else now."""

    image: str
    opened: tuple[Finding, ...] = ()
    closed: tuple[Finding, ...] = ()
    changed: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageChange:
    """What changed for one package, wherever it is."""

    opened: tuple[Finding, ...]
    closed: tuple[Finding, ...]
    changed: tuple[Finding, ...]


class Matching:
    """Works in the caller's transactions."""

    def __init__(self, ledger: Ledger, advisories: AdvisorySource, clock: Clock | None = None) -> None:
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._advisories = advisories
        self._index = PackageIndex()
        self._flaws = FlawStore()

    def update(self, tx: Transaction, numbers: Sequence[int]) -> dict[int, PackageChange]:
        """Judge packages anew and keep the difference; package -> what changed, when something did."""
        judged = self.judge(tx, self._index.packages(tx, numbers))
        before = self._flaws.found(tx, numbers)
        after = {(number, one.id): one for number, found in judged.items() for one in found}
        stale = [key for key in before if after.get(key) != before[key]]
        fresh = [(key, one) for key, one in after.items() if before.get(key) != one]
        self._flaws.replace(tx, stale, fresh)
        opened, closed = [key for key, _ in fresh if key not in before], [key for key in stale if key not in after]
        self._flaws.note(tx, opened, closed, timestamp(self._clock.now()))
        self._count(tx, before, after)
        return _package_changes(before, after)

    def tell(
        self, tx: Transaction, changes: Mapping[int, PackageChange], cause: str, *, but: str = ""
    ) -> Iterator[ImageChange]:
        """State the changes for every image that has the packages, except for `but`; image by image.

        That only a likelihood moved is not worth a fact for every image, every day.
        """
        waiting: list[ImageChange] = []
        for image, spots in _by_image(self._index.spots(tx, sorted(changes))):
            if image == but:
                continue
            change = ImageChange(
                image,
                *(
                    _ordered(placed(one, spot) for spot in spots for one in getattr(changes[spot.package], what))
                    for what in ("opened", "closed", "changed")
                ),
            )
            waiting.append(change)
            if len(waiting) >= _FACTS_AT_ONCE:
                self.state(tx, waiting, cause)
                yield from waiting
                waiting = []
        self.state(tx, waiting, cause)
        yield from waiting

    def state(self, tx: Transaction, changes: Sequence[ImageChange], cause: str) -> None:
        """Put what changed for images into the ledger."""
        telling = [change for change in changes if change.opened or change.closed or change.changed]
        if not telling:
            return
        counts = self._flaws.by_severity(tx, [change.image for change in telling])
        self._ledger.append(
            tx, [_fact(change, counts.get(change.image, {}), cause) for change in telling], actor=_ACTOR
        )

    def judge(self, tx: Transaction, packages: Mapping[int, Package]) -> dict[int, list[Finding]]:
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
        direct = sorted({name for found in hits.values() for hit in found for name in hit.advisory.names})
        aliases = self._advisories.aliases(tx, direct)
        names = sorted({*direct, *(name for some in aliases.values() for name in some)})
        cves = [name for name in names if name.startswith("CVE-")]
        knowledge = matcher.Knowledge(
            severities=self._advisories.severities(tx, names),
            exploited=frozenset(self._advisories.exploited(tx, cves)),
            likelihoods=self._advisories.likelihoods(tx, cves),
            aliases=aliases,
        )
        return {number: matcher.findings(packages[number], found, knowledge) for number, found in hits.items()}

    def _count(
        self, tx: Transaction, before: Mapping[tuple[int, str], Finding], after: Mapping[tuple[int, str], Finding]
    ) -> None:
        """Keep the counts of the groups that have the packages."""
        moved: dict[int, dict[int, int]] = {}
        for found, by in ((before, -1), (after, 1)):
            for (number, _), one in found.items():
                levels = moved.setdefault(number, {})
                levels[int(one.severity)] = levels.get(int(one.severity), 0) + by
        moved = {number: levels for number, levels in moved.items() if any(levels.values())}
        deltas: dict[int, dict[int, int]] = {}
        for group, numbers in self._index.groups_of(tx, sorted(moved)).items():
            total = deltas.setdefault(group, {})
            for number in numbers:
                for level, by in moved[number].items():
                    total[level] = total.get(level, 0) + by
        self._flaws.shift(tx, deltas)


def difference(
    image: str, before: Mapping[tuple[int, str], Finding], after: Mapping[tuple[int, str], Finding]
) -> ImageChange:
    """What changed for one image between two states of its findings."""
    opened = [one for key, one in after.items() if key not in before]
    closed = [one for key, one in before.items() if key not in after]
    changed = [one for key, one in after.items() if key in before and _differ(before[key], one)]
    return ImageChange(image, _ordered(opened), _ordered(closed), _ordered(changed))


def _package_changes(
    before: Mapping[tuple[int, str], Finding], after: Mapping[tuple[int, str], Finding]
) -> dict[int, PackageChange]:
    numbers = {number for number, _ in (*before, *after)}
    sorted_out: dict[int, tuple[list[Finding], list[Finding], list[Finding]]] = {n: ([], [], []) for n in numbers}
    for key, one in after.items():
        old = before.get(key)
        if old is None:
            sorted_out[key[0]][0].append(one)
        elif _differ(old, one):
            sorted_out[key[0]][2].append(one)
    for key, one in before.items():
        if key not in after:
            sorted_out[key[0]][1].append(one)
    return {
        number: PackageChange(*(tuple(some) for some in parts)) for number, parts in sorted_out.items() if any(parts)
    }


def _differ(old: Finding, new: Finding) -> bool:
    return msgspec.structs.replace(old, epss=new.epss) != new


def _by_image(spots: Iterable[Spot]) -> Iterator[tuple[str, list[Spot]]]:
    """Spots of one image together; they come image by image."""
    image, some = "", list[Spot]()
    for spot in spots:
        if spot.image != image and some:
            yield image, some
            some = []
        image = spot.image
        some.append(spot)
    if some:
        yield image, some


def placed(one: Finding, spot: Spot) -> Finding:
    """A finding of a package as it is in an image."""
    return msgspec.structs.replace(one, path=spot.path, layer=spot.layer)


def _ordered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=worst_first))


def _fact(change: ImageChange, counts: Mapping[int, int], cause: str) -> FindingsChanged:
    about = {name for one in (*change.opened, *change.closed, *change.changed) for name in one.advisories}
    return FindingsChanged(
        digest=change.image,
        opened=tuple(one.key for one in change.opened),
        closed=tuple(one.key for one in change.closed),
        by_severity={Severity(level).label: n for level, n in sorted(counts.items())},
        advisories=tuple(sorted(about)),
        cause=cause,
    )
