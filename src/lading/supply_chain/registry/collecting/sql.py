"""The statements of garbage collection. Each takes a page of candidates by key, so that no scan is done twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction, metadata
from lading.supply_chain.registry.sql.tables import blob_links, blobs, manifests, parts, repositories

Row = sa.Row[*tuple[Any, ...]]

# One row for each collection: how far it came, so that one that was interrupted goes on there.
collections: Final = sa.Table(
    "registry_collections",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False, comment="what was stored or linked since then stays"),
    sa.Column("ended", sa.Text, nullable=False, server_default=""),
    sa.Column("phase", sa.Text, nullable=False, comment="links, blobs or done"),
    sa.Column(
        "after", sa.Text, nullable=False, server_default="", comment="of the last one: repository, or when stored"
    ),
    sa.Column("digest", sa.Text, nullable=False, server_default="", comment="of the last one"),
    sa.Column("links", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("blobs", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
)


def _is_unused_link() -> sa.ColumnElement[bool]:
    """No manifest of the repository names the blob."""
    user = (
        sa.select(sa.literal(1))
        .select_from(parts.join(manifests, manifests.c.digest == parts.c.manifest))
        .where(parts.c.digest == blob_links.c.digest, manifests.c.repository == blob_links.c.repository)
    )
    return ~user.exists()


def stale_links(tx: Transaction, before: str, after: tuple[str, str], limit: int) -> Sequence[Row]:
    """Links beyond `after` that were last relied on before `before` and that no manifest needs."""
    query = sa.select(blob_links).where(
        sa.tuple_(blob_links.c.repository, blob_links.c.digest) > after,
        blob_links.c.linked < before,
        _is_unused_link(),
    )
    return tx.execute(query.order_by(blob_links.c.repository, blob_links.c.digest).limit(limit)).all()


def drop_links(tx: Transaction, repository: str, digests: Collection[str], before: str) -> int:
    """Drop those links of a repository that are still stale now; returns how many."""
    here = (blob_links.c.repository == repository) & blob_links.c.digest.in_(digests)
    if tx.dialect.name != "sqlite":
        # A push that needs one of them holds it until it is done. The statement after the wait sees what it did.
        tx.execute(sa.select(blob_links.c.digest).where(here).with_for_update()).all()
    gone = sa.delete(blob_links).where(here, blob_links.c.linked < before, _is_unused_link())
    sizes = tx.execute(gone.returning(blob_links.c.size)).scalars().all()
    if sizes:
        this = repositories.c.name == repository
        tx.execute(sa.update(repositories).where(this).values(bytes=repositories.c.bytes - sum(sizes)))
    return len(sizes)


def _is_unused_blob(*, but_links_before: str = "") -> sa.ColumnElement[bool]:
    """Nothing links to the blob, and it is no manifest; links that would be dropped themselves may be left out."""
    link = sa.select(sa.literal(1)).select_from(blob_links).where(blob_links.c.digest == blobs.c.digest)
    if but_links_before:
        link = link.where(~((blob_links.c.linked < but_links_before) & _is_unused_link()))
    manifest = sa.select(sa.literal(1)).select_from(manifests).where(manifests.c.digest == blobs.c.digest)
    return ~link.exists() & ~manifest.exists()


def unused_blobs(
    tx: Transaction, before: str, after: tuple[str, str], limit: int, *, but_links_before: str = ""
) -> Sequence[Row]:
    """Blobs beyond `after` (when stored, digest) that were last stored before `before` and that nothing names.

    In the order in which they were stored, which is how they lie on a disk: in any other order a file system takes many
    times as long to let them go.
    """
    query = sa.select(blobs).where(
        sa.tuple_(blobs.c.stored, blobs.c.digest) > after,
        blobs.c.stored < before,
        _is_unused_blob(but_links_before=but_links_before),
    )
    return tx.execute(query.order_by(blobs.c.stored, blobs.c.digest).limit(limit)).all()


def forget_blobs(tx: Transaction, digests: Collection[str], before: str) -> list[Row]:
    """Delete the rows of those blobs that are still unused now; who wants to store one again waits for the end."""
    here = blobs.c.digest.in_(digests)
    if tx.dialect.name != "sqlite":
        tx.execute(sa.select(blobs.c.digest).where(here).with_for_update()).all()
    gone = sa.delete(blobs).where(here, blobs.c.stored < before, _is_unused_blob())
    rows = list(tx.execute(gone.returning(blobs.c.digest, blobs.c.size)).all())
    if rows:
        tx.execute(sa.delete(parts).where(parts.c.manifest.in_([row.digest for row in rows])))
    return rows


def count_blobs(tx: Transaction) -> int:
    """How many blobs are stored, to show how far a collection is."""
    return int(tx.execute(sa.select(sa.func.count()).select_from(blobs)).scalar_one())


def parts_of(tx: Transaction, digests: Collection[str]) -> set[str]:
    """What manifests are made of."""
    return set(tx.execute(sa.select(parts.c.digest).where(parts.c.manifest.in_(digests))).scalars())


def known_blobs(tx: Transaction, digests: Collection[str]) -> set[str]:
    """Those of some digests that have a row."""
    return set(tx.execute(sa.select(blobs.c.digest).where(blobs.c.digest.in_(digests))).scalars())


def unfinished(tx: Transaction) -> Row | None:
    """The collection that did not end."""
    return tx.execute(sa.select(collections).where(collections.c.ended == "").order_by(collections.c.id)).first()


def recent(tx: Transaction, limit: int) -> Sequence[Row]:
    """Collections, youngest first."""
    return tx.execute(sa.select(collections).order_by(collections.c.id.desc()).limit(limit)).all()


def begin(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Keep that a collection began."""
    tx.execute(sa.insert(collections).values(**values))


def note(tx: Transaction, collection: str, values: Mapping[str, Any]) -> None:
    """Keep how far a collection came."""
    tx.execute(sa.update(collections).where(collections.c.id == collection).values(**values))
