"""Rows of what is wrong with packages, by which names to ask for it, and what that comes to for each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from lading.kernel.severity import Severity
from lading.state import Transaction
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.sql import chunks, cursor, flaws, groups, image_groups, images, names, overlaps, since
from lading.supply_chain.match.standing import stale_sql

_LEVELS: Final = tuple(Severity)
_MANY_NAMES: Final = 5_000
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Finding).decode

# Package number and id of the flaw.
Key = tuple[int, str]


class FlawStore:
    """Every method works in the caller's transaction. Findings have no layer and no path here."""

    def found(self, tx: Transaction, numbers: Sequence[int]) -> dict[Key, Finding]:
        """The kept findings of packages."""
        query = sa.select(flaws.c.package, flaws.c.id, flaws.c.body)
        return {
            (number, identity): _decode(bytes(body))
            for chunk in chunks(numbers)
            for number, identity, body in tx.execute(query.where(flaws.c.package.in_(chunk)))
        }

    def replace(self, tx: Transaction, gone: Sequence[Key], new: Sequence[tuple[Key, Finding]]) -> None:
        """Forget findings and keep others."""
        keys = [{"p": number, "f": identity} for number, identity in gone]
        for table in (flaws, names):
            if keys:
                here = (table.c.package == sa.bindparam("p")) & (table.c.id == sa.bindparam("f"))
                tx.execute(sa.delete(table).where(here), keys)
        stale_sql.mark(tx, "flaw", {key[1] for key in gone} | {key[1] for key, _ in new})
        if not new:
            return
        tx.execute(sa.insert(flaws), [
            {"package": key[0], "id": key[1], "severity": int(one.severity), "body": _encode(one)} for key, one in new
        ])  # fmt: skip
        tx.execute(sa.insert(names), [
            {"name": name, "package": key[0], "id": key[1]} for key, one in new for name in one.names
        ])  # fmt: skip

    def note(self, tx: Transaction, opened: Sequence[Key], closed: Sequence[Key], at: str) -> None:
        """Keep when findings were first seen; forget it of those that are no more."""
        # Also of those that are opened: what a restored or pruned database has of them is of another life.
        keys = [{"p": number, "f": identity} for number, identity in (*closed, *opened)]
        if keys:
            here = (since.c.package == sa.bindparam("p")) & (since.c.id == sa.bindparam("f"))
            tx.execute(sa.delete(since).where(here), keys)
        if opened:
            tx.execute(sa.insert(since), [{"package": number, "id": identity, "at": at} for number, identity in opened])

    def shift(self, tx: Transaction, deltas: Mapping[int, Mapping[int, int]]) -> None:
        """Count findings of groups up and down: group -> severity -> how many more."""
        rows = [
            {"g": group, **{f"more_{level}": by.get(level, 0) for level in _LEVELS}}
            for group, by in deltas.items()
            if any(by.values())
        ]
        if rows:
            values = {level.label: groups.c[level.label] + sa.bindparam(f"more_{level}") for level in _LEVELS}
            tx.execute(sa.update(groups).where(groups.c.id == sa.bindparam("g")).values(values), rows)

    def named(self, tx: Transaction, some: Sequence[str]) -> dict[Key, Finding]:
        """The findings that have one of these names."""
        numbers = sorted(self.with_name(tx, set(some)))
        wanted = set(some)
        return {key: one for key, one in self.found(tx, numbers).items() if not wanted.isdisjoint(one.names)}

    def with_name(self, tx: Transaction, some: set[str]) -> set[int]:
        """The packages with a finding that has one of these names."""
        if len(some) > _MANY_NAMES:
            rows = tx.execute(sa.select(names.c.name, names.c.package).distinct())
            return {number for name, number in rows if name in some}
        query = sa.select(names.c.package).distinct()
        return {
            number
            for chunk in chunks(sorted(some))
            for number in tx.execute(query.where(names.c.name.in_(chunk))).scalars()
        }

    def by_severity(self, tx: Transaction, some: Sequence[str]) -> dict[str, dict[int, int]]:
        """Image -> severity -> how many findings."""
        counts: dict[str, dict[int, int]] = {}
        sums = [sa.func.sum(groups.c[level.label]) for level in _LEVELS]
        whole = (
            sa.select(images.c.image, *sums)
            .join(image_groups, image_groups.c.image_id == images.c.id)
            .join(groups, groups.c.id == image_groups.c.group_id)
            .group_by(images.c.image)
        )
        twice = (
            sa.select(images.c.image, flaws.c.severity, sa.func.sum(overlaps.c.extra))
            .join(overlaps, overlaps.c.image_id == images.c.id)
            .join(flaws, flaws.c.package == overlaps.c.package)
            .group_by(images.c.image, flaws.c.severity)
        )
        for chunk in chunks(some):
            for image, *row in tx.execute(whole.where(images.c.image.in_(chunk))):
                counts[image] = {int(level): int(count) for level, count in zip(_LEVELS, row, strict=True)}
            for image, severity, extra in tx.execute(twice.where(images.c.image.in_(chunk))):
                counts[image][severity] -= int(extra)
        return {image: {level: n for level, n in by.items() if n} for image, by in counts.items()}

    def place_of(self, tx: Transaction, name: str) -> int:
        """How far the cursor of that name got."""
        return tx.execute(sa.select(cursor.c.seq).where(cursor.c.name == name)).scalar() or 0

    def move(self, tx: Transaction, name: str, seq: int) -> None:
        """Put a cursor where it got to."""
        tx.execute(sa.delete(cursor).where(cursor.c.name == name))
        tx.execute(sa.insert(cursor).values(name=name, seq=seq))
