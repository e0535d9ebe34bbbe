"""The writing half of the registry: what the push endpoint does.

A manifest is accepted only when everything it names is there. Accepting it, moving its tag, its quarantine and the facts
about all three are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lading.facts import Fact, Ledger
from lading.facts.kinds.supply_chain import ImagePushed, ManifestDeleted, OwnerChanged, TagMoved
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.reference import is_tag
from lading.state import Database, Transaction
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.blobs import BlobStore, UploadStore, check_digest
from lading.supply_chain.registry.errors import (
    BlobUnknown,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
)
from lading.supply_chain.registry.manifest import Manifest, Part, read_manifest
from lading.supply_chain.registry.reading import Reading, check_name
from lading.supply_chain.registry.sql import blob_links, layer_origins, manifests, parts, repositories, tags
from lading.supply_chain.registry.states import ImageStates, State

_REVISION: Final = "org.opencontainers.image.revision"
_PIPELINE: Final = "org.opencontainers.image.source"


class Storage(BlobStore, UploadStore, Protocol):
    """Finished content and content on its way in."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a pushed manifest."""

    digest: Digest
    refers_to: Digest | None
    created: bool


class Registry(Reading):
    """Everything of `Reading`, and the changes."""

    def __init__(
        self, database: Database, ledger: Ledger, storage: Storage, states: ImageStates, clock: Clock | None = None
    ) -> None:
        super().__init__(database, storage)
        self._ledger = ledger
        self._storage = storage
        self._states = states
        self._clock = clock or SystemClock()

    # Blobs on their way in

    def start_upload(self, repository: str) -> str:
        """Begin an upload into a repository; returns its id."""
        check_name(repository)
        return self._storage.start()

    def upload_offset(self, upload: str) -> int:
        """How many bytes an upload has; raises UploadUnknown."""
        return self._storage.offset(upload)

    def append(self, upload: str, chunk: bytes, *, at: int) -> int:
        """Add a chunk; returns the new size; raises UploadUnknown and RangeInvalid."""
        return self._storage.append(upload, chunk, at=at)

    def finish_upload(self, repository: str, upload: str, digest: Digest, visitor: Visitor) -> int:
        """Make an upload a blob of the repository; returns its size; raises UploadUnknown and DigestInvalid."""
        size = self._storage.finish(upload, digest)
        with self._database.write() as tx:
            self._claim(tx, repository, visitor)
            _link(tx, repository, digest, size)
        return size

    def cancel_upload(self, upload: str) -> None:
        """Forget an upload; raises UploadUnknown."""
        self._storage.cancel(upload)

    def mount(self, repository: str, digest: Digest, source: str, visitor: Visitor) -> bool:
        """Make a blob of `source` a blob of `repository` too; False when `source` does not have it."""
        check_name(repository)
        query = sa.select(blob_links.c.size).where(blob_links.c.digest == str(digest))
        query = query.where(blob_links.c.repository == source)
        with self._database.write() as tx:
            size = tx.execute(query.limit(1)).scalar()
            if size is None:
                return False
            self._claim(tx, repository, visitor)
            _link(tx, repository, digest, size)
        return True

    def put_blob(self, repository: str, content: bytes, visitor: Visitor) -> Digest:
        """Keep a small blob at once."""
        digest = Digest.of(content)
        self._storage.put(digest, content)
        with self._database.write() as tx:
            self._claim(tx, repository, visitor)
            _link(tx, repository, digest, len(content))
        return digest

    # Manifests and tags

    def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes, visitor: Visitor) -> Pushed:
        """Accept a manifest under a tag or its digest.

        Raises:
            ManifestInvalid: malformed, or not what `reference` says.
            ManifestBlobUnknown: it names something that was never pushed to this repository.
        """
        check_name(repository)
        by_digest = Digest.parse(reference) if ":" in reference else None
        manifest = read_manifest(body, media_type, by_digest.algorithm if by_digest else "sha256")
        if by_digest is None and not is_tag(reference):
            raise ManifestInvalid(f"{reference[:140]!r} is neither a tag nor a digest.")
        if by_digest is not None:
            check_digest(by_digest, manifest.digest)
        self._check_complete(repository, manifest)
        revision, pipeline = self._revision(manifest)
        self._storage.put(manifest.digest, body)
        with self._database.write() as tx:
            team = self._claim(tx, repository, visitor)
            created = self._keep(tx, repository, manifest, team, visitor, revision, pipeline)
            tag = "" if by_digest else reference
            facts = self._facts(tx, repository, tag, manifest, team, visitor, revision, pipeline, created)
            self._ledger.append(tx, facts, actor=visitor.principal)
            if manifest.refers_to is None and self._states.state_in(tx, manifest.digest) is None:
                self._states.move(
                    tx, manifest.digest, State.QUARANTINED, who=visitor.principal, why="pushed, not judged yet"
                )
        return Pushed(manifest.digest, manifest.refers_to, created)

    def delete_manifest(self, repository: str, digest: Digest, visitor: Visitor) -> None:
        """Remove a manifest and its tags from a repository; raises ManifestUnknown."""
        stored = self.resolve(repository, str(digest))
        with self._database.write() as tx:
            gone = [TagMoved(repository=repository, tag=tag, digest="", previous=str(digest))
                    for tag in _tags_naming(tx, repository, digest)]  # fmt: skip
            here = (tags.c.repository == repository) & (tags.c.digest == str(digest))
            tx.execute(sa.delete(tags).where(here))
            tx.execute(
                sa.delete(manifests).where(manifests.c.repository == repository, manifests.c.digest == str(digest))
            )
            facts: list[Fact] = [*gone, ManifestDeleted(digest=str(stored.digest), repository=repository)]
            self._ledger.append(tx, facts, actor=visitor.principal)

    def delete_tag(self, repository: str, tag: str, visitor: Visitor) -> None:
        """Remove a tag; what it named stays; raises ManifestUnknown."""
        stored = self.resolve(repository, tag)
        with self._database.write() as tx:
            tx.execute(sa.delete(tags).where(tags.c.repository == repository, tags.c.tag == tag))
            fact = TagMoved(repository=repository, tag=tag, digest="", previous=str(stored.digest))
            self._ledger.append(tx, [fact], actor=visitor.principal)

    def delete_blob(self, repository: str, digest: Digest) -> None:
        """Take a blob out of a repository; its bytes stay until garbage collection; raises BlobUnknown."""
        here = (blob_links.c.repository == repository) & (blob_links.c.digest == str(digest))
        with self._database.write() as tx:
            if tx.execute(sa.delete(blob_links).where(here)).rowcount == 0:
                raise BlobUnknown(f"{repository} has no blob {digest}.")

    def change_owner(self, digest: Digest, team: str, *, actor: str) -> None:
        """Give an image to another team; raises ManifestUnknown."""
        with self._database.write() as tx:
            before = tx.execute(sa.select(manifests.c.team).where(manifests.c.digest == str(digest)).limit(1)).scalar()
            if before is None:
                raise ManifestUnknown(f"No image {digest} was ever pushed.")
            tx.execute(sa.update(manifests).where(manifests.c.digest == str(digest)).values(team=team))
            self._ledger.append(tx, [OwnerChanged(digest=str(digest), before=before, team=team)], actor=actor)

    # How it is done

    def _check_complete(self, repository: str, manifest: Manifest) -> None:
        wanted = {str(part.digest): part for part in manifest.parts if not part.foreign}
        with self._database.read() as tx:
            query = sa.select(blob_links.c.digest, blob_links.c.size).where(blob_links.c.repository == repository)
            sizes = {row.digest: row.size for row in tx.execute(query.where(blob_links.c.digest.in_(wanted)))}
            known = sa.select(manifests.c.digest, manifests.c.size).where(manifests.c.repository == repository)
            sizes |= {row.digest: row.size for row in tx.execute(known.where(manifests.c.digest.in_(wanted)))}
        for digest, part in wanted.items():
            if digest not in sizes:
                raise ManifestBlobUnknown(
                    f"The manifest names {part.role} {digest}, which was never pushed to {repository}.",
                    remedy="Push it first; a client that skips it believes wrongly that it is there.",
                )
            if sizes[digest] != part.size:
                raise ManifestInvalid(f"The manifest says {digest} has {part.size} bytes; it has {sizes[digest]}.")

    def _revision(self, manifest: Manifest) -> tuple[str, str]:
        """Commit and pipeline, from the annotations or the labels of the image configuration."""
        known = dict(manifest.annotations)
        config = next(iter(manifest.of_role("config")), None)
        if manifest.is_runnable and config is not None and config.size < 1 << 20:
            with self._storage.open(config.digest) as stream:
                known = _labels(stream) | known
        return known.get(_REVISION, "")[:100], known.get(_PIPELINE, "")[:300]

    def _claim(self, tx: Transaction, repository: str, visitor: Visitor) -> str:
        """The team that owns a repository; the first push claims it for the visitor's team."""
        check_name(repository)
        owner = tx.execute(sa.select(repositories.c.team).where(repositories.c.name == repository)).scalar()
        if owner is None:
            if repository.count("/") > 20:
                raise NameInvalid(f"{repository[:200]!r} has too many parts.", remedy="Use at most 20.")
            owner = visitor.team
            created = timestamp(self._clock.now())
            tx.execute(sa.insert(repositories).values(name=repository, team=owner, created=created))
        return owner

    def _keep(
        self, tx: Transaction, repository: str, manifest: Manifest, team: str, visitor: Visitor, revision: str,
        pipeline: str,
    ) -> bool:  # fmt: skip
        digest = str(manifest.digest)
        here = (manifests.c.repository == repository) & (manifests.c.digest == digest)
        if tx.execute(sa.select(manifests.c.digest).where(here)).first() is not None:
            return False
        config = next(iter(manifest.of_role("config")), None)
        values = {
            "repository": repository,
            "digest": digest,
            "media_type": manifest.media_type,
            "size": manifest.size,
            "content_size": manifest.size + sum(part.size for part in manifest.parts if part.role != "manifest"),
            "config": str(config.digest) if config else "",
            "artifact_type": manifest.artifact_type
            or ("" if manifest.is_runnable or manifest.is_index else "artifact"),
            "refers_to": str(manifest.refers_to) if manifest.refers_to else "",
            "annotations": msgspec.json.encode(manifest.annotations) if manifest.annotations else None,
            "team": team,
            "principal": visitor.principal,
            "commit": revision,
            "pipeline": pipeline,
            "pushed": timestamp(self._clock.now()),
        }
        tx.execute(sa.insert(manifests).values(values))
        _keep_parts(tx, manifest)
        if manifest.is_runnable:
            _keep_origins(tx, repository, manifest, team)
        return True

    def _facts(
        self, tx: Transaction, repository: str, tag: str, manifest: Manifest, team: str, visitor: Visitor,
        revision: str, pipeline: str, created: bool,
    ) -> list[Fact]:  # fmt: skip
        facts: list[Fact] = []
        if created:
            config = next(iter(manifest.of_role("config")), None)
            facts.append(
                ImagePushed(
                    digest=str(manifest.digest),
                    repository=repository,
                    tag=tag,
                    media_type=manifest.media_type,
                    size=manifest.size + sum(part.size for part in manifest.parts),
                    layers=tuple(str(part.digest) for part in manifest.of_role("layer")),
                    config=str(config.digest) if config else "",
                    team=team,
                    principal=visitor.principal,
                    commit=revision,
                    pipeline=pipeline,
                    artifact_type=manifest.artifact_type
                    or ("" if manifest.is_runnable or manifest.is_index else "artifact"),
                    refers_to=str(manifest.refers_to) if manifest.refers_to else "",
                )
            )
        if tag and (moved := _move_tag(tx, repository, tag, manifest.digest, timestamp(self._clock.now()))):
            facts.append(moved)
        return facts


def _labels(stream: IO[bytes]) -> dict[str, str]:
    try:
        document = msgspec.json.decode(stream.read(1 << 20))
        labels = document["config"]["Labels"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return {}
    return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}


def _link(tx: Transaction, repository: str, digest: Digest, size: int) -> None:
    _insert_once(tx, blob_links, [{"repository": repository, "digest": str(digest), "size": size}])


def _keep_parts(tx: Transaction, manifest: Manifest) -> None:
    rows = []
    for role in ("config", "layer", "manifest"):
        for position, part in enumerate(manifest.of_role(role)):
            rows.append(_part_row(manifest.digest, position, part))
    _insert_once(tx, parts, rows)


def _part_row(manifest: Digest, position: int, part: Part) -> dict[str, object]:
    return {
        "manifest": str(manifest),
        "role": part.role,
        "position": position,
        "digest": str(part.digest),
        "media_type": part.media_type,
        "size": part.size,
        "platform": part.platform,
    }


def _keep_origins(tx: Transaction, repository: str, manifest: Manifest, team: str) -> None:
    layers = {str(part.digest) for part in manifest.of_role("layer")}
    rows = [{"layer": layer, "image": str(manifest.digest), "repository": repository, "team": team} for layer in layers]
    _insert_once(tx, layer_origins, rows)


def _move_tag(tx: Transaction, repository: str, tag: str, digest: Digest, now: str) -> TagMoved | None:
    here = (tags.c.repository == repository) & (tags.c.tag == tag)
    previous = tx.execute(sa.select(tags.c.digest).where(here)).scalar()
    if previous == str(digest):
        return None
    if previous is None:
        tx.execute(sa.insert(tags).values(repository=repository, tag=tag, digest=str(digest), moved=now))
    else:
        tx.execute(sa.update(tags).where(here).values(digest=str(digest), moved=now))
    return TagMoved(repository=repository, tag=tag, digest=str(digest), previous=previous or "")


def _tags_naming(tx: Transaction, repository: str, digest: Digest) -> list[str]:
    query = sa.select(tags.c.tag).where(tags.c.repository == repository, tags.c.digest == str(digest))
    return list(tx.execute(query.order_by(tags.c.tag)).scalars())


def _insert_once(tx: Transaction, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert what is not there yet; concurrent pushes of one blob meet here."""
    if rows:
        insert = postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
        tx.execute(insert.on_conflict_do_nothing(), rows)
