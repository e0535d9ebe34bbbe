"""Who holds how much, and how much space sharing saves."""

from __future__ import annotations

import msgspec

from lading.state import Database
from lading.supply_chain.registry.sql import usage as sql


class RepositoryUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One repository. All sizes in bytes: `logical` is what its manifests would take each by itself, `held` what its
    blobs take, `exclusive` what no other repository has and would come free with it."""

    repository: str
    team: str
    manifests: int
    tags: int
    logical: int
    held: int
    exclusive: int
    pulls: int
    last_pull: str


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The whole registry. `deduplication` is how many times what is stored all images would take."""

    blobs: int
    stored: int
    held: int
    logical: int
    deduplication: float
    repositories: list[RepositoryUsage]


def report(database: Database, *, team: str = "", limit: int = 100) -> Usage:
    """The repositories that hold most, of one team or all, and the sums over everything."""
    with database.read() as tx:
        blobs, stored, held, logical = sql.totals(tx)
        rows = [
            RepositoryUsage(
                repository=row.name,
                team=row.team,
                manifests=row.manifests or 0,
                tags=row.tags or 0,
                logical=int(row.logical or 0),
                held=row.bytes,
                exclusive=sql.exclusive_bytes(tx, row.name),
                pulls=int(row.pulls or 0),
                last_pull=row.last or "",
            )
            for row in sql.repository_usage(tx, team, limit)
        ]
    ratio = round(logical / stored, 2) if stored else 0.0
    return Usage(blobs=blobs, stored=stored, held=held, logical=logical, deduplication=ratio, repositories=rows)
