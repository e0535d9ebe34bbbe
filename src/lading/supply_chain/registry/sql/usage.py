"""What is asked about space: by team, by repository, and how much is shared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.sql.tables import blob_links, blobs, manifests, pulls, quotas, repositories, tags

Row = sa.Row[*tuple[Any, ...]]

_USED: Final = sa.select(sa.func.coalesce(sa.func.sum(repositories.c.bytes), 0)).where(
    repositories.c.team == quotas.c.team
)
# Every pushed blob asks for it: made once.
_QUOTA: Final = sa.select(quotas.c.bytes.label("most"), _USED.scalar_subquery().label("used")).where(
    quotas.c.team == sa.bindparam("wanted")
)


def quota_of(tx: Transaction, team: str) -> Row | None:
    """What a team with a quota may hold (`most`) and holds (`used`)."""
    return tx.execute(_QUOTA, {"wanted": team}).first()


def quota_rows(tx: Transaction) -> Sequence[Row]:
    """Teams with what they hold and may hold, those that hold most first."""
    held = sa.select(repositories.c.team, sa.func.sum(repositories.c.bytes).label("used")).group_by(repositories.c.team)
    teams = sa.union(sa.select(repositories.c.team), sa.select(quotas.c.team)).subquery()
    sums = held.subquery()
    query = (
        sa.select(teams.c.team, sums.c.used, quotas.c.bytes.label("most"))
        .join(sums, sums.c.team == teams.c.team, isouter=True)
        .join(quotas, quotas.c.team == teams.c.team, isouter=True)
    )
    return tx.execute(query.order_by(sums.c.used.desc(), teams.c.team)).all()


def repository_usage(tx: Transaction, team: str, limit: int) -> Sequence[Row]:
    """Repositories, those that hold most first: images, what they would take each by itself, blobs, pulls."""
    held = (
        sa.select(
            manifests.c.repository,
            sa.func.count().label("manifests"),
            sa.func.sum(manifests.c.content_size).label("logical"),
        )
        .group_by(manifests.c.repository)
        .subquery()
    )
    named = sa.select(tags.c.repository, sa.func.count().label("tags")).group_by(tags.c.repository).subquery()
    pulled = (
        sa.select(
            pulls.c.repository, sa.func.sum(pulls.c.times).label("pulls"), sa.func.max(pulls.c.last).label("last")
        )
        .group_by(pulls.c.repository)
        .subquery()
    )
    query = sa.select(
        repositories.c.name, repositories.c.team, repositories.c.bytes,
        held.c.manifests, held.c.logical, named.c.tags, pulled.c.pulls, pulled.c.last,
    )  # fmt: skip
    for other in (held, named, pulled):
        query = query.join(other, other.c.repository == repositories.c.name, isouter=True)
    if team:
        query = query.where(repositories.c.team == team)
    return tx.execute(query.order_by(repositories.c.bytes.desc(), repositories.c.name).limit(limit)).all()


def exclusive_bytes(tx: Transaction, repository: str) -> int:
    """Bytes that would come free if the repository went: of blobs that no other repository has."""
    other = blob_links.alias()
    elsewhere = sa.select(sa.literal(1)).where(
        other.c.digest == blob_links.c.digest, other.c.repository != blob_links.c.repository
    )
    query = sa.select(sa.func.coalesce(sa.func.sum(blob_links.c.size), 0))
    return int(tx.execute(query.where(blob_links.c.repository == repository, ~elsewhere.exists())).scalar_one())


def totals(tx: Transaction) -> tuple[int, int, int, int]:
    """Blobs stored, their bytes, bytes that repositories hold, and bytes that all images would take by themselves."""
    stored = tx.execute(sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(blobs.c.size), 0))).one()
    held = tx.execute(sa.select(sa.func.coalesce(sa.func.sum(repositories.c.bytes), 0))).scalar_one()
    logical = tx.execute(sa.select(sa.func.coalesce(sa.func.sum(manifests.c.content_size), 0))).scalar_one()
    return int(stored[0]), int(stored[1]), int(held), int(logical)
