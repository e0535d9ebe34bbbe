"""Questions to the tables of matching: names -> flaws -> members -> groups -> images.

First comes which packages are meant, then which images have them (no more than a number), and what there is to say is
read only of those images that are shown: no answer reads all there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.sql import (
    chunks,
    flaws,
    groups,
    image_groups,
    images,
    licences,
    members,
    names,
    packages,
    since,
)

MOST_PACKAGES: Final = 5_000
_MANY: Final = 100
_package = msgspec.msgpack.Decoder(Package).decode
_finding = msgspec.msgpack.Decoder(Finding).decode


class Spot(NamedTuple):
    """A package in an image that was matched at a moment; `text` is what its licence says, when that was asked for."""

    image: str
    matched: str
    package: int
    path: str
    layer: str
    text: str = ""


def flawed(tx: Transaction, name: str) -> list[tuple[int, Finding, str]]:
    """Package, flaw and when it was first seen in it (empty: not known), by any name of the flaw."""
    same = (names.c.package == flaws.c.package) & (names.c.id == flaws.c.id)
    seen = (since.c.package == names.c.package) & (since.c.id == names.c.id)
    query = (
        sa.select(names.c.package, flaws.c.body, since.c.at)
        .select_from(names)
        .join(flaws, same)
        .join(since, seen, isouter=True)
        .where(names.c.name == name)
        .order_by(names.c.package, names.c.id)
        .limit(MOST_PACKAGES)
    )
    return [(row.package, _finding(bytes(row.body)), row.at or "") for row in tx.execute(query)]


def called(tx: Transaction, name: str) -> dict[int, Package]:
    """The packages of a name, matched name or purl."""
    named = sa.or_(packages.c.name == name, packages.c.matched_name == name, packages.c.purl == name)
    query = sa.select(packages.c.id, packages.c.body).where(named).order_by(packages.c.id).limit(MOST_PACKAGES)
    return {row.id: _package(bytes(row.body)) for row in tx.execute(query)}


def images_having(tx: Transaction, numbers: Collection[int], most: int) -> list[str]:
    """The first images that have one of the packages."""
    having = members.c.package.in_(numbers)
    query = sa.select(image_groups.c.image_id).join(members, members.c.group_id == image_groups.c.group_id)
    return _images(tx, query.where(having).distinct().limit(most))


def images_licensed(tx: Transaction, licence: str, most: int) -> list[str]:
    """The first images that have a package of the licence."""
    query = sa.select(image_groups.c.image_id).join(licences, licences.c.group_id == image_groups.c.group_id)
    return _images(tx, query.where(licences.c.licence == licence).distinct().limit(most))


def spots(tx: Transaction, numbers: Collection[int], some: Sequence[str]) -> Iterator[Spot]:
    """Where the packages are in these images, by path; a package may be in an image several times."""
    package = _unindexed(tx, members.c.package) if len(numbers) > _MANY else members.c.package
    query = (
        sa.select(members.c.group_id, members.c.package, members.c.path, groups.c.layer)
        .join(groups, groups.c.id == members.c.group_id)
        .where(package.in_(numbers))
    )
    for group, moments, row in _in_groups(tx, some, query, members.c.group_id):
        for image, matched in moments[group]:
            yield Spot(image, matched, row.package, row.path, row.layer)


def licensed(tx: Transaction, licence: str, some: Sequence[str]) -> Iterator[Spot]:
    """Where packages of the licence are in these images; a package may be in an image several times."""
    same = (members.c.group_id == licences.c.group_id) & (members.c.package == licences.c.package)
    query = (
        sa.select(members.c.group_id, members.c.package, members.c.path, groups.c.layer, licences.c.text)
        .select_from(licences)
        .join(members, same)
        .join(groups, groups.c.id == licences.c.group_id)
        .where(licences.c.licence == licence)
    )
    for group, moments, row in _in_groups(tx, some, query, licences.c.group_id):
        for image, matched in moments[group]:
            yield Spot(image, matched, row.package, row.path, row.layer, row.text)


def _in_groups(
    tx: Transaction, some: Sequence[str], query: Any, column: Any
) -> Iterator[tuple[int, dict[int, list[tuple[str, str]]], Any]]:
    """Rows of a query in the groups of these images: group, the images of all groups, and the row."""
    moments: dict[int, list[tuple[str, str]]] = {}
    of_images = sa.select(image_groups.c.group_id, images.c.image, images.c.matched)
    of_images = of_images.join(images, images.c.id == image_groups.c.image_id)
    for chunk in chunks(some):
        for group, image, matched in tx.execute(of_images.where(images.c.image.in_(chunk))):
            moments.setdefault(group, []).append((image, matched))
    for chunk in chunks(sorted(moments)):
        for row in tx.execute(query.where(column.in_(chunk))):
            yield row.group_id, moments, row


def _images(tx: Transaction, numbers: Any) -> list[str]:
    some = numbers.subquery()
    return list(tx.execute(sa.select(images.c.image).join(some, some.c.image_id == images.c.id)).scalars())


def _unindexed(tx: Transaction, column: sa.Column[int]) -> Any:
    """Many packages are looked for in what each group has, not each group for each of them."""
    if tx.dialect.name != "sqlite":
        return column
    return sa.literal_column(f"+{column.table.name}.{column.name}", sa.BigInteger())
