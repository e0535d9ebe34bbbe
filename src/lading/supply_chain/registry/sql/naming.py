"""All content that the rows name, as a stream: what a backup has to have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.sql.tables import blob_links, manifests

_AT_ONCE: Final = 5_000


def named_content(tx: Transaction) -> Iterator[tuple[str, int]]:
    """Digest and size of every blob and manifest of every repository, by digest (in the order of its bytes)."""
    both = sa.union(
        sa.select(blob_links.c.digest, blob_links.c.size), sa.select(manifests.c.digest, manifests.c.size)
    ).subquery()
    order = sa.collate(both.c.digest, "C") if tx.dialect.name == "postgresql" else both.c.digest
    query = sa.select(both.c.digest, both.c.size).order_by(order)
    for row in tx.execute(query.execution_options(yield_per=_AT_ONCE)):
        yield row.digest, row.size
