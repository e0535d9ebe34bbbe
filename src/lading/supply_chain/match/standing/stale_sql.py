"""Rows that say what has to be worked out anew: appended where something changes, taken away where that was done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.match.sql import chunks, cursor, flaws, images, members, names, stale

Kind = Literal["image", "group", "flaw"]
_SEEDED: Final = "standing"


def mark(tx: Transaction, kind: Kind, some: Iterable[str]) -> None:
    """Note that these have to be worked out anew."""
    rows = [{"kind": kind, "name": name} for name in sorted(set(some))]
    if rows:
        tx.execute(sa.insert(stale), rows)


def mark_flaws_of(tx: Transaction, groups: Sequence[int]) -> None:
    """Note that every flaw of these groups' packages has to be worked out anew."""
    query = sa.select(flaws.c.id).join(members, members.c.package == flaws.c.package).distinct()
    found: set[str] = set()
    for chunk in chunks(groups):
        found.update(tx.execute(query.where(members.c.group_id.in_(chunk))).scalars())
    mark(tx, "flaw", found)


def taken(tx: Transaction, kind: Kind, most: int) -> tuple[list[int], list[str]]:
    """The first marks of a kind: their numbers, and what they name, each once."""
    query = sa.select(stale.c.seq, stale.c.name).where(stale.c.kind == kind).order_by(stale.c.seq).limit(most)
    rows = tx.execute(query).all()
    return [row.seq for row in rows], list(dict.fromkeys(row.name for row in rows))


def drop(tx: Transaction, numbers: Sequence[int]) -> None:
    """What these marks asked for is done."""
    for chunk in chunks(numbers):
        tx.execute(sa.delete(stale).where(stale.c.seq.in_(chunk)))


def waiting(tx: Transaction, most: int) -> int:
    """How many marks there are; no more than `most` are counted."""
    some = sa.select(sa.literal(1)).select_from(stale).limit(most).subquery()
    return int(tx.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def seed(tx: Transaction) -> bool:
    """Mark everything when nothing was ever worked out, as after an update; whether it did."""
    if tx.execute(sa.select(cursor.c.seq).where(cursor.c.name == _SEEDED)).first() is not None:
        return False
    columns = [stale.c.kind, stale.c.name]
    tx.execute(sa.insert(stale).from_select(columns, sa.select(sa.literal("image"), images.c.image)))
    every = sa.select(sa.literal("flaw"), names.c.id).where(names.c.id == names.c.name).distinct()
    tx.execute(sa.insert(stale).from_select(columns, every))
    tx.execute(sa.insert(cursor).values(name=_SEEDED, seq=1))
    return True
