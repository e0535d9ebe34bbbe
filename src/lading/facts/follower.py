"""Followers: projections and reactions that read the ledger in order, each with a cursor of its own.

The cursor moves in the same transaction as what the follower wrote, so an entry is applied exactly once, whenever the
process is killed. Throwing a projection away and following from zero gives the same projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import sqlalchemy as sa

from lading.facts.fact import Entry
from lading.facts.ledger import Ledger
from lading.facts.sql import cursors
from lading.state import Database, Transaction


class Follower(Protocol):
    """Something that learns from facts."""

    name: str
    kinds: Sequence[str] | None

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Take in `entries`, oldest first, writing only through `tx`; applying an entry twice must change nothing."""
        ...


def follow(database: Database, ledger: Ledger, follower: Follower, *, batch: int = 1_000) -> int:
    """Bring `follower` up to the head of the ledger as it was at the start; returns how many entries were applied.

    Two processes following under one name take turns; neither applies what the other did.
    """
    applied = 0
    with database.read() as tx:
        target = ledger.head(tx).seq
        if _cursor(tx, follower.name) >= target:
            return 0
    while True:
        with database.write() as tx:
            start = _locked_cursor(tx, follower.name)
            if start >= target:
                return applied
            entries = ledger.read(tx, after=start, limit=batch, kinds=follower.kinds)
            entries = [entry for entry in entries if entry.seq <= target]
            if entries:
                follower.apply(tx, entries)
            end = entries[-1].seq if len(entries) == batch else target
            tx.execute(sa.update(cursors).where(cursors.c.follower == follower.name).values(seq=end))
            applied += len(entries)


def rewind(tx: Transaction, name: str) -> None:
    """Make the follower start from the first entry again; the caller empties its projection in the same transaction."""
    tx.execute(sa.delete(cursors).where(cursors.c.follower == name))


def cursor_of(tx: Transaction, name: str) -> int:
    """How far the follower got."""
    return _cursor(tx, name)


def _cursor(tx: Transaction, name: str) -> int:
    return tx.execute(sa.select(cursors.c.seq).where(cursors.c.follower == name)).scalar() or 0


def _locked_cursor(tx: Transaction, name: str) -> int:
    query = sa.select(cursors.c.seq).where(cursors.c.follower == name).with_for_update()
    found = tx.execute(query).scalar()
    if found is None:
        tx.execute(sa.insert(cursors).values(follower=name, seq=0))
    return found or 0
