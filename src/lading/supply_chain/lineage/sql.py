"""Tables of beginnings: which images begin with which, and which image a tag named when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa

from lading.state import Transaction
from lading.state.schema import metadata

images: Final = sa.Table(
    "lineage_images",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("chain", sa.LargeBinary, nullable=False, comment="chain id of all its layers"),
    sa.Column("layers", sa.Integer, nullable=False),
    sa.Column("created", sa.Text, nullable=False, comment="as its configuration says; empty when that is not true"),
    sa.Column("said_name", sa.Text, nullable=False, comment="the base that it says it is built on"),
    sa.Column("said_digest", sa.Text, nullable=False),
    sa.Index("ix_lineage_images_chain", "chain"),
)
beginnings: Final = sa.Table(
    "lineage_beginnings",
    metadata,
    sa.Column("image", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("chain", sa.LargeBinary, primary_key=True, comment="chain id of some of its first layers, not of all"),
    sa.Index("ix_lineage_beginnings_chain", "chain", "image"),
)
tags: Final = sa.Table(
    "lineage_tags",
    metadata,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False, comment="empty: the tag names it now"),
    sa.Index("ix_lineage_tags_digest", "digest"),
)


class ImageRow(NamedTuple):
    """An image as it is kept."""

    id: int
    digest: str
    chain: bytes
    layers: int
    created: str
    said_name: str
    said_digest: str


class TagRow(NamedTuple):
    """That a tag names an image, or did."""

    repository: str
    tag: str
    digest: str
    since: str
    until: str


class LineageStore:
    """Rows of images, beginnings and tags."""

    def image(self, tx: Transaction, digest: str) -> ImageRow | None:
        """An image, if it is known."""
        row = tx.execute(sa.select(images).where(images.c.digest == digest)).first()
        return ImageRow(*row) if row else None

    def add(self, tx: Transaction, row: ImageRow, chains: Sequence[bytes]) -> None:
        """Keep an image, once; `chains` are those of its beginnings."""
        if self.image(tx, row.digest) is not None:
            return
        values = {name: value for name, value in row._asdict().items() if name != "id"}
        made = tx.execute(sa.insert(images).values(values)).inserted_primary_key
        if chains and made is not None:
            tx.execute(sa.insert(beginnings), [{"image": made[0], "chain": chain} for chain in dict.fromkeys(chains)])

    def begins_with(self, tx: Transaction, image: int) -> list[ImageRow]:
        """The images that an image begins with, that with the most layers first, then the first known."""
        query = (
            sa.select(images)
            .join(beginnings, beginnings.c.chain == images.c.chain)
            .where(beginnings.c.image == image)
            .order_by(images.c.layers.desc(), images.c.id)
        )
        return [ImageRow(*row) for row in tx.execute(query)]

    def count_on(self, tx: Transaction, chain: bytes) -> int:
        """How many images begin with these layers."""
        query = sa.select(sa.func.count()).select_from(beginnings).where(beginnings.c.chain == chain)
        return tx.execute(query).scalar() or 0

    def after(self, tx: Transaction, after: str, limit: int) -> list[str]:
        """Known images by digest, beyond `after`."""
        query = sa.select(images.c.digest).where(images.c.digest > after).order_by(images.c.digest).limit(limit)
        return list(tx.execute(query).scalars())

    def known(self, tx: Transaction, digests: Collection[str]) -> set[str]:
        """Those of some images that are known."""
        return set(tx.execute(sa.select(images.c.digest).where(images.c.digest.in_(digests))).scalars())

    def forget(self, tx: Transaction, digests: Collection[str]) -> None:
        """Images that are no more."""
        ids = sa.select(images.c.id).where(images.c.digest.in_(digests))
        tx.execute(sa.delete(beginnings).where(beginnings.c.image.in_(ids)))
        tx.execute(sa.delete(images).where(images.c.digest.in_(digests)))

    def move_tag(self, tx: Transaction, repository: str, tag: str, digest: str, at: str) -> None:
        """From `at` on a tag names `digest`, or nothing when that is empty."""
        this = (tags.c.repository == repository, tags.c.tag == tag)
        tx.execute(sa.update(tags).where(*this, tags.c.until == "", tags.c.digest != digest).values(until=at))
        if not digest:
            return
        again = sa.update(tags).where(*this, tags.c.digest == digest).values(until="")
        if not tx.execute(again).rowcount:
            row = TagRow(repository, tag, digest, at, "")
            tx.execute(sa.insert(tags).values(row._asdict()))

    def tags_of(self, tx: Transaction, digests: Collection[str]) -> list[TagRow]:
        """The tags that name some of these images or did, by repository and tag."""
        query = sa.select(tags).where(tags.c.digest.in_(digests)).order_by(tags.c.repository, tags.c.tag, tags.c.since)
        return [TagRow(*row) for row in tx.execute(query)]

    def named_by(self, tx: Transaction, repository: str, tag: str) -> str:
        """The image that a tag names now; empty when none."""
        query = sa.select(tags.c.digest).where(tags.c.repository == repository, tags.c.tag == tag, tags.c.until == "")
        return tx.execute(query).scalar() or ""
