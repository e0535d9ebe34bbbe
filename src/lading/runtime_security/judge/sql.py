"""The table of incidents. At most one open incident has a given fingerprint."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction, metadata

incidents: Final = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    # The fingerprint while open, NULL afterwards: unique among the open ones on both databases.
    sa.Column("open_fingerprint", sa.Text, unique=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("container", sa.Text, nullable=False),
    sa.Column("container_name", sa.Text, nullable=False),
    sa.Column("workload", sa.Text, nullable=False),
    sa.Column("image", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("evidence", sa.LargeBinary, nullable=False, comment="JSON object of strings"),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("times", sa.BigInteger, nullable=False),
    sa.Column("opened", sa.Text, nullable=False),
    sa.Column("seen", sa.Text, nullable=False),
    sa.Column("closed", sa.Text, nullable=False, server_default=""),
    sa.Column("resolution", sa.Text, nullable=False, server_default=""),
    sa.Column("responses", sa.LargeBinary, nullable=False, comment="JSON list of [action, outcome]"),
    sa.Index("ix_incidents_container", "container"),
    sa.Index("ix_incidents_fingerprint", "fingerprint"),
    sa.Index("ix_incidents_workload", "workload"),
)


class IncidentStore:
    """Rows of incidents."""

    def add(self, tx: Transaction, row: dict[str, Any]) -> None:
        """A new open one; Conflict when one with its fingerprint is open."""
        tx.execute(sa.insert(incidents).values(row))

    def get(self, tx: Transaction, identity: str) -> Any:
        """The row, or None."""
        return tx.execute(sa.select(incidents).where(incidents.c.id == identity)).first()

    def open_with(self, tx: Transaction, fingerprint: str) -> Any:
        """The open one with this fingerprint, or None."""
        return tx.execute(sa.select(incidents).where(incidents.c.open_fingerprint == fingerprint)).first()

    def closed_with(self, tx: Transaction, fingerprint: str) -> Any:
        """A closed one with this fingerprint, or None."""
        query = sa.select(incidents).where(incidents.c.fingerprint == fingerprint, incidents.c.closed != "")
        return tx.execute(query.limit(1)).first()

    def open_of(self, tx: Transaction, container: str) -> list[Any]:
        """The open ones of a container."""
        is_open = incidents.c.open_fingerprint.is_not(None)
        query = sa.select(incidents).where(incidents.c.container == container, is_open).order_by(incidents.c.id)
        return list(tx.execute(query))

    def count_open(self, tx: Transaction, container: str, rule: str) -> int:
        """How many of one rule are open in a container."""
        query = sa.select(sa.func.count()).where(
            incidents.c.container == container, incidents.c.rule == rule, incidents.c.open_fingerprint.is_not(None)
        )
        return int(tx.execute(query).scalar() or 0)

    def open_containers(self, tx: Transaction) -> frozenset[str]:
        """The containers that have open ones."""
        query = sa.select(incidents.c.container).where(incidents.c.open_fingerprint.is_not(None)).distinct()
        return frozenset(tx.execute(query).scalars())

    def update(self, tx: Transaction, identity: str, **values: Any) -> None:
        """Change columns of one row."""
        tx.execute(sa.update(incidents).where(incidents.c.id == identity).values(**values))

    def listing(self, tx: Transaction, *, every: bool, container: str, workload: str, limit: int) -> list[Any]:
        """Worst first, then youngest first."""
        query = sa.select(incidents).order_by(
            incidents.c.open_fingerprint.is_(None), incidents.c.severity.desc(), incidents.c.id.desc()
        )
        if not every:
            query = query.where(incidents.c.open_fingerprint.is_not(None))
        if container:
            query = query.where(incidents.c.container == container)
        if workload:
            query = query.where(incidents.c.workload == workload)
        return list(tx.execute(query.limit(limit)))
