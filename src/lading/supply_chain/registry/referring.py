"""What refers to a manifest, as an image index: pages of the referrers API, and the tag that stands in for it.

Clients that know no referrers API look under a tag made from the digest, and some keep an index there themselves (OCI
distribution 1.1, "Referrers Tag Schema"). Both ways show the same here: what such an index lists is in the API because
it names its subject, and the tag answers with all that the API knows, whether somebody keeps it or not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from lading.kernel.digest import Digest
from lading.state import Transaction
from lading.supply_chain.registry.manifest import INDEXES, OCI_INDEX
from lading.supply_chain.registry.sql import reading as sql

MOST_REFERRERS: Final = 1_000
# As large as a manifest that is taken, so that whoever reads manifests can read a page.
MOST_PAGE_BYTES: Final = 4 << 20
_DESCRIPTOR_BYTES: Final = 512
_SCHEMA: Final = re.compile(r"(sha256|sha512)-([0-9a-f]{64})")


class Page(NamedTuple):
    """Descriptors of what refers to a manifest, by digest, and whether there are more."""

    manifests: list[dict[str, Any]]
    more: bool


class StandIn(NamedTuple):
    """The index that a tag of the schema answers with, and what it is about."""

    subject: Digest
    body: bytes


def is_schema_tag(tag: str) -> bool:
    """Whether a tag has the form of the referrers tag schema."""
    return _SCHEMA.fullmatch(tag) is not None


def page(
    tx: Transaction, repository: str, subject: Digest, artifact_type: str = "", *, after: str = "", limit: int
) -> Page:
    """At most `limit` descriptors beyond digest `after`, and about 4 MiB of them unless a single one is larger."""
    found = sql.referrers(tx, repository, str(subject), artifact_type, after, limit + 1)
    chosen = _fitting(found[:limit])
    rows = sql.manifest_rows(tx, repository, chosen) if chosen else ()
    return Page([_descriptor(row) for row in rows], len(chosen) < len(found))


def index_of(manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An image index of descriptors."""
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(manifests)}


def stand_in(tx: Transaction, repository: str, tag: str, kept: str) -> StandIn | None:
    """What a tag of the schema answers with when nobody keeps it, or when what is kept there lacks some referrers.

    Args:
        kept: the digest of the index that somebody keeps under the tag, whose list is taken along; empty for none.

    Returns:
        None when nothing refers to the subject, or when what is kept says it all and is to be served as it is.
    """
    subject = _subject(tx, repository, tag)
    if subject is None:
        return None
    referring = page(tx, repository, subject, limit=MOST_REFERRERS).manifests
    digests = {one["digest"] for one in referring}
    listed: set[str] = set()
    if kept:
        row = sql.manifest(tx, repository, kept)
        if row is None or row.media_type not in INDEXES:
            return None
        listed = {part.digest for part in sql.part_rows(tx, kept, "manifest")}
        if digests <= listed:
            return None
    more = sorted(listed - digests)[: MOST_REFERRERS - len(digests)]
    referring += [_descriptor(row) for row in sql.manifest_rows(tx, repository, more)] if more else []
    return StandIn(subject, msgspec.json.encode(index_of(referring)))


def _subject(tx: Transaction, repository: str, tag: str) -> Digest | None:
    """The manifest that a tag of the schema is about; its digest is cut to 64 digits there."""
    parts = _SCHEMA.fullmatch(tag)
    found = sql.subject_like(tx, repository, f"{parts[1]}:{parts[2]}") if parts else None
    return Digest.parse(found) if found else None


def _fitting(found: Sequence[sql.Row]) -> list[str]:
    chosen: list[str] = []
    left = MOST_PAGE_BYTES
    for row in found:
        left -= row.bytes + _DESCRIPTOR_BYTES
        if chosen and left < 0:
            break
        chosen.append(row.digest)
    return chosen


def _descriptor(row: sql.Row) -> dict[str, Any]:
    found: dict[str, Any] = {"mediaType": row.media_type, "digest": row.digest, "size": row.size}
    if row.artifact_type:
        found["artifactType"] = row.artifact_type
    if row.annotations:
        found["annotations"] = msgspec.json.decode(row.annotations)
    return found
