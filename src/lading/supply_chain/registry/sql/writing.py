"""What changes the registry's tables. Each function is one step of a transaction that its caller holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lading.state import Transaction
from lading.supply_chain.registry.sql.reading import CACHE_SUFFIX
from lading.supply_chain.registry.sql.tables import (
    blob_links,
    blobs,
    layer_origins,
    manifests,
    namespaces,
    parts,
    past_tags,
    pulls,
    quotas,
    repositories,
    spool_cursors,
    states,
    tags,
)

# What every pushed blob runs through is made once: making a statement costs more than SQLite needs to carry it out.
_INSERTS: Final[dict[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_LINK: Final = {
    name: insert(blob_links).on_conflict_do_nothing().returning(blob_links.c.digest)
    for name, insert in _INSERTS.items()
}
_GENERATION: Final = (
    sa.select(blobs.c.generation).where(blobs.c.digest == sa.bindparam("wanted")).with_for_update(read=True)
)
_GROW: Final = (
    sa.update(repositories)
    .where(repositories.c.name == sa.bindparam("repository"))
    .values(bytes=repositories.c.bytes + sa.bindparam("by"))
)


def _announcing(insert: Any) -> Any:
    kept = {"stored": insert.excluded.stored, "size": insert.excluded.size}
    return insert.on_conflict_do_update(index_elements=[blobs.c.digest], set_=kept).returning(blobs.c.generation)


_ANNOUNCE: Final = {name: _announcing(insert(blobs)) for name, insert in _INSERTS.items()}


def claim_namespace(tx: Transaction, name: str, team: str, now: str) -> None:
    """Give a namespace to a team, unless it has one."""
    _insert_once(tx, namespaces, [{"name": name, "team": team, "created": now}])


def create_repository(tx: Transaction, name: str, team: str, now: str) -> None:
    """Make a repository of a team, unless it exists. A layer cache is as visible as what it is the cache of."""
    row = {"name": name, "team": team, "created": now}
    if name.endswith(CACHE_SUFFIX):
        query = sa.select(repositories.c.visibility).where(repositories.c.name == name.removesuffix(CACHE_SUFFIX))
        if cached := tx.execute(query).scalar():
            row["visibility"] = cached
    _insert_once(tx, repositories, [row])


def set_visibility(tx: Transaction, names: Collection[str], visibility: str) -> None:
    """Say who may see some repositories."""
    tx.execute(sa.update(repositories).where(repositories.c.name.in_(names)).values(visibility=visibility))


def link_blob(tx: Transaction, repository: str, digest: str, size: int, now: str) -> bool:
    """Say that a repository has a blob; whether that is new."""
    row = {"repository": repository, "digest": digest, "size": size, "linked": now}
    if tx.execute(_LINK[tx.dialect.name], row).first() is None:
        touch_link(tx, repository, digest, now)
        return False
    grow_repository(tx, repository, size)
    return True


def unlink_blob(tx: Transaction, repository: str, digest: str) -> bool:
    """Take a blob out of a repository; whether it was there."""
    here = (blob_links.c.repository == repository) & (blob_links.c.digest == digest)
    size = tx.execute(sa.delete(blob_links).where(here).returning(blob_links.c.size)).scalar()
    if size is not None:
        grow_repository(tx, repository, -size)
    return size is not None


def grow_repository(tx: Transaction, repository: str, by: int) -> None:
    """Count the bytes of a repository's blobs."""
    tx.execute(_GROW, {"repository": repository, "by": by})


def announce_blob(tx: Transaction, digest: str, size: int, now: str, generation: str) -> str:
    """Say that a blob is about to be stored; returns its generation. Waits for a collection of the same blob."""
    row = {"digest": digest, "size": size, "stored": now, "generation": generation}
    return str(tx.execute(_ANNOUNCE[tx.dialect.name], row).scalar_one())


def blob_generation(tx: Transaction, digest: str) -> str | None:
    """The generation of a stored blob, which nobody collects until the transaction ends; None when it is gone."""
    return tx.execute(_GENERATION, {"wanted": digest}).scalar()


def own_generation(tx: Transaction, digest: str) -> str | None:
    """As `blob_generation`, and nobody else gets past here with the same content until the transaction ends.

    Pushes of one manifest take turns: the second one finds what the first one kept.
    """
    return tx.execute(sa.select(blobs.c.generation).where(blobs.c.digest == digest).with_for_update()).scalar()


def hold_parts(tx: Transaction, repository: str, digests: Collection[str]) -> None:
    """Keep those blobs and manifests in the repository until the transaction ends. SQLite has one writer anyway."""
    if tx.dialect.name == "sqlite" or not digests:
        return
    for table in (blob_links, manifests):
        query = sa.select(table.c.digest).where(table.c.repository == repository, table.c.digest.in_(digests))
        tx.execute(query.with_for_update(read=True)).all()


def shut_out_pushes(tx: Transaction, repository: str) -> None:
    """Let nobody name a manifest of the repository until the transaction ends. SQLite has one writer anyway."""
    if tx.dialect.name != "sqlite":
        query = sa.select(manifests.c.digest).where(manifests.c.repository == repository)
        tx.execute(query.with_for_update()).all()


def touch_link(tx: Transaction, repository: str, digest: str, now: str) -> None:
    """Note that somebody relies on a blob of a repository."""
    here = (blob_links.c.repository == repository) & (blob_links.c.digest == digest)
    tx.execute(sa.update(blob_links).where(here).values(linked=now))


def insert_manifest(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Keep what is known of a manifest; it must be new to its repository."""
    tx.execute(sa.insert(manifests).values(**values))


def keep_parts(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what a manifest is made of, once."""
    _insert_once(tx, parts, rows)


def keep_origins(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep who brought the layers of an image, lowest first.

    Layers belong to the smallest base: what is known already changes only when the image is a base of the one that the
    layers were known to come with, that is, has its lowest layers and no others.
    """
    if not rows:
        return
    _insert_once(tx, layer_origins, rows)
    layers, first = [row["layer"] for row in rows], rows[0]
    here = layer_origins.c.layer.in_(layers) & (layer_origins.c.layers > len(layers))
    for image in tx.execute(sa.select(layer_origins.c.image).where(here).distinct()).scalars().all():
        query = sa.select(parts.c.digest).where(parts.c.manifest == image, parts.c.role == "layer")
        lowest = tx.execute(query.order_by(parts.c.position).limit(len(layers))).scalars().all()
        if list(lowest) == layers:
            values = {name: first[name] for name in ("image", "repository", "team", "layers")}
            tx.execute(sa.update(layer_origins).where(here, layer_origins.c.image == image).values(values))


def delete_manifest(tx: Transaction, repository: str, digest: str) -> bool:
    """Remove a manifest and its tags from a repository; whether it was there."""
    tx.execute(sa.delete(tags).where(tags.c.repository == repository, tags.c.digest == digest))
    tx.execute(sa.delete(past_tags).where(past_tags.c.repository == repository, past_tags.c.digest == digest))
    here = (manifests.c.repository == repository) & (manifests.c.digest == digest)
    return tx.execute(sa.delete(manifests).where(here)).rowcount > 0


def set_tag(tx: Transaction, repository: str, tag: str, digest: str, now: str) -> str:
    """Point a tag at a manifest, and remember the one that it named before; returns that, empty for a new tag.

    Whoever moves the same tag at once waits, and finds what this transaction leaves.
    """
    empty = _insert(tx, tags).values(repository=repository, tag=tag, digest="", moved=now, folded=tag.lower())
    held = empty.on_conflict_do_update(index_elements=list(tags.primary_key), set_={"tag": tag})
    previous = str(tx.execute(held.returning(tags.c.digest)).scalar_one())
    if previous == digest:
        return previous
    if previous:
        left = {"repository": repository, "digest": previous, "tag": tag, "left": now}
        insert = _insert(tx, past_tags).values(**left)
        tx.execute(insert.on_conflict_do_update(index_elements=list(past_tags.primary_key), set_={"left": now}))
    here = (tags.c.repository == repository) & (tags.c.tag == tag)
    tx.execute(sa.update(tags).where(here).values(digest=digest, moved=now))
    return previous


def delete_tag(tx: Transaction, repository: str, tag: str) -> None:
    """Remove a tag."""
    tx.execute(sa.delete(tags).where(tags.c.repository == repository, tags.c.tag == tag))


def set_quota(tx: Transaction, team: str, most: int) -> None:
    """Keep how many bytes a team's repositories may hold; below 0: as many as they like."""
    tx.execute(sa.delete(quotas).where(quotas.c.team == team))
    if most >= 0:
        tx.execute(sa.insert(quotas).values(team=team, bytes=most))


def image_team(tx: Transaction, digest: str) -> str | None:
    """The team that an image belongs to."""
    return tx.execute(sa.select(manifests.c.team).where(manifests.c.digest == digest).limit(1)).scalar()


def set_image_team(tx: Transaction, digest: str, team: str) -> None:
    """Give an image to a team, wherever it lies."""
    tx.execute(sa.update(manifests).where(manifests.c.digest == digest).values(team=team))


def locked_state(tx: Transaction, digest: str) -> sa.Row[Any] | None:
    """The state of an image; nobody else moves it until the transaction ends."""
    return tx.execute(sa.select(states).where(states.c.digest == digest).with_for_update()).first()


def save_state(tx: Transaction, digest: str, values: Mapping[str, Any]) -> None:
    """Keep the state of an image."""
    if tx.execute(sa.update(states).where(states.c.digest == digest).values(**values)).rowcount == 0:
        tx.execute(sa.insert(states).values(digest=digest, **values))


def add_pulls(tx: Transaction, repository: str, digest: str, times: int, last: str) -> None:
    """Count pulls of a manifest."""
    here = (pulls.c.repository == repository) & (pulls.c.digest == digest)
    if tx.execute(sa.update(pulls).where(here).values(times=pulls.c.times + times, last=last)).rowcount == 0:
        tx.execute(sa.insert(pulls).values(repository=repository, digest=digest, times=times, last=last))


def cursors(tx: Transaction) -> dict[str, int]:
    """How far each spool file was taken in."""
    return {row.file: row.offset for row in tx.execute(sa.select(spool_cursors))}


def save_cursor(tx: Transaction, file: str, offset: int) -> None:
    """Keep how far a spool file was taken in."""
    here = spool_cursors.c.file == file
    if tx.execute(sa.update(spool_cursors).where(here).values(offset=offset)).rowcount == 0:
        tx.execute(sa.insert(spool_cursors).values(file=file, offset=offset))


def drop_cursors(tx: Transaction, files: Sequence[str]) -> None:
    """Forget spool files that are gone."""
    tx.execute(sa.delete(spool_cursors).where(spool_cursors.c.file.in_(files)))


def _insert_once(tx: Transaction, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert what is not there yet; concurrent pushes of one blob meet here."""
    if rows:
        tx.execute(_insert(tx, table).on_conflict_do_nothing(), rows)


def _insert(tx: Transaction, table: sa.Table) -> Any:
    return _INSERTS[tx.dialect.name](table)
