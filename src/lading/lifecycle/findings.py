"""Flaws as somebody sees them: what matters first, of their teams, with whose it is, what mends it and what is said.

Lists of everything or of teams come from what is kept of how flaws stand; those of a repository, of an image, or of
somebody whose roles are narrowed to repositories are worked out from the images, of which there are few.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import msgspec

from lading.kernel.errors import InvalidInput
from lading.kernel.severity import Severity
from lading.supply_chain.match.standing.asking import COUNTED, Asking, Known, Placed
from lading.supply_chain.match.standing.bearing import Flawed, Stands, stands
from lading.supply_chain.match.standing.wanted import Sort, Wanted, begins, cursor, key
from lading.supply_chain.registry.listing import Listings

Status = Literal["open", "aside", "any"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
May = Callable[[str, str], bool]
MOST_IMAGES: Final = 200
_ROUNDS: Final = 20
_MOST_SHOWN: Final = 8
_MOST_EXPORTED: Final = 100_000
_AT_ONCE: Final = 200


class Runs(msgspec.Struct, frozen=True):
    """How a flaw stands for a team."""

    team: str
    owner: str
    running: bool


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A flaw in a list. `images` is counted up to 1,000; `aside` is `all`, `some` or nothing."""

    id: str
    aliases: tuple[str, ...]
    severity: str
    score: float
    epss: float
    exploited: bool
    running: bool
    fixable: bool
    seen: str
    summary: str
    ecosystems: tuple[str, ...]
    packages: tuple[str, ...]
    fixes: tuple[str, ...]
    images: int
    teams: tuple[str, ...]
    owners: tuple[str, ...]
    aside: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page. `next` begins the next one (empty: this is the last), `by_severity` counts all that fit before `status`
    is looked at, `waiting` says how many changes are not worked in yet."""

    rows: tuple[Row, ...]
    next: str
    total: int
    by_severity: dict[str, int]
    waiting: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of a list, as they are asked for; empty stands for any."""

    severity: str = ""
    epss: float = 0.0
    running: bool | None = None
    exploited: bool | None = None
    fixable: bool | None = None
    ecosystem: str = ""
    team: str = ""
    owner: str = ""
    package: str = ""
    flaw: str = ""
    repository: str = ""
    image: str = ""
    status: Status = "open"
    sort: Sort = "urgency"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `teams` may have things that they may read (None: all), `whole` are those of which they may read
    everything."""

    may: May
    teams: frozenset[str] | None
    whole: frozenset[str]

    @property
    def scope(self) -> frozenset[str] | None:
        """The teams whose flaws are read from what is kept."""
        return None if self.teams is None else self.whole


class FindingLists:
    """Lists of flaws, for one who looks."""

    def __init__(self, asking: Asking, listings: Listings, owner: Callable[[str], str]) -> None:
        self._asking = asking
        self._listings = listings
        self._owner = owner

    def page(self, asked: Asked, viewer: Viewer, *, after: str = "", limit: int = 50) -> Page:
        """A page of flaws; raises InvalidInput for a filter or a cursor that is none."""
        wanted = self._wanted(asked, viewer)
        source = self._source(asked, viewer, wanted)
        rows: list[Row] = []
        last: Stands | None = None
        more = True
        for _ in range(_ROUNDS):
            start = cursor(last, asked.sort) if last is not None else after
            some = source.page(asked.sort, start, limit + 1)
            more = len(some) > limit
            shown = self._rows(some[:limit], source, asked.status)
            for one, row in shown:
                if len(rows) == limit:
                    more = True
                    break
                last = one
                if row is not None:
                    rows.append(row)
            if len(rows) >= limit or not more:
                break
        counts = source.counts()
        return Page(
            rows=tuple(rows),
            next=cursor(last, asked.sort) if more and last is not None else "",
            total=sum(counts.values()),
            by_severity={level.label: counts[level] for level in sorted(counts, reverse=True)},
            waiting=self._asking.waiting(),
        )

    def every(self, asked: Asked, viewer: Viewer) -> Iterator[Row]:
        """The whole list, read page by page; at most 100,000 flaws."""
        after, told = "", 0
        while told < _MOST_EXPORTED:
            page = self.page(asked, viewer, after=after, limit=_AT_ONCE)
            yield from page.rows
            told += len(page.rows)
            after = page.next
            if not after:
                return

    def _wanted(self, asked: Asked, viewer: Viewer) -> Wanted:
        if asked.status not in STATUSES:
            raise InvalidInput(f"{asked.status[:40]!r} is no status.", remedy=f"Use {', '.join(STATUSES)}.")
        severity = Severity.parse(asked.severity) if asked.severity else Severity.NONE
        if asked.severity and severity is Severity.UNKNOWN and asked.severity != "unknown":
            raise InvalidInput(f"{asked.severity[:40]!r} is no severity.", remedy="Use low, medium, high or critical.")
        narrowed = [self._asking.named(asked.flaw)] if asked.flaw else []
        narrowed += [self._asking.of_package(asked.package)] if asked.package else []
        narrowed += [self._asking.spoken_of()] if asked.status == "aside" else []
        teams = viewer.scope
        if asked.team:
            teams = frozenset({asked.team}) if teams is None else teams & {asked.team}
        return Wanted(
            severity=severity, epss=asked.epss, running=asked.running, exploited=asked.exploited,
            fixable=asked.fixable, ecosystem=asked.ecosystem, owner=asked.owner,
            teams=None if teams is None else tuple(sorted(teams)),
            flaws=frozenset.intersection(*narrowed) if narrowed else None,
        )  # fmt: skip

    def _source(self, asked: Asked, viewer: Viewer, wanted: Wanted) -> _Kept | _OfImages:
        narrowed_only = viewer.teams is not None and not viewer.whole
        if not (asked.repository or asked.image or narrowed_only):
            return _Kept(self._asking, wanted)
        if asked.image:
            listed = self._listings.some([asked.image])
        else:
            listed = self._listings.images(
                teams=viewer.teams, may=viewer.may, repository=asked.repository, limit=MOST_IMAGES
            )
        digests = [
            one.digest for one in listed if viewer.may(one.team, one.repository) and asked.team in ("", one.team)
        ]
        return _OfImages(self._asking, wanted, list(dict.fromkeys(digests)), self._owner)

    def _rows(
        self, some: Sequence[Stands], source: _Kept | _OfImages, status: Status
    ) -> list[tuple[Stands, Row | None]]:
        """Each flaw and its row; None where its status is another."""
        ids = [one.flaw for one in some]
        known = source.known(ids)
        counts, whose = source.image_counts(known), source.whose(ids)
        made: list[tuple[Stands, Row | None]] = []
        for one in some:
            found = known.get(one.flaw)
            # What ended since the list was read.
            if found is None or not _fits(found.aside, status):
                made.append((one, None))
                continue
            made.append((one, row_of(one, found, counts.get(one.flaw, 0), whose.get(one.flaw, []))))
        return made


class _Kept:
    """Flaws of everybody or of teams, from what is kept."""

    def __init__(self, asking: Asking, wanted: Wanted) -> None:
        self._asking = asking
        self._wanted = wanted

    def page(self, sort: Sort, after: str, limit: int) -> list[Stands]:
        return self._asking.page(self._wanted, sort=sort, after=after, limit=limit)

    def counts(self) -> dict[Severity, int]:
        return self._asking.counts(self._wanted)

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        return self._asking.known(ids, self._wanted.teams)

    def image_counts(self, known: dict[str, Known]) -> dict[str, int]:
        return self._asking.image_counts(known, self._wanted.teams)

    def whose(self, ids: Sequence[str]) -> dict[str, list[Runs]]:
        return {
            flaw: [Runs(*one) for one in some] for flaw, some in self._asking.whose(ids, self._wanted.teams).items()
        }


class _OfImages:
    """Flaws of some images."""

    def __init__(self, asking: Asking, wanted: Wanted, images: Sequence[str], owner: Callable[[str], str]) -> None:
        self._wanted = wanted
        owners: dict[str, str] = {}
        self._placed: dict[str, list[Placed]] = {}
        running = asking.running_of(images)
        for one in asking.placed(images) if images else ():
            layer = one.finding.layer
            if layer not in owners:
                owners[layer] = owner(layer)
            if wanted.owner in ("", owners[layer]):
                self._placed.setdefault(one.finding.id, []).append(one)
        self._owners = owners
        self._running = running
        every = [
            stands(flaw, [Flawed(one.finding, one.seen) for one in some], any(one.image in running for one in some))
            for flaw, some in self._placed.items()
        ]
        self._stands = [one for one in every if wanted.fits(one)]

    def page(self, sort: Sort, after: str, limit: int) -> list[Stands]:
        place = begins(after, sort) if after else None
        found = [one for one in self._stands if place is None or key(one, sort) > place]
        return sorted(found, key=lambda one: key(one, sort))[:limit]

    def counts(self) -> dict[Severity, int]:
        found: dict[Severity, int] = {}
        for one in self._stands:
            found[one.severity] = found.get(one.severity, 0) + 1
        return found

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        made = {}
        for flaw in ids:
            some = self._placed.get(flaw, [])
            aside = [one.finding.is_set_aside for one in some]
            told = "all" if aside and all(aside) else "some" if any(aside) else ""
            found = {number: Flawed(one.finding, one.seen) for number, one in enumerate(some)}
            made[flaw] = Known(found=found, aside=told)
        return made

    def image_counts(self, known: dict[str, Known]) -> dict[str, int]:
        return {flaw: len({one.image for one in self._placed[flaw]}) for flaw in known}

    def whose(self, ids: Sequence[str]) -> dict[str, list[Runs]]:
        # Whose the images are is not told to somebody who may see some of a team's repositories only.
        return {
            flaw: [
                Runs("", owner, False)
                for owner in sorted({self._owners[one.finding.layer] for one in self._placed[flaw]})
            ]
            for flaw in ids
        }


def row_of(one: Stands, known: Known, images: int, whose: Sequence[Runs]) -> Row:
    """A flaw as lists show it."""
    found = sorted(known.findings, key=lambda finding: (-finding.severity, -finding.score, finding.package))
    first = found[0]
    return Row(
        id=one.flaw,
        aliases=tuple(name for name in first.names if name != one.flaw)[:_MOST_SHOWN],
        severity=one.severity.label,
        score=max(finding.score for finding in found),
        epss=one.epss,
        exploited=one.exploited,
        running=one.running,
        fixable=one.fixable,
        seen=one.seen,
        summary=next((finding.summary for finding in found if finding.summary), ""),
        ecosystems=one.ecosystems,
        packages=_first(f"{finding.package} {finding.version}" for finding in found),
        fixes=_first(f"{finding.package} {finding.fixed}" for finding in found if finding.fixed),
        images=min(images, COUNTED),
        teams=tuple(dict.fromkeys(one.team for one in whose if one.team)),
        owners=tuple(dict.fromkeys(one.owner for one in whose if one.owner)),
        aside=known.aside,
    )


def _first(some: Iterator[str] | Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(some))[:_MOST_SHOWN]


def _fits(aside: str, status: Status) -> bool:
    if status == "open":
        return aside != "all"
    return status == "any" or aside != ""


def columns() -> tuple[str, ...]:
    """The columns of a list in a table or a CSV file."""
    return (
        "id", "severity", "running", "exploited", "fixable", "epss", "score", "seen", "images", "packages", "fixes",
        "teams", "owners", "ecosystems", "aside", "aliases", "summary",
    )  # fmt: skip


def cells(row: Row) -> list[Any]:
    """A row as texts and numbers, in the order of `columns`."""
    made: dict[str, Any] = msgspec.to_builtins(row)
    return [" ".join(value) if name == "aliases" else "; ".join(value) if isinstance(value, list | tuple) else value
            for name in columns() for value in (made[name],)]  # fmt: skip
