"""Pages of long lists. Each begins where the last one ended (a key, no offset), counts nothing and reads a page.

SQLite chooses an index before it knows how many rows a condition leaves. Where a wrong choice would sort the whole
table, a quick look decides, and a `+` keeps the other index away.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.access import Sight
from lading.supply_chain.registry.sql.reading import CACHE_SUFFIX, repositories_seen
from lading.supply_chain.registry.sql.tables import manifests, parts, pulls, repositories, states, tags

Row = sa.Row[*tuple[Any, ...]]
_FEW: Final = 1_000
_FEW_NAMES: Final = 50
_HEX: Final = re.compile(r"(?:sha(?:256|512):)?([0-9a-f]{12,128})")


class After(NamedTuple):
    """The last image of the page before."""

    pushed: str
    digest: str
    repository: str


def image_page(
    tx: Transaction,
    *,
    teams: Collection[str] | None,
    repository: str,
    state: str,
    text: str,
    unattributed: bool,
    after: After | None,
    limit: int,
) -> Sequence[Row]:
    """What can be run, youngest first, with state and pulls; of some teams, or of all for None."""
    pulled = (pulls.c.repository == manifests.c.repository) & (pulls.c.digest == manifests.c.digest)
    query = (
        sa.select(manifests, states.c.state, states.c.why, states.c.until, pulls.c.times, pulls.c.last)
        .join(states, states.c.digest == manifests.c.digest, isouter=not state)
        .join(pulls, pulled, isouter=True)
        .where(manifests.c.runnable)
    )
    if teams is not None:
        query = query.where(manifests.c.team.in_(teams))
    if repository:
        query = query.where(manifests.c.repository == repository)
    else:
        query = query.where(manifests.c.repository.not_like(f"%{CACHE_SUFFIX}"))
    if state:
        query = query.where(_in_state(tx, state))
    if text:
        query = query.where(_named(tx, text))
    if unattributed:
        query = query.where(manifests.c.principal.not_like("system:%"))
        query = query.where((manifests.c.commit == "") | (manifests.c.pipeline == ""))
    key = (manifests.c.pushed, manifests.c.digest, manifests.c.repository)
    if after is not None:
        query = query.where(manifests.c.pushed <= after.pushed, sa.tuple_(*key) < sa.tuple_(*map(sa.literal, after)))
    return tx.execute(query.order_by(*(column.desc() for column in key)).limit(limit)).all()


def _in_state(tx: Transaction, state: str) -> sa.ColumnElement[bool]:
    """The condition of a state: by the index of states where few are in it, else along the order of the list."""
    some = sa.select(sa.literal(1)).where(states.c.state == state).limit(_FEW + 1).subquery()
    if tx.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() <= _FEW:
        return manifests.c.digest.in_(sa.select(states.c.digest).where(states.c.state == state)) & (
            states.c.state == state
        )
    return _unindexed(tx, states.c.state) == state


def _named(tx: Transaction, text: str) -> sa.ColumnElement[bool]:
    """The condition of what a person typed: the beginning of a digest, a part of a repository's name, or NAME:TAG."""
    if found := _HEX.fullmatch(text):
        start = text if text.startswith("sha") else f"sha256:{found[1]}"
        return (manifests.c.digest >= start) & (manifests.c.digest < start + "g")
    name, _, tag = text.partition(":")
    here = repositories.c.name.contains(name, autoescape=True)
    names = list(tx.execute(sa.select(repositories.c.name).where(here).limit(_FEW_NAMES + 1)).scalars())
    if len(names) <= _FEW_NAMES:
        condition: sa.ColumnElement[bool] = manifests.c.repository.in_(names)
    else:
        condition = manifests.c.repository.contains(name, autoescape=True)
    if tag:
        tagged = sa.select(sa.literal(1)).where(
            tags.c.repository == manifests.c.repository,
            tags.c.digest == manifests.c.digest,
            tags.c.tag.startswith(tag, autoescape=True),
        )
        condition = condition & tagged.exists()
    return condition


def _unindexed(tx: Transaction, column: sa.Column[str]) -> sa.ColumnElement[str]:
    if tx.dialect.name != "sqlite":
        return column
    return sa.literal_column(f"+{column.table.name}.{column.name}", sa.Text())


def some_images(tx: Transaction, digests: Sequence[str]) -> Sequence[Row]:
    """Images by their digests, in every repository that holds them, youngest first, with state and pulls."""
    pulled = (pulls.c.repository == manifests.c.repository) & (pulls.c.digest == manifests.c.digest)
    query = (
        sa.select(manifests, states.c.state, states.c.why, states.c.until, pulls.c.times, pulls.c.last)
        .join(states, states.c.digest == manifests.c.digest, isouter=True)
        .join(pulls, pulled, isouter=True)
        .where(manifests.c.digest.in_(digests), manifests.c.repository.not_like(f"%{CACHE_SUFFIX}"))
    )
    return tx.execute(query.order_by(manifests.c.pushed.desc(), manifests.c.digest, manifests.c.repository)).all()


def tags_of(tx: Transaction, images: Collection[tuple[str, str]], most: int) -> dict[tuple[str, str], list[str]]:
    """The tags of several manifests of repositories, at most so many in all."""
    # Not both columns at once: SQLite has no index for a list of pairs.
    here = tags.c.digest.in_({digest for _repository, digest in images})
    rows = tx.execute(sa.select(tags).where(here).limit(most)).all()
    found: dict[tuple[str, str], list[str]] = {}
    for row in sorted(rows, key=lambda row: str(row.tag)):
        found.setdefault((row.repository, row.digest), []).append(row.tag)
    return found


def count_in_state(tx: Transaction, state: str, most: int) -> int:
    """How many images are in a state; no more than `most` are counted."""
    some = sa.select(sa.literal(1)).where(states.c.state == state).limit(most).subquery()
    return int(tx.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def count_of_team(tx: Transaction, team: str, most: int) -> int:
    """How many images a team has; no more than `most` are counted."""
    mine = sa.select(manifests.c.digest).where(manifests.c.team == team, manifests.c.runnable)
    mine = mine.where(manifests.c.repository.not_like(f"%{CACHE_SUFFIX}"))
    some = mine.distinct().limit(most).subquery()
    return int(tx.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def repository_page(tx: Transaction, sight: Sight, text: str, after: str, limit: int) -> Sequence[Row]:
    """Repositories that somebody may pull from, by name."""
    query = sa.select(repositories).where(repositories.c.name > after, repositories_seen(sight))
    query = query.where(repositories.c.name.not_like(f"%{CACHE_SUFFIX}"))
    if text:
        query = query.where(repositories.c.name.contains(text, autoescape=True))
    return tx.execute(query.order_by(repositories.c.name).limit(limit)).all()


def held(tx: Transaction, names: Collection[str]) -> dict[str, tuple[int, int, int, str]]:
    """Images, tags, pulls and the last pull of some repositories."""
    images, named = _counted(tx, manifests, names, manifests.c.runnable), _counted(tx, tags, names)
    times, last = sa.func.sum(pulls.c.times).label("times"), sa.func.max(pulls.c.last).label("last")
    query = sa.select(pulls.c.repository, times, last)
    query = query.where(pulls.c.repository.in_(names)).group_by(pulls.c.repository)
    pulled = {row.repository: (int(row.times), str(row.last)) for row in tx.execute(query)}
    return {name: (images.get(name, 0), named.get(name, 0), *pulled.get(name, (0, ""))) for name in names}


def _counted(
    tx: Transaction, table: sa.Table, names: Collection[str], *which: sa.ColumnElement[bool]
) -> dict[str, int]:
    query = sa.select(table.c.repository, sa.func.count().label("rows")).where(table.c.repository.in_(names), *which)
    return {row.repository: int(row.rows) for row in tx.execute(query.group_by(table.c.repository))}


def tag_page(tx: Transaction, repository: str, text: str, after: str, limit: int) -> Sequence[Row]:
    """Tags of a repository in lexical order, with what they name, its state and its pulls."""
    named = (manifests.c.repository == tags.c.repository) & (manifests.c.digest == tags.c.digest)
    pulled = (pulls.c.repository == tags.c.repository) & (pulls.c.digest == tags.c.digest)
    query = (
        sa.select(
            tags.c.tag, tags.c.digest, tags.c.moved, manifests.c.content_size, manifests.c.principal,
            manifests.c.artifact_type, states.c.state, states.c.why, states.c.until, pulls.c.times, pulls.c.last,
        )
        .join(manifests, named)
        .join(states, states.c.digest == tags.c.digest, isouter=True)
        .join(pulls, pulled, isouter=True)
        .where(tags.c.repository == repository, tags.c.tag > after)
    )  # fmt: skip
    if text:
        query = query.where(tags.c.tag.contains(text, autoescape=True))
    return tx.execute(query.order_by(tags.c.tag).limit(limit)).all()


def users_of_layer(tx: Transaction, layer: str, limit: int) -> Sequence[Row]:
    """Images of which a blob is a layer: repository, digest, team, size of the layer and its position."""
    query = (
        sa.select(manifests.c.repository, manifests.c.digest, manifests.c.team, parts.c.size, parts.c.position)
        .join(manifests, manifests.c.digest == parts.c.manifest)
        .where(parts.c.digest == layer, parts.c.role == "layer")
    )
    return tx.execute(query.limit(limit)).all()
