"""Which containers telemetry is open for, so that one that vanishes while nobody looks is still closed and said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from lading.observability.collect.sources import Watched
from lading.state import Transaction, metadata

containers: Final = sa.Table(
    "telemetry_containers",
    metadata,
    sa.Column("container", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("workload", sa.Text, nullable=False),
    sa.Column("application", sa.Text, nullable=False),
)


class OpenContainers:
    """The containers that a `telemetry.closed` is still owed for."""

    def add(self, tx: Transaction, watched: Sequence[Watched]) -> None:
        """Remember these; those already there stay."""
        known = set(tx.execute(sa.select(containers.c.container)).scalars())
        rows = [
            {"container": one.id, "name": one.name, "workload": one.workload, "application": one.application}
            for one in watched
            if one.id not in known
        ]
        if rows:
            tx.execute(sa.insert(containers), rows)

    def remove(self, tx: Transaction, container: str) -> None:
        """Forget a container."""
        tx.execute(sa.delete(containers).where(containers.c.container == container))

    def all(self, tx: Transaction) -> list[Watched]:
        """Everything open, as not running."""
        rows = tx.execute(sa.select(containers).order_by(containers.c.container))
        return [Watched(row.container, row.name, row.workload, row.application, False) for row in rows]
