"""What is asked of the registry's tables to know what the tree should hold. Nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from lading.state import Transaction
from lading.supply_chain.registry.sql.tables import blob_links, manifests, parts, past_tags, repositories, states, tags

Row = sa.Row[Any]
_PAGE: Final = 500


def repository_names(tx: Transaction, after: str) -> list[str]:
    """A page of repositories beyond `after`, by name."""
    query = sa.select(repositories.c.name).where(repositories.c.name > after).order_by(repositories.c.name)
    return list(tx.execute(query.limit(_PAGE)).scalars())


def manifest_digests(tx: Transaction, repository: str, after: str) -> list[str]:
    """A page of the manifests of a repository beyond `after`, by digest."""
    query = sa.select(manifests.c.digest).where(manifests.c.repository == repository, manifests.c.digest > after)
    return list(tx.execute(query.order_by(manifests.c.digest).limit(_PAGE)).scalars())


def linked_parts(tx: Transaction, repository: str, manifest: str) -> list[str]:
    """The blobs of the repository that a manifest is made of; what it has elsewhere (foreign layers) is not among."""
    here = (blob_links.c.repository == repository) & (blob_links.c.digest == parts.c.digest)
    query = sa.select(parts.c.digest).join(blob_links, here).where(parts.c.manifest == manifest)
    return list(tx.execute(query.distinct()).scalars())


def members(tx: Transaction, indexes: Collection[str]) -> set[str]:
    """What indexes list."""
    query = sa.select(parts.c.digest).where(parts.c.manifest.in_(indexes), parts.c.role == "manifest")
    return set(tx.execute(query).scalars())


def attached(tx: Transaction, digests: Collection[str]) -> set[str]:
    """What is pulled with images: their signatures and the like."""
    return set(tx.execute(sa.select(manifests.c.digest).where(manifests.c.served_with.in_(digests))).scalars())


def places(tx: Transaction, digests: Collection[str]) -> set[tuple[str, str]]:
    """In which repositories manifests are."""
    query = sa.select(manifests.c.repository, manifests.c.digest).where(manifests.c.digest.in_(digests))
    return {(row.repository, row.digest) for row in tx.execute(query)}


def predecessors(tx: Transaction, digests: Collection[str]) -> set[tuple[str, str]]:
    """What tags named before they came to name one of `digests`: repository and manifest."""
    here = (tags.c.repository == past_tags.c.repository) & (tags.c.tag == past_tags.c.tag)
    query = sa.select(past_tags.c.repository, past_tags.c.digest).join(tags, here).where(tags.c.digest.in_(digests))
    return {(row.repository, row.digest) for row in tx.execute(query)}


def left_behind(tx: Transaction, repository: str, tag: str) -> set[tuple[str, str]]:
    """What a tag named before: repository and manifest."""
    here = (past_tags.c.repository == repository) & (past_tags.c.tag == tag)
    return {(repository, digest) for digest in tx.execute(sa.select(past_tags.c.digest).where(here)).scalars()}


def ended(tx: Transaction, since: str, until: str) -> Sequence[str]:
    """The images whose approval ran out after `since`, `until` at the latest, and that nobody moved yet."""
    query = sa.select(states.c.digest).where(
        states.c.state == "approved", states.c.until > since, states.c.until <= until
    )
    return list(tx.execute(query).scalars())
