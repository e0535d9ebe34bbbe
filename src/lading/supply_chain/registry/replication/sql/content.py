"""What replication asks of the registry's own tables beyond what the registry asks itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.sql.tables import blob_links, manifests, parts, states, tags

_FEW = 500
_MOST_PLACES = 20


def lock_tag(tx: Transaction, repository: str, tag: str) -> None:
    """Wait for whoever moves the tag, and keep others from moving it; before the ledger is locked, as pushes do."""
    here = (tags.c.repository == repository) & (tags.c.tag == tag)
    tx.execute(sa.select(tags.c.digest).where(here).with_for_update()).first()


def places_of(tx: Transaction, digest: str) -> list[str]:
    """The repositories that hold a manifest."""
    query = sa.select(manifests.c.repository).where(manifests.c.digest == digest)
    return list(tx.execute(query.order_by(manifests.c.repository).limit(1_000)).scalars())


def repositories_with(tx: Transaction, digests: Collection[str]) -> dict[str, list[str]]:
    """For each blob, some repositories that have it."""
    found: dict[str, list[str]] = {}
    listed = list(digests)
    for start in range(0, len(listed), _FEW):
        query = sa.select(blob_links.c.digest, blob_links.c.repository)
        query = query.where(blob_links.c.digest.in_(listed[start : start + _FEW])).order_by(blob_links.c.repository)
        for row in tx.execute(query):
            places = found.setdefault(row.digest, [])
            if len(places) < _MOST_PLACES:
                places.append(row.repository)
    return found


def belonging(tx: Transaction, digest: str) -> Sequence[Any]:
    """Where a manifest is, and what is pulled with it or lists it: repository and digest of each."""
    listing = sa.select(parts.c.manifest).where(parts.c.role == "manifest", parts.c.digest == digest)
    query = sa.select(manifests.c.repository, manifests.c.digest).where(
        sa.or_(
            manifests.c.digest == digest,
            manifests.c.refers_to == digest,
            manifests.c.served_with == digest,
            manifests.c.digest.in_(listing),
        )
    )
    return tx.execute(query.limit(10_000)).all()


def tags_of(tx: Transaction, repository: str, digest: str) -> list[str]:
    """The tags of a manifest."""
    query = sa.select(tags.c.tag).where(tags.c.repository == repository, tags.c.digest == digest)
    return list(tx.execute(query.limit(10_000)).scalars())


def state(tx: Transaction, digest: str) -> sa.Row[Any] | None:
    """The state of an image."""
    return tx.execute(sa.select(states).where(states.c.digest == digest)).first()
