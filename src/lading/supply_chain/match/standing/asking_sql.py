"""Questions to what is kept of how flaws stand. Every function works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from lading.kernel.severity import Severity
from lading.state import Transaction
from lading.supply_chain.match.sql import (
    chunks,
    flaws,
    groups,
    homes,
    image_groups,
    images,
    licences,
    members,
    names,
    packages,
    reaches,
    since,
    spells,
    standing,
    vex,
    vex_names,
)
from lading.supply_chain.match.standing.bearing import ALL, Stands, together
from lading.supply_chain.match.standing.wanted import Sort, Wanted, key

_MOST_NAMED: Final = 5_000
_MOST_NUMBERS: Final = 20_000
_ASKED: Final = 500
_MOST_LICENCES: Final = 50


class Spot(NamedTuple):
    """A flawed package in an image: by which layer and path."""

    image: str
    package: int
    layer: str
    path: str


def page(tx: Transaction, wanted: Wanted, sort: Sort, after: tuple[Any, str] | None, limit: int) -> list[Stands]:
    """The first flaws after a place that are wanted."""
    if _is_one_list(wanted):
        urgency = standing.c.urgency
        query = _rows(wanted)
        if sort == "urgency":
            query = query.order_by(urgency)
            query = query if after is None else query.where(urgency > after[1])
        else:
            first = _column(sort)
            query = query.order_by(first, urgency)
            if after is not None:
                query = query.where((first > after[0]) | ((first == after[0]) & (urgency > after[1])))
        if wanted.flaws is None or len(wanted.flaws) <= _ASKED:
            return [_stands(row) for row in tx.execute(query.limit(limit))]
        return [one for row in tx.execute(query) if (one := _stands(row)).flaw in wanted.flaws][:limit]
    return several(_merged(tx, wanted), wanted, sort, after, limit)


def several(
    some: Collection[Stands], wanted: Wanted, sort: Sort, after: tuple[Any, str] | None, limit: int
) -> list[Stands]:
    """The first flaws after a place, of rows that no index has in order."""
    found = [one for one in some if wanted.fits(one) and (after is None or key(one, sort) > after)]
    return sorted(found, key=lambda one: key(one, sort))[:limit]


def counts(tx: Transaction, wanted: Wanted) -> dict[Severity, int]:
    """Severity -> how many flaws are wanted."""
    if not _is_one_list(wanted) or (wanted.flaws is not None and len(wanted.flaws) > _ASKED):
        return count(page(tx, wanted, "urgency", None, _MOST_NUMBERS))
    rows = _rows(wanted).subquery()
    query = sa.select(rows.c.severity, sa.func.count()).group_by(rows.c.severity)
    return {Severity(level): int(number) for level, number in tx.execute(query)}


def count(some: Collection[Stands]) -> dict[Severity, int]:
    """Severity -> how many."""
    found: dict[Severity, int] = {}
    for one in some:
        found[one.severity] = found.get(one.severity, 0) + 1
    return found


def _is_one_list(wanted: Wanted) -> bool:
    return wanted.teams is None or len(wanted.teams) == 1


def _rows(wanted: Wanted) -> sa.Select[Any]:
    """The rows of one list that fit."""
    columns = standing.c
    team = ALL if wanted.teams is None else wanted.teams[0]
    query = sa.select(standing).where(columns.team == team, columns.owner == (wanted.owner or ALL))
    if wanted.severity > Severity.NONE:
        query = query.where(columns.severity >= int(wanted.severity))
    if wanted.epss > 0:
        query = query.where(columns.epss >= wanted.epss)
    for column, want in (
        (columns.running, wanted.running), (columns.exploited, wanted.exploited), (columns.fixable, wanted.fixable),
    ):  # fmt: skip
        if want is not None:
            query = query.where(column.is_(want))
    if wanted.ecosystem:
        query = query.where(columns.ecosystems.contains(f"|{wanted.ecosystem}|", autoescape=True))
    if wanted.flaws is not None and len(wanted.flaws) <= _ASKED:
        query = query.where(columns.flaw.in_(sorted(wanted.flaws)))
    return query


def _merged(tx: Transaction, wanted: Wanted) -> list[Stands]:
    """Flaws as they stand for several teams together."""
    owner = standing.c.owner == (wanted.owner or ALL)
    found: dict[str, list[Stands]] = {}
    for team in wanted.teams or ():
        for row in tx.execute(sa.select(standing).where(standing.c.team == team, owner)):
            found.setdefault(row.flaw, []).append(_stands(row))
    return [together(some) if len(some) > 1 else some[0] for some in found.values()]


def _column(sort: Sort) -> sa.ColumnElement[Any]:
    if sort == "severity":
        return -standing.c.severity
    if sort == "likelihood":
        return -standing.c.epss
    return sa.case((standing.c.seen == "", "9"), else_=standing.c.seen)


def _stands(row: Any) -> Stands:
    return Stands(
        flaw=row.flaw, running=bool(row.running), exploited=bool(row.exploited), fixable=bool(row.fixable),
        severity=Severity(row.severity), epss=row.epss, seen=row.seen,
        ecosystems=tuple(name for name in row.ecosystems.split("|") if name),
    )  # fmt: skip


class Whose(NamedTuple):
    """A team that a flaw stands for, the owner of the layer, and whether it runs there."""

    team: str
    owner: str
    running: bool


def whose(tx: Transaction, some: Sequence[str], teams: Collection[str] | None) -> dict[str, list[Whose]]:
    """Flaw -> whose it is, for each of these teams that it stands for."""
    query = sa.select(standing.c.flaw, standing.c.team, standing.c.owner, standing.c.running)
    query = query.where(standing.c.team != ALL, standing.c.owner != ALL).order_by(standing.c.team, standing.c.owner)
    if teams is not None:
        query = query.where(standing.c.team.in_(sorted(teams)))
    found: dict[str, list[Whose]] = {}
    for chunk in chunks(some):
        for row in tx.execute(query.where(standing.c.flaw.in_(chunk))):
            found.setdefault(row.flaw, []).append(Whose(row.team, row.owner, bool(row.running)))
    return found


def ids_named(tx: Transaction, name: str) -> set[str]:
    """The flaws that have this id or alias."""
    return set(tx.execute(sa.select(names.c.id).where(names.c.name == name).distinct().limit(_MOST_NAMED)).scalars())


def ids_of(tx: Transaction, numbers: Sequence[int]) -> set[str]:
    """The flaws of packages."""
    return {
        identity
        for chunk in chunks(numbers)
        for identity in tx.execute(sa.select(flaws.c.id).where(flaws.c.package.in_(chunk)).distinct()).scalars()
    }


def ids_spoken_of(tx: Transaction, now: str) -> set[str]:
    """The flaws about which some VEX statement counts."""
    query = sa.select(names.c.id).join(vex_names, vex_names.c.name == names.c.name)
    query = query.join(vex, vex.c.id == vex_names.c.vex).where(vex.c.until > now)
    return set(tx.execute(query.distinct().limit(_MOST_NAMED)).scalars())


def numbers_called(tx: Transaction, name: str) -> list[int]:
    """The packages with this name, matched name or purl."""
    named = sa.or_(packages.c.name == name, packages.c.matched_name == name, packages.c.purl == name)
    return list(tx.execute(sa.select(packages.c.id).where(named).limit(_MOST_NUMBERS)).scalars())


def seen_of(tx: Transaction, numbers: Sequence[int]) -> dict[tuple[int, str], str]:
    """Package and flaw -> when it was first seen in it."""
    return {
        (row.package, row.id): row.at
        for chunk in chunks(numbers)
        for row in tx.execute(sa.select(since).where(since.c.package.in_(chunk)))
    }


def had_by(tx: Transaction, numbers: Sequence[int], teams: Collection[str]) -> set[int]:
    """Those of the packages that images of these teams have."""
    query = sa.select(members.c.package).join(reaches, reaches.c.group_id == members.c.group_id).distinct()
    query = query.where(reaches.c.team.in_(sorted(teams)))
    return {
        number
        for chunk in chunks(numbers)
        for number in tx.execute(query.where(members.c.package.in_(chunk))).scalars()
    }


def licences_of(tx: Transaction, numbers: Sequence[int]) -> list[str]:
    """The texts of the licences that packages have somewhere, in order."""
    some = numbers[:_ASKED]
    in_groups = sa.select(members.c.group_id).where(members.c.package.in_(some)).limit(_ASKED)
    query = sa.select(licences.c.text).where(licences.c.group_id.in_(in_groups), licences.c.package.in_(some))
    return list(tx.execute(query.distinct().order_by(licences.c.text).limit(_MOST_LICENCES)).scalars())


def images_with(tx: Transaction, numbers: Sequence[int], teams: Collection[str] | None, most: int) -> list[str]:
    """The first images of these teams that have one of the packages, those that run first."""
    query = sa.select(image_groups.c.image_id, sa.func.max(sa.case((homes.c.running, 1), else_=0)).label("runs"))
    query = query.join(members, members.c.group_id == image_groups.c.group_id)
    query = query.join(homes, homes.c.image_id == image_groups.c.image_id).where(members.c.package.in_(numbers))
    if teams is not None:
        query = query.where(homes.c.team.in_(sorted(teams)))
    some = query.group_by(image_groups.c.image_id).order_by(sa.text("runs DESC"), image_groups.c.image_id.desc())
    found = some.limit(most).subquery()
    rows = sa.select(images.c.image).join(found, found.c.image_id == images.c.id)
    return list(tx.execute(rows.order_by(found.c.runs.desc(), found.c.image_id.desc())).scalars())


def count_images(tx: Transaction, numbers: Sequence[int], teams: Collection[str] | None, most: int) -> int:
    """How many images of these teams have one of the packages; no more than `most` are counted."""
    query = sa.select(image_groups.c.image_id).join(members, members.c.group_id == image_groups.c.group_id)
    query = query.join(homes, homes.c.image_id == image_groups.c.image_id).where(members.c.package.in_(numbers))
    if teams is not None:
        query = query.where(homes.c.team.in_(sorted(teams)))
    some = query.distinct().limit(most).subquery()
    return int(tx.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def running_of(tx: Transaction, some: Sequence[str]) -> set[str]:
    """Those of the images that somebody runs."""
    query = sa.select(images.c.image).join(homes, homes.c.image_id == images.c.id).where(homes.c.running.is_(True))
    return {image for chunk in chunks(some) for image in tx.execute(query.where(images.c.image.in_(chunk))).scalars()}


def image_page(
    tx: Transaction, teams: Collection[str] | None, running: bool, before: int, limit: int
) -> list[tuple[int, str]]:
    """Images with a home, those matched last first: their numbers and digests."""
    query = sa.select(homes.c.image_id).where(homes.c.running.is_(running), homes.c.image_id < before)
    if teams is not None:
        query = query.where(homes.c.team.in_(sorted(teams)))
    some = query.distinct().order_by(homes.c.image_id.desc()).limit(limit).subquery()
    rows = sa.select(images.c.id, images.c.image).join(some, some.c.image_id == images.c.id)
    return [(row.id, row.image) for row in tx.execute(rows.order_by(images.c.id.desc()))]


def contents(tx: Transaction, some: Sequence[str]) -> Iterator[Spot]:
    """Every flawed package of these images, a row for each place."""
    has_flaw = sa.select(sa.literal(1)).where(flaws.c.package == members.c.package).exists()
    in_groups = (
        sa.select(members.c.group_id, members.c.package, members.c.path, groups.c.layer)
        .join(groups, groups.c.id == members.c.group_id)
        .where(has_flaw)
    )
    having: dict[int, list[str]] = {}
    query = sa.select(images.c.image, image_groups.c.group_id).join(images, images.c.id == image_groups.c.image_id)
    for chunk in chunks(some):
        for image, group in tx.execute(query.where(images.c.image.in_(chunk))):
            having.setdefault(group, []).append(image)
    for chunk in chunks(sorted(having)):
        for row in tx.execute(in_groups.where(members.c.group_id.in_(chunk))):
            for image in having[row.group_id]:
                yield Spot(image, row.package, row.layer, row.path)


class Spell(NamedTuple):
    """From when until when (empty: still) a flaw stood for a team, in what it keeps or in what it runs."""

    flaw: str
    team: str
    running: bool
    began: str
    ended: str
    severity: Severity


def spells_of(tx: Transaction, flaw: str, teams: Collection[str] | None, most: int) -> list[Spell]:
    """The history of a flaw for teams, youngest first."""
    query = sa.select(spells).where(spells.c.flaw == flaw, spells.c.team != ALL)
    if teams is not None:
        query = query.where(spells.c.team.in_(sorted(teams)))
    rows = tx.execute(query.order_by(spells.c.began.desc(), spells.c.team).limit(most))
    return [Spell(row.flaw, row.team, bool(row.running), row.began, row.ended, Severity(row.severity)) for row in rows]


def moved(
    tx: Transaction, what: str, teams: Collection[str], running: bool, since_when: str
) -> list[tuple[str, Severity, int]]:
    """How many spells began (or `ended`) on each day since a moment: day, severity and number."""
    column = spells.c.ended if what == "ended" else spells.c.began
    day = sa.func.substr(column, 1, 10)
    query = sa.select(day, spells.c.severity, sa.func.count()).where(spells.c.team.in_(sorted(teams)))
    query = query.where(spells.c.running.is_(running), column >= since_when).group_by(day, spells.c.severity)
    return [(row[0], Severity(row[1]), int(row[2])) for row in tx.execute(query.order_by(day))]


def ended(
    tx: Transaction, teams: Collection[str] | None, running: bool, since_when: str, most: int
) -> list[tuple[str, str, str]]:
    """Team, begin and end of what ended since a moment, youngest first; of all teams for None."""
    query = sa.select(spells.c.team, spells.c.began, spells.c.ended).where(spells.c.running.is_(running))
    query = query.where(spells.c.ended >= since_when, spells.c.team != ALL)
    if teams is not None:
        query = query.where(spells.c.team.in_(sorted(teams)))
    return [tuple(row) for row in tx.execute(query.order_by(spells.c.ended.desc()).limit(most))]
