"""Rows of updates on their way: staged in pieces that nobody reads, then put in the place of what is kept at once.

A process killed while it stages leaves rows that the next update of the same source removes; one killed in the last
transaction leaves either state whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from lading.kernel.errors import Conflict
from lading.state import Transaction
from lading.supply_chain.advisories.advisory import Advisory
from lading.supply_chain.advisories.sql import (
    affected,
    chunks,
    insert,
    names,
    records,
    staged,
    staged_affected,
    staged_names,
)

_COLUMNS: Final = ("load", "id", "source", "modified", "withdrawn", "score", "severity", "digest", "body")
_NAMES_AT_ONCE: Final = 50_000
Row = tuple[Advisory, str, bytes, bytes]


class Staging:
    """One update. Every method works in the caller's transaction."""

    def __init__(self, load: str, source: str) -> None:
        self.load = load
        self._source = source
        self._ids: set[str] = set()

    def begin(self, tx: Transaction) -> None:
        """Remove what an update of this source left that was killed."""
        old = list(tx.execute(sa.select(staged.c.load).where(staged.c.source == self._source).distinct()).scalars())
        for table in (staged, staged_affected, staged_names):
            tx.execute(sa.delete(table).where(table.c.load.in_(old)))

    def add(self, tx: Transaction, rows: Sequence[Row]) -> None:
        """Stage records, each `(advisory, source, digest, body)`; a later one takes the place of the same id."""
        again = [row[0].id for row in rows if row[0].id in self._ids]
        for table in (staged, staged_affected, staged_names):
            for chunk in chunks(again):
                tx.execute(sa.delete(table).where(table.c.load == self.load, table.c.id.in_(chunk)))
        self._ids.update(row[0].id for row in rows)
        insert(tx, staged, _COLUMNS, [
            (self.load, one.id, source, one.modified, bool(one.withdrawn), one.score, int(one.severity), digest, body)
            for one, source, digest, body in rows
        ])  # fmt: skip
        pairs = {(self.load, entry.ecosystem, entry.name, one.id) for one, *_ in rows for entry in one.affected}
        insert(tx, staged_affected, ("load", "ecosystem", "name", "id"), sorted(pairs))
        told = {
            (self.load, name, one.id, not one.covers and not one.withdrawn) for one, *_ in rows for name in one.names
        }
        insert(tx, staged_names, ("load", "name", "id", "same"), sorted(told))

    def drop_older(self, tx: Transaction) -> None:
        """Forget what is staged and older than what was kept meanwhile under the same id; times to the second."""
        both = (staged.c.load == self.load) & (staged.c.id == records.c.id)
        older = sa.func.substr(staged.c.modified, 1, 19) < sa.func.substr(records.c.modified, 1, 19)
        ids = list(tx.execute(sa.select(staged.c.id).where(both, older)).scalars())
        for table in (staged, staged_affected, staged_names):
            for chunk in chunks(ids):
                tx.execute(sa.delete(table).where(table.c.load == self.load, table.c.id.in_(chunk)))
        self._ids.difference_update(ids)

    @property
    def ids(self) -> set[str]:
        """What is staged."""
        return self._ids

    def touched(self, tx: Transaction, gone: Sequence[str]) -> Iterator[list[str]]:
        """Every name that what is staged or gone has or had, piece by piece, each name once in a piece."""
        mine = sa.select(staged.c.id).where(staged.c.load == self.load)
        query = sa.union(
            sa.select(names.c.name).where(names.c.id.in_(mine)),
            sa.select(staged_names.c.name).where(staged_names.c.load == self.load),
        )
        some = list(tx.execute(query).scalars())
        for chunk in chunks(gone):
            some += tx.execute(sa.select(names.c.name).where(names.c.id.in_(chunk))).scalars()
        for start in range(0, len(some), _NAMES_AT_ONCE):
            yield sorted(set(some[start : start + _NAMES_AT_ONCE]))

    def switch(self, tx: Transaction, gone: Sequence[str]) -> None:
        """Put what is staged in the place of what is kept under the same ids, and forget what is gone.

        Raises:
            Conflict: another update of the source removed what was staged.
        """
        mine = sa.select(staged.c.id).where(staged.c.load == self.load)
        count = tx.execute(sa.select(sa.func.count()).select_from(mine.subquery())).scalar()
        if count != len(self._ids):
            raise Conflict(f"Another update of {self._source} began meanwhile.", remedy="Run one at a time.")
        for target, origin, columns in (
            (records, staged, _COLUMNS[1:]),
            (affected, staged_affected, ("ecosystem", "name", "id")),
            (names, staged_names, ("name", "id", "same")),
        ):
            tx.execute(sa.delete(target).where(target.c.id.in_(mine)))
            for chunk in chunks(gone):
                tx.execute(sa.delete(target).where(target.c.id.in_(chunk)))
            new = sa.select(*(origin.c[column] for column in columns)).where(origin.c.load == self.load)
            tx.execute(sa.insert(target).from_select(list(columns), new))
        for table in (staged_affected, staged_names, staged):
            tx.execute(sa.delete(table).where(table.c.load == self.load))
