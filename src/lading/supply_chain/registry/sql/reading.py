"""What is asked of the registry's tables. Nothing here writes; the pull endpoint loads this and not `writing`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.access import Sight, Visibility
from lading.supply_chain.registry.sql.tables import (
    blob_links,
    blobs,
    layer_origins,
    manifests,
    namespaces,
    parts,
    past_tags,
    repositories,
    states,
    tags,
)

Row = sa.Row[Any]
# Builds keep their layer caches in repositories of this name; they are no images that anybody runs.
CACHE_SUFFIX: Final = "/build-cache"
_MOST_SUCCESSORS: Final = 20

# Every request asks for these: made once.
_PLACE: Final = sa.select(repositories.c.team, repositories.c.visibility).where(
    repositories.c.name == sa.bindparam("wanted")
)


def owner(tx: Transaction, repository: str) -> str:
    """The team that owns a repository, or else its namespace; empty when nobody does."""
    found = tx.execute(sa.select(repositories.c.team).where(repositories.c.name == repository)).scalar()
    return found if found is not None else namespace_owner(tx, repository)


def namespace_owner(tx: Transaction, repository: str) -> str:
    """The team that owns the first component of a repository's name; empty when nobody does."""
    query = sa.select(namespaces.c.team).where(namespaces.c.name == repository.partition("/")[0])
    return str(tx.execute(query).scalar() or "")


def place(tx: Transaction, repository: str) -> tuple[str, str] | None:
    """The team and the visibility of a repository; None when there is none."""
    row = tx.execute(_PLACE, {"wanted": repository}).first()
    return None if row is None else (row.team, row.visibility)


def repository_rows(tx: Transaction, sight: Sight, after: str, limit: int) -> Sequence[Row]:
    """The repositories that somebody may pull from, by name."""
    query = (
        sa.select(repositories)
        .where(repositories.c.name > after, repositories_seen(sight))
        .order_by(repositories.c.name)
    )
    return tx.execute(query.limit(limit)).all()


def repositories_seen(sight: Sight) -> sa.ColumnElement[bool]:
    """The rule of `Sight.sees` for repositories that exist."""
    if sight.everything:
        return sa.true()
    shown = [
        visibility
        for visibility, seen in ((Visibility.INTERNAL, sight.internal), (Visibility.PUBLIC, sight.public))
        if seen
    ]
    either: list[sa.ColumnElement[bool]] = [repositories.c.visibility.in_(shown), repositories.c.team.in_(sight.teams)]
    for team, pattern in sight.narrowed:
        named = repositories.c.name.like(repository_like(pattern), escape="\\")
        either.append(named if team == "*" else named & (repositories.c.team == team))
    return sa.or_(*either)


def repository_like(pattern: str) -> str:
    """A pattern of repository names as LIKE takes it, with a backslash to escape."""
    return pattern.replace("_", "\\_").replace("*", "%")


def repository_exists(tx: Transaction, repository: str) -> bool:
    """Whether anything was ever pushed to it."""
    return tx.execute(sa.select(repositories.c.name).where(repositories.c.name == repository)).first() is not None


def tagged(tx: Transaction, repository: str, tag: str) -> str | None:
    """The digest under a tag."""
    query = sa.select(tags.c.digest).where(tags.c.repository == repository, tags.c.tag == tag)
    return tx.execute(query).scalar()


def tag_names(tx: Transaction, repository: str, after: str, limit: int | None) -> list[str]:
    """Tags in lexical order, which the specification wants to be that of letters whatever their case."""
    query = sa.select(tags.c.tag).where(tags.c.repository == repository)
    if after:
        key = sa.tuple_(sa.literal(after.lower()), sa.literal(after))
        query = query.where(sa.tuple_(tags.c.folded, tags.c.tag) > key)
    return list(tx.execute(query.order_by(tags.c.folded, tags.c.tag).limit(limit)).scalars())


def tags_naming(tx: Transaction, repository: str, digest: str) -> list[str]:
    """The tags of one manifest."""
    query = sa.select(tags.c.tag).where(tags.c.repository == repository, tags.c.digest == digest)
    return list(tx.execute(query.order_by(tags.c.tag)).scalars())


def tags_of(tx: Transaction, images: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """The tags of several manifests of repositories."""
    found: dict[tuple[str, str], list[str]] = {}
    here = tags.c.digest.in_({digest for _repository, digest in images})
    for row in tx.execute(sa.select(tags).where(here).order_by(tags.c.tag)):
        found.setdefault((row.repository, row.digest), []).append(row.tag)
    return found


def manifest(tx: Transaction, repository: str, digest: str) -> Row | None:
    """What is known of a manifest of a repository."""
    query = sa.select(manifests).where(manifests.c.repository == repository, manifests.c.digest == digest)
    return tx.execute(query).first()


def first_repository(tx: Transaction, digest: str) -> str | None:
    """The repository that a manifest was pushed to first; one that keeps layer caches only when there is no other."""
    query = sa.select(manifests.c.repository).where(manifests.c.digest == digest)
    is_cache = sa.case((manifests.c.repository.like(f"%{CACHE_SUFFIX}"), 1), else_=0)
    return tx.execute(query.order_by(is_cache, manifests.c.pushed, manifests.c.repository).limit(1)).scalar()


def images(tx: Transaction, repository: str, digest: str, limit: int) -> Sequence[Row]:
    """What can be run, youngest first; of one repository and one digest where they are given.

    Layer caches of builds look like images; they are shown only when their repository or digest is asked for.
    """
    query = sa.select(manifests).where(manifests.c.runnable)
    if not repository and not digest:
        query = query.where(manifests.c.repository.not_like(f"%{CACHE_SUFFIX}"))
    if repository:
        query = query.where(manifests.c.repository == repository)
    if digest:
        query = query.where(manifests.c.digest == digest)
    order = [manifests.c.pushed.desc(), manifests.c.digest]
    if digest:
        order.insert(0, sa.case((manifests.c.repository.like(f"%{CACHE_SUFFIX}"), 1), else_=0))
    return tx.execute(query.order_by(*order).limit(limit)).all()


def referrers(
    tx: Transaction, repository: str, subject: str, artifact_type: str, after: str, limit: int
) -> Sequence[Row]:
    """The manifests whose subject is `subject`, by digest: digest, and bytes of annotations."""
    size = sa.func.coalesce(sa.func.length(manifests.c.annotations), 0).label("bytes")
    query: sa.Select[Any] = sa.select(manifests.c.digest, size)
    query = query.where(manifests.c.repository == repository, manifests.c.refers_to == subject)
    query = query.where(manifests.c.digest > after)
    if artifact_type:
        query = query.where(manifests.c.artifact_type == artifact_type)
    return tx.execute(query.order_by(manifests.c.digest).limit(limit)).all()


def manifest_rows(tx: Transaction, repository: str, digests: Collection[str]) -> Sequence[Row]:
    """Several manifests of a repository, by digest."""
    query = sa.select(manifests).where(manifests.c.repository == repository, manifests.c.digest.in_(digests))
    return tx.execute(query.order_by(manifests.c.digest)).all()


def subject_like(tx: Transaction, repository: str, beginning: str) -> str | None:
    """A subject that manifests of the repository refer to, by the beginning of its digest."""
    query = sa.select(manifests.c.refers_to).where(
        manifests.c.repository == repository,
        manifests.c.refers_to >= beginning,
        manifests.c.refers_to < beginning + "g",
    )
    return tx.execute(query.order_by(manifests.c.refers_to).limit(1)).scalar()


def repositories_with(tx: Transaction, sight: Sight, digest: str, limit: int) -> list[str]:
    """The repositories that have a blob, of those that somebody may pull from."""
    query = (
        sa.select(blob_links.c.repository)
        .join(repositories, repositories.c.name == blob_links.c.repository)
        .where(blob_links.c.digest == digest, repositories_seen(sight))
    )
    return list(tx.execute(query.order_by(blob_links.c.repository).limit(limit)).scalars())


def part_rows(tx: Transaction, digest: str, role: str) -> Sequence[Row]:
    """The parts of a manifest in one role, in order."""
    query = sa.select(parts).where(parts.c.manifest == digest, parts.c.role == role)
    return tx.execute(query.order_by(parts.c.position)).all()


def member_rows(tx: Transaction, indexes: Collection[str], limit: int) -> Sequence[Row]:
    """What some indexes list, in order."""
    query = sa.select(parts).where(parts.c.manifest.in_(indexes), parts.c.role == "manifest")
    return tx.execute(query.order_by(parts.c.manifest, parts.c.position).limit(limit)).all()


def successors(tx: Transaction, repository: str, digest: str) -> Sequence[Row]:
    """Where tags went that named a manifest before: tag, digest and its state, the last to leave first."""
    here = (tags.c.repository == past_tags.c.repository) & (tags.c.tag == past_tags.c.tag)
    query = (
        sa.select(tags.c.tag, *states.c)
        .select_from(past_tags)
        .join(tags, here)
        .join(states, states.c.digest == tags.c.digest)
        .where(past_tags.c.repository == repository, past_tags.c.digest == digest, tags.c.digest != digest)
    )
    return tx.execute(query.order_by(past_tags.c.left.desc(), tags.c.tag).limit(_MOST_SUCCESSORS)).all()


def blob_size(tx: Transaction, repository: str, digest: str) -> int | None:
    """The size of a blob of a repository."""
    query = sa.select(blob_links.c.size).where(blob_links.c.repository == repository, blob_links.c.digest == digest)
    return tx.execute(query).scalar()


def blob_link(tx: Transaction, repository: str, digest: str) -> Row | None:
    """What is known of a blob of a repository."""
    query = sa.select(blob_links).where(blob_links.c.repository == repository, blob_links.c.digest == digest)
    return tx.execute(query).first()


def sizes(tx: Transaction, repository: str, digests: Collection[str]) -> dict[str, int]:
    """The sizes of those digests that the repository has, as blobs or as manifests."""
    found: dict[str, int] = {}
    for table in (blob_links, manifests):
        query = sa.select(table.c.digest, table.c.size).where(table.c.repository == repository)
        found |= {row.digest: row.size for row in tx.execute(query.where(table.c.digest.in_(digests)))}
    return found


def users_of_blob(tx: Transaction, repository: str, digest: str, limit: int) -> list[str]:
    """The manifests of a repository that name a blob; approved ones first, then the youngest."""
    query = (
        sa.select(manifests.c.digest)
        .join(parts, parts.c.manifest == manifests.c.digest)
        .join(states, states.c.digest == manifests.c.digest, isouter=True)
        .where(manifests.c.repository == repository, parts.c.digest == digest)
        .order_by(sa.case((states.c.state == "approved", 0), else_=1), manifests.c.pushed.desc())
    )
    return list(dict.fromkeys(tx.execute(query.limit(limit)).scalars()))


def served_with(tx: Transaction, digests: Collection[str], limit: int) -> set[str]:
    """The images that manifests are signatures, attestations or the like of."""
    query = sa.select(manifests.c.served_with).where(manifests.c.digest.in_(digests), manifests.c.served_with != "")
    return set(tx.execute(query.distinct().limit(limit)).scalars())


def indexes_of(tx: Transaction, digests: Collection[str], limit: int) -> set[str]:
    """The indexes that list manifests."""
    query = sa.select(parts.c.manifest).where(parts.c.digest.in_(digests), parts.c.role == "manifest")
    return set(tx.execute(query.distinct().limit(limit)).scalars())


def origin(tx: Transaction, layer: str) -> sa.Row[*tuple[Any, ...]] | None:
    """Who brought a layer, with the team that owns that image now."""
    here = (manifests.c.repository == layer_origins.c.repository) & (manifests.c.digest == layer_origins.c.image)
    team = sa.func.coalesce(manifests.c.team, layer_origins.c.team).label("team")
    query = sa.select(layer_origins.c.image, layer_origins.c.repository, team)
    return tx.execute(query.join(manifests, here, isouter=True).where(layer_origins.c.layer == layer)).first()


def kept_manifests(tx: Transaction, digests: Collection[str]) -> set[str]:
    """Those of some digests that are manifests of a repository."""
    return set(tx.execute(sa.select(manifests.c.digest).where(manifests.c.digest.in_(digests)).distinct()).scalars())


def kept_blobs(tx: Transaction, digests: Collection[str]) -> set[str]:
    """Those of some digests that are stored."""
    return set(tx.execute(sa.select(blobs.c.digest).where(blobs.c.digest.in_(digests))).scalars())


def state_rows(tx: Transaction, digests: Collection[str]) -> Sequence[Row]:
    """The states of some images."""
    return tx.execute(sa.select(states).where(states.c.digest.in_(digests))).all()


def rows_in_state(tx: Transaction, state: str, limit: int) -> Sequence[Row]:
    """The images in a state, the latest to enter it first."""
    query = sa.select(states).where(states.c.state == state).order_by(states.c.since.desc(), states.c.digest)
    return tx.execute(query.limit(limit)).all()


def rows_running_out(tx: Transaction, state: str, until: str, limit: int) -> Sequence[Row]:
    """The images whose state ends before a moment, the first to end first."""
    query = sa.select(states).where(states.c.state == state, states.c.until > "", states.c.until <= until)
    return tx.execute(query.order_by(states.c.until, states.c.digest).limit(limit)).all()
