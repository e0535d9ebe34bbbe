"""Rows of the package index: packages, the groups that layers bring, and the images that have them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from lading.kernel.severity import Severity
from lading.state import Transaction
from lading.supply_chain.inventory.values import Package
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
    overlaps,
    packages,
    since,
)
from lading.supply_chain.match.standing import stale_sql

_encode = msgspec.msgpack.encode
_decode_package = msgspec.msgpack.Decoder(Package).decode


class Spot(NamedTuple):
    """A package in an image: by which path and layer."""

    image: str
    package: int
    path: str
    layer: str


class PackageIndex:
    """Every method works in the caller's transaction."""

    def intern(self, tx: Transaction, some: Sequence[tuple[Package, str]]) -> tuple[dict[Package, int], set[int]]:
        """The numbers of packages, each `(package, matched name)`, without layer and path; and which are new."""
        bodies = {_encode(package): (package, name) for package, name in some}
        found = self._numbers(tx, list(bodies))
        fresh = [
            {
                "ecosystem": package.ecosystem,
                "matched_name": name,
                "name": package.name,
                "purl": package.purl,
                "body": body,
            }
            for body, (package, name) in bodies.items()
            if body not in found
        ]
        new: set[int] = set()
        if fresh:
            tx.execute(sa.insert(packages), fresh)
            added = self._numbers(tx, [row["body"] for row in fresh])  # type: ignore[misc]
            found |= added
            new = set(added.values())
        return {package: found[body] for body, (package, _) in bodies.items()}, new

    def packages(self, tx: Transaction, numbers: Sequence[int]) -> dict[int, Package]:
        """Number -> package."""
        return {
            number: _decode_package(bytes(body))
            for chunk in chunks(numbers)
            for number, body in tx.execute(sa.select(packages.c.id, packages.c.body).where(packages.c.id.in_(chunk)))
        }

    def about(self, tx: Transaction, pairs: set[tuple[str, str]]) -> set[int]:
        """The packages of these ecosystems and matched names."""
        by_ecosystem: dict[str, list[str]] = {}
        for ecosystem, name in pairs:
            by_ecosystem.setdefault(ecosystem, []).append(name)
        return {
            number
            for ecosystem, some in by_ecosystem.items()
            for chunk in chunks(some)
            for number in tx.execute(
                sa.select(packages.c.id).where(packages.c.ecosystem == ecosystem, packages.c.matched_name.in_(chunk))
            ).scalars()
        }

    def place(self, tx: Transaction, image: str, rows: Sequence[tuple[int, str, str]], at: str = "") -> dict[str, int]:
        """Say which packages `(number, path, layer)` an image has, and that it has no others; layer -> its group.

        Args:
            at: when this is said; kept when it is the first time.
        """
        layers: dict[str, set[tuple[int, str]]] = {}
        for number, path, layer in rows:
            layers.setdefault(layer, set()).add((number, path))
        grouped = {layer: self._group(tx, layer, sorted(some)) for layer, some in layers.items()}
        wanted = set(grouped.values())
        times = Counter(number for some in layers.values() for number in {number for number, _ in some})
        identity = self._image(tx, image, len(times), at)
        query = sa.select(image_groups.c.group_id).where(image_groups.c.image_id == identity)
        before = set(tx.execute(query).scalars())
        if gone := sorted(before - wanted):
            here = (image_groups.c.image_id == identity) & image_groups.c.group_id.in_(gone)
            tx.execute(sa.delete(image_groups).where(here))
            stale_sql.mark(tx, "group", map(str, gone))
            self._drop_unused(tx, gone)
        if new := sorted(wanted - before):
            tx.execute(sa.insert(image_groups), [{"image_id": identity, "group_id": one} for one in new])
            stale_sql.mark(tx, "image", [image])
        tx.execute(sa.delete(overlaps).where(overlaps.c.image_id == identity))
        twice = [{"image_id": identity, "package": one, "extra": n - 1} for one, n in times.items() if n > 1]
        if twice:
            tx.execute(sa.insert(overlaps), twice)
        return grouped

    def forget(self, tx: Transaction, image: str) -> None:
        """The image is no more; what only it had goes with it."""
        identity = tx.execute(sa.select(images.c.id).where(images.c.image == image)).scalar()
        if identity is None:
            return
        self.place(tx, image, [])
        tx.execute(sa.delete(homes).where(homes.c.image_id == identity))
        tx.execute(sa.delete(images).where(images.c.id == identity))

    def images_after(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """The images that are known here, in order, beyond `after`."""
        query = sa.select(images.c.image).where(images.c.image > after).order_by(images.c.image)
        return list(tx.execute(query.limit(limit)).scalars())

    def contents(self, tx: Transaction, image: str) -> dict[int, Spot]:
        """What an image has: package -> its first path, and the layer that brought it."""
        query = (
            sa.select(members.c.package, members.c.path, groups.c.layer)
            .join(groups, groups.c.id == members.c.group_id)
            .join(image_groups, image_groups.c.group_id == groups.c.id)
            .join(images, images.c.id == image_groups.c.image_id)
            .where(images.c.image == image)
            .order_by(members.c.path, groups.c.layer)
        )
        found: dict[int, Spot] = {}
        for number, path, layer in tx.execute(query):
            found.setdefault(number, Spot(image, number, path, layer))
        return found

    def spots(self, tx: Transaction, numbers: Sequence[int]) -> Iterator[Spot]:
        """Where packages are, image by image; each package of an image once, by its first path."""
        brought = self._brought(tx, numbers)
        for image, some in self._having(tx, sorted(brought)):
            first: dict[int, Spot] = {}
            for number, path, layer in sorted(row for group in some for row in brought[group]):
                first.setdefault(number, Spot(image, number, path, layer))
            yield from first.values()

    def groups_of(self, tx: Transaction, numbers: Sequence[int]) -> dict[int, list[int]]:
        """Group -> those of the packages that it has, each once."""
        found: dict[int, list[int]] = {}
        query = sa.select(members.c.group_id, members.c.package).distinct()
        for chunk in chunks(numbers):
            for group, number in tx.execute(query.where(members.c.package.in_(chunk))):
                found.setdefault(group, []).append(number)
        return found

    def package_counts(self, tx: Transaction, some: Sequence[str]) -> dict[str, int]:
        """Image -> how many packages; an image that was never read is left out."""
        query = sa.select(images.c.image, images.c.packages)
        return {
            image: count
            for chunk in chunks(some)
            for image, count in tx.execute(query.where(images.c.image.in_(chunk)))
        }

    def called(self, tx: Transaction, name: str) -> dict[int, Package]:
        """The packages of that name, matched name or purl."""
        named = sa.or_(packages.c.name == name, packages.c.matched_name == name, packages.c.purl == name)
        return {
            number: _decode_package(bytes(body))
            for number, body in tx.execute(sa.select(packages.c.id, packages.c.body).where(named))
        }

    def _numbers(self, tx: Transaction, bodies: Sequence[bytes]) -> dict[bytes, int]:
        query = sa.select(packages.c.body, packages.c.id)
        return {
            bytes(body): number
            for chunk in chunks(bodies)
            for body, number in tx.execute(query.where(packages.c.body.in_(chunk)))
        }

    def _group(self, tx: Transaction, layer: str, rows: Sequence[tuple[int, str]]) -> int:
        """The group of these members, made when no image had it before."""
        digest = hashlib.sha256(_encode((layer, rows))).digest()[:16]
        found = tx.execute(sa.select(groups.c.id).where(groups.c.digest == digest)).scalar()
        if found is not None:
            return int(found)
        numbers = sorted({number for number, _ in rows})
        counts = self._levels(tx, numbers)
        values = {"digest": digest, "layer": layer, "packages": len(numbers), **counts}
        tx.execute(sa.insert(groups).values(values))
        identity = int(tx.execute(sa.select(groups.c.id).where(groups.c.digest == digest)).scalar_one())
        tx.execute(
            sa.insert(members), [{"package": number, "group_id": identity, "path": path} for number, path in rows]
        )
        return identity

    def _levels(self, tx: Transaction, numbers: Sequence[int]) -> dict[str, int]:
        counts = {level.label: 0 for level in Severity}
        query = sa.select(flaws.c.severity, sa.func.count()).group_by(flaws.c.severity)
        for chunk in chunks(numbers):
            for level, count in tx.execute(query.where(flaws.c.package.in_(chunk))):
                counts[Severity(level).label] += count
        return counts

    def _image(self, tx: Transaction, image: str, count: int, at: str) -> int:
        """The number of an image, which has this many packages now."""
        query = sa.select(images.c.id).where(images.c.image == image)
        found = tx.execute(query).scalar()
        if found is None:
            tx.execute(sa.insert(images).values(image=image, packages=count, matched=at))
            found = tx.execute(query).scalar_one()
        else:
            tx.execute(sa.update(images).where(images.c.id == found).values(packages=count))
        return int(found)

    def _drop_unused(self, tx: Transaction, some: Sequence[int]) -> None:
        """Forget those of the groups that no image has any more, and the packages that only they had."""
        unused = sorted(set(some) - _held(tx, image_groups.c.group_id, some))
        stale_sql.mark_flaws_of(tx, unused)
        brought = sorted(_held(tx, members.c.group_id, unused, of=members.c.package))
        _delete(tx, (members.c.group_id, licences.c.group_id, groups.c.id), unused)
        loose = sorted(set(brought) - _held(tx, members.c.package, brought))
        _delete(tx, (flaws.c.package, names.c.package, since.c.package, packages.c.id), loose)

    def _brought(self, tx: Transaction, numbers: Sequence[int]) -> dict[int, list[tuple[int, str, str]]]:
        """Group -> package, path and layer, for the groups that have any of the packages."""
        query = sa.select(members.c.group_id, members.c.package, sa.func.min(members.c.path), groups.c.layer)
        query = query.join(groups, groups.c.id == members.c.group_id)
        query = query.group_by(members.c.group_id, members.c.package, groups.c.layer)
        found: dict[int, list[tuple[int, str, str]]] = {}
        for chunk in chunks(numbers):
            for group, number, path, layer in tx.execute(query.where(members.c.package.in_(chunk))):
                found.setdefault(group, []).append((number, path, layer))
        return found

    def _having(self, tx: Transaction, some: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
        """Image -> those of the groups that it has."""
        found: dict[int, list[int]] = {}
        for chunk in chunks(some):
            query = sa.select(image_groups.c.image_id, image_groups.c.group_id)
            for identity, group in tx.execute(query.where(image_groups.c.group_id.in_(chunk))):
                found.setdefault(identity, []).append(group)
        for chunk in chunks(sorted(found)):
            called = tx.execute(sa.select(images.c.id, images.c.image).where(images.c.id.in_(chunk))).all()
            for identity, image in called:
                yield image, found[identity]


def _held(
    tx: Transaction, column: sa.Column[int], some: Sequence[int], *, of: sa.Column[int] | None = None
) -> set[int]:
    """What the rows have in `of` (else in the column itself) whose column has one of the values."""
    query = sa.select(column if of is None else of).distinct()
    return {number for chunk in chunks(some) for number in tx.execute(query.where(column.in_(chunk))).scalars()}


def _delete(tx: Transaction, columns: Sequence[sa.Column[int]], some: Sequence[int]) -> None:
    for column in columns:
        for chunk in chunks(some):
            tx.execute(sa.delete(column.table).where(column.in_(chunk)))
