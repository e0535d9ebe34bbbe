"""What changes the registry's tables. Each function is one step of a transaction that its caller holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lading.state import Transaction
from lading.supply_chain.registry.sql.tables import (
    blob_links,
    layer_origins,
    manifests,
    namespaces,
    parts,
    repositories,
    spool_cursors,
    states,
    tags,
)


def claim_namespace(tx: Transaction, name: str, team: str, now: str) -> None:
    """Give a namespace to a team, unless it has one."""
    _insert_once(tx, namespaces, [{"name": name, "team": team, "created": now}])


def create_repository(tx: Transaction, name: str, team: str, now: str) -> None:
    """Make a repository of a team, unless it exists."""
    _insert_once(tx, repositories, [{"name": name, "team": team, "created": now}])


def link_blob(tx: Transaction, repository: str, digest: str, size: int) -> None:
    """Say that a repository has a blob."""
    _insert_once(tx, blob_links, [{"repository": repository, "digest": digest, "size": size}])


def unlink_blob(tx: Transaction, repository: str, digest: str) -> bool:
    """Take a blob out of a repository; whether it was there."""
    here = (blob_links.c.repository == repository) & (blob_links.c.digest == digest)
    return tx.execute(sa.delete(blob_links).where(here)).rowcount > 0


def insert_manifest(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Keep what is known of a manifest; it must be new to its repository."""
    tx.execute(sa.insert(manifests).values(**values))


def keep_parts(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what a manifest is made of, once."""
    _insert_once(tx, parts, rows)


def keep_origins(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep who brought layers; for one that is known already nothing changes."""
    _insert_once(tx, layer_origins, rows)


def delete_manifest(tx: Transaction, repository: str, digest: str) -> bool:
    """Remove a manifest and its tags from a repository; whether it was there."""
    tx.execute(sa.delete(tags).where(tags.c.repository == repository, tags.c.digest == digest))
    here = (manifests.c.repository == repository) & (manifests.c.digest == digest)
    return tx.execute(sa.delete(manifests).where(here)).rowcount > 0


def set_tag(tx: Transaction, repository: str, tag: str, digest: str, now: str) -> None:
    """Point a tag at a manifest."""
    here = (tags.c.repository == repository) & (tags.c.tag == tag)
    if tx.execute(sa.update(tags).where(here).values(digest=digest, moved=now)).rowcount == 0:
        tx.execute(sa.insert(tags).values(repository=repository, tag=tag, digest=digest, moved=now))


def delete_tag(tx: Transaction, repository: str, tag: str) -> None:
    """Remove a tag."""
    tx.execute(sa.delete(tags).where(tags.c.repository == repository, tags.c.tag == tag))


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
        insert = postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
        tx.execute(insert.on_conflict_do_nothing(), rows)
