"""The table of rules, and what retention has to know of a repository's manifests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction, metadata
from lading.supply_chain.registry.sql.tables import manifests, parts, pulls, repositories, states, tags

Row = sa.Row[*tuple[Any, ...]]

rules: Final = sa.Table(
    "registry_retention",
    metadata,
    sa.Column("pattern", sa.Text, primary_key=True),
    sa.Column("rule", sa.LargeBinary, nullable=False, comment="JSON"),
)


def save_rule(tx: Transaction, pattern: str, body: bytes) -> None:
    """Keep a rule; the one with the same pattern is replaced."""
    delete_rule(tx, pattern)
    tx.execute(sa.insert(rules).values(pattern=pattern, rule=body))


def delete_rule(tx: Transaction, pattern: str) -> bool:
    """Remove a rule; whether it was there."""
    return tx.execute(sa.delete(rules).where(rules.c.pattern == pattern)).rowcount > 0


def rule_bodies(tx: Transaction) -> list[bytes]:
    """The rules, by pattern."""
    return [bytes(body) for body in tx.execute(sa.select(rules.c.rule).order_by(rules.c.pattern)).scalars()]


def repository_names(tx: Transaction) -> list[str]:
    """All repositories."""
    return list(tx.execute(sa.select(repositories.c.name).order_by(repositories.c.name)).scalars())


def manifest_rows(tx: Transaction, repository: str, only: str = "") -> Sequence[Row]:
    """Manifests with their last pull and, of revoked ones, since when."""
    pulled = (pulls.c.repository == manifests.c.repository) & (pulls.c.digest == manifests.c.digest)
    query = (
        sa.select(
            manifests.c.digest,
            manifests.c.pushed,
            manifests.c.content_size,
            manifests.c.refers_to,
            manifests.c.served_with,
            pulls.c.last,
            states.c.state,
            states.c.since,
        )
        .join(pulls, pulled, isouter=True)
        .join(states, states.c.digest == manifests.c.digest, isouter=True)
        .where(manifests.c.repository == repository)
    )
    if only:
        query = query.where(manifests.c.digest == only)
    return tx.execute(query).all()


def tag_rows(tx: Transaction, repository: str) -> Sequence[Row]:
    """Tags and what they name."""
    query = sa.select(tags.c.tag, tags.c.digest).where(tags.c.repository == repository).order_by(tags.c.tag)
    return tx.execute(query).all()


def listing_rows(tx: Transaction, repository: str) -> Sequence[Row]:
    """Which manifest of a repository lists which."""
    query = (
        sa.select(parts.c.manifest, parts.c.digest)
        .join(manifests, manifests.c.digest == parts.c.manifest)
        .where(manifests.c.repository == repository, parts.c.role == "manifest")
    )
    return tx.execute(query).all()
