"""The posture that was stated last of each container, so that only a change is stated again."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from lading.state import Transaction, metadata

postures: Final = sa.Table(
    "container_postures",
    metadata,
    sa.Column("container", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
)


class PostureStore:
    """Digests of stated postures."""

    def digest(self, tx: Transaction, container: str) -> str:
        """Of the last stated posture; empty for none."""
        query = sa.select(postures.c.digest).where(postures.c.container == container)
        return tx.execute(query).scalar() or ""

    def put(self, tx: Transaction, container: str, digest: str) -> None:
        """Remember what is stated in this transaction."""
        tx.execute(sa.delete(postures).where(postures.c.container == container))
        tx.execute(sa.insert(postures).values(container=container, digest=digest))

    def forget(self, tx: Transaction, container: str) -> None:
        """The container is gone."""
        tx.execute(sa.delete(postures).where(postures.c.container == container))
