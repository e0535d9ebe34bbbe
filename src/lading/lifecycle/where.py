"""Where something is: a flaw, a package, an image, a team's things or a licence; in which images, and what runs them.

Every question is answered from indexes and bounded: the first images and containers, and the numbers of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, Protocol, get_args

import msgspec

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, NotFound
from lading.kernel.reference import Reference
from lading.orchestration.rollout.deployments import Deployments
from lading.orchestration.sql import ContainerRow
from lading.supply_chain.foreign.reports import Reports
from lading.supply_chain.match.whereabouts import Found, Sought, Whereabouts
from lading.supply_chain.registry.listing import ListedImage, Listings
from lading.supply_chain.registry.reading import Reading

Kind = Literal["flaw", "package", "image", "team", "licence"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
May = Callable[[str, str], bool]
_TRIED: Final[tuple[Kind, ...]] = ("flaw", "image", "package", "team", "licence")
_COUNTED: Final = 10_000
_AT_ONCE: Final = 500
_MOST_CONTAINERS: Final = 10_000
_MOST_TOLD: Final = 1_000


class Owners(Protocol):
    """Whose a layer is."""

    def owner(self, layer: str) -> str:
        """The team that brought a layer; empty when nobody knows."""
        ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Images and running containers as rows of plain values, a row for each package that has it.

    `total` counts all images up to 10,000, `more_images` those without a row here, `more_containers` rows left out.
    """

    kind: str
    images: list[dict[str, Any]]
    containers: list[dict[str, Any]]
    total: int
    more_images: int
    more_containers: int


class _Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and for how much."""

    may: May
    limit: int
    sees_all: bool


class Where:
    """Answers where something is."""

    def __init__(
        self,
        *,
        whereabouts: Whereabouts,
        listings: Listings,
        registry: Reading,
        deployments: Deployments,
        reports: Reports,
        owners: Owners,
        teams: Callable[[], Sequence[str]],
    ) -> None:
        self._whereabouts = whereabouts
        self._listings = listings
        self._registry = registry
        self._deployments = deployments
        self._reports = reports
        self._owners = owners
        self._teams = teams

    def find(self, what: str, may: May, *, kind: str = "", limit: int = 200, sees_all: bool = True) -> Answer:
        """Where `what` is.

        Args:
            may: of a team and a repository, whether the asker may read it.
            kind: what it is; the first of flaw, image, package, team and licence that is known when empty.
            limit: most rows of images.
            sees_all: whether there is nothing that the asker may not read. Otherwise only what he may read is counted.

        Raises:
            InvalidInput: there is no such kind.
        """
        if kind and kind not in KINDS:
            raise InvalidInput(f"{kind[:40]!r} is no kind.", remedy=f"Kinds are {', '.join(KINDS)}.")
        asked = _Ask(may=may, limit=limit, sees_all=sees_all)
        for one in (kind,) if kind else _TRIED:
            answer = self._as(one, what, asked)
            if answer is not None:
                return answer
        return Answer(kind=kind or "nothing", images=[], containers=[], total=0, more_images=0, more_containers=0)

    def _as(self, kind: str, what: str, asked: _Ask) -> Answer | None:
        """The answer when it is of this kind; None when nothing of this kind is called so."""
        if kind == "image":
            return self._of_image(what, asked)
        if kind == "team":
            return self._of_team(what, asked)
        if kind == "flaw":
            sought = self._whereabouts.flaw(what)
        elif kind == "package":
            sought = self._whereabouts.package(what)
        else:
            sought = self._whereabouts.licence(what)
        told = self._reports.images_with([what]) if kind == "flaw" else []
        return self._placed(kind, what, sought, told, asked)

    # ---- an image, a team

    def _of_image(self, what: str, asked: _Ask) -> Answer | None:
        """Every repository that holds the image which a digest or reference names."""
        try:
            if what.startswith(("sha256:", "sha512:")):
                digest = Digest.parse(what)
            else:
                reference = Reference.parse(what)
                if not (reference.tag or reference.digest):
                    return None
                digest = self._registry.resolve(reference.path, str(reference.digest or reference.tag)).digest
        except (InvalidInput, NotFound):
            return None
        listed = [one for one in self._listings.some([str(digest)]) if asked.may(one.team, one.repository)]
        if not listed:
            return None
        running = self._deployments.running([str(digest)])
        return _of_images("image", listed, running, 1, asked)

    def _of_team(self, what: str, asked: _Ask) -> Answer | None:
        if what not in self._teams():
            return None
        listed = self._listings.images(teams=[what], may=asked.may, limit=asked.limit)
        running = [row for row in self._deployments.containers() if row.team == what]
        total = self._listings.count_of(what) if asked.sees_all else len({one.digest for one in listed})
        return _of_images("team", listed, running, total, asked)

    # ---- a flaw, a package, a licence

    def _placed(self, kind: str, what: str, sought: Sought, told: Sequence[str], asked: _Ask) -> Answer | None:
        images = self._whereabouts.images(sought)
        everywhere = list(dict.fromkeys((*images, *told)))[:_COUNTED]
        if not everywhere:
            return None
        listed, readable = self._readable(everywhere, asked)
        running = [row for row in self._running(everywhere) if asked.may(row.team, "")]
        digests = sorted({*(one.digest for one in listed), *(row.image for row in running)})
        places: dict[str, list[Found]] = {}
        for found in self._whereabouts.places(sought, digests):
            places.setdefault(found.image, []).append(found)
        here = set(told).difference(places).intersection(digests)
        for found in self._told(sorted(here)[:_MOST_TOLD], what):
            places.setdefault(found.image, []).append(found)
        owners = {layer: self._owners.owner(layer) for layer in {one.layer for some in places.values() for one in some}}
        rows = [
            msgspec.to_builtins(one) | _said(found, owners, one.pushed)
            for one in listed
            for found in places.get(one.digest, ())
        ]
        containers = [
            msgspec.to_builtins(row) | _said(found, owners, "")
            for row in running
            for found in places.get(row.image, ())
        ]
        return _answer(kind, rows, containers, len(everywhere) if asked.sees_all else readable, asked.limit)

    def _running(self, images: Sequence[str]) -> list[ContainerRow]:
        """Every running container of the images; where not all images are known, of others too."""
        return self._deployments.running(images) if len(images) < _COUNTED else self._deployments.containers()

    def _readable(self, digests: Sequence[str], asked: _Ask) -> tuple[list[ListedImage], int]:
        """The first of the images that the asker may read, and how many he may; those beyond the first are counted
        only for somebody who may not read all."""
        listed: list[ListedImage] = []
        seen: set[str] = set()
        for start in range(0, len(digests), _AT_ONCE):
            some = self._listings.some(digests[start : start + _AT_ONCE])
            mine = [one for one in some if asked.may(one.team, one.repository)]
            seen.update(one.digest for one in mine)
            listed += mine[: max(0, asked.limit - len(listed))]
            if asked.sees_all and len(listed) >= asked.limit:
                break
        return listed, len(seen)

    def _told(self, images: Iterable[str], name: str) -> list[Found]:
        """What other tools say of a flaw in images of which matching does not know it."""
        return [
            Found(
                image=image, package=one.package, version=one.version, purl=one.purl, layer="", path=one.file,
                what=one.id, severity=one.severity.label, fixed=one.fixed, since=kept.at,
            )
            for image in images
            for kept in self._reports.of(Digest.parse(image))
            if kept.current
            for one in kept.report.results
            if one.kind == "vulnerability" and name in one.names
        ]  # fmt: skip


def _of_images(
    kind: str, listed: Sequence[ListedImage], running: Sequence[ContainerRow], total: int, asked: _Ask
) -> Answer:
    """The answer for images and containers themselves."""
    rows = [msgspec.to_builtins(one) | _said(None, {}, one.pushed) for one in listed]
    containers = [msgspec.to_builtins(row) | _said(None, {}, "") for row in running if asked.may(row.team, "")]
    return _answer(kind, rows, containers, total, asked.limit)


def _answer(
    kind: str, rows: Sequence[dict[str, Any]], containers: Sequence[dict[str, Any]], total: int, limit: int
) -> Answer:
    shown = list(rows[:limit])
    return Answer(
        kind=kind,
        images=shown,
        containers=list(containers[:_MOST_CONTAINERS]),
        total=total,
        more_images=max(0, total - len({row["digest"] for row in shown})),
        more_containers=max(0, len(containers) - _MOST_CONTAINERS),
    )


def _said(found: Found | None, owners: dict[str, str], pushed: str) -> dict[str, Any]:
    """What is said of a place; what is no flaw is there since the image was pushed."""
    if found is None:
        return {"package": "", "version": "", "fixed": "", "layer": "", "owner": "", "what": "", "since": pushed}
    return {
        "package": found.package,
        "version": found.version,
        "fixed": found.fixed,
        "severity": found.severity,
        "vex": found.vex,
        "what": found.what,
        "layer": found.layer,
        "owner": owners.get(found.layer, ""),
        "since": found.since or pushed,
    }
