"""The read-only half of the registry: all that the pull endpoint may load. No code here can write.

A test holds that this module, and what it imports, reaches nothing that writes.
"""

from __future__ import annotations

from typing import IO, Any, Final, NamedTuple, Protocol

import msgspec
import sqlalchemy as sa

from lading.kernel.digest import Digest
from lading.kernel.reference import is_repository_name, is_tag
from lading.state import Database, Transaction
from lading.supply_chain.registry.errors import BlobUnknown, ManifestUnknown, NameInvalid, NameUnknown
from lading.supply_chain.registry.manifest import OCI_INDEX
from lading.supply_chain.registry.sql import blob_links, layer_origins, manifests, parts, repositories, tags

_LAYER_PLATFORM: Final = "linux/amd64"


class Content(Protocol):
    """Bytes by digest, to be read."""

    def size(self, digest: Digest) -> int | None:
        """The size in bytes, or None when the blob is not there."""
        ...

    def open(self, digest: Digest, start: int = 0) -> IO[bytes]:
        """The content from byte `start`, as a stream that the caller closes."""
        ...


class StoredManifest(NamedTuple):
    """A manifest as it is served."""

    digest: Digest
    media_type: str
    size: int


class LayerRef(NamedTuple):
    """One layer of an image."""

    digest: Digest
    media_type: str
    size: int


class ImageRow(msgspec.Struct, frozen=True, kw_only=True):
    """What lists of images show."""

    repository: str
    digest: str
    tags: list[str]
    media_type: str
    size: int
    team: str
    principal: str
    commit: str
    pushed: str


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who brought a layer: the first image that was pushed with it."""

    image: str
    repository: str
    team: str


class Reading:
    """Names, tags, manifests and blobs, to be read."""

    def __init__(self, database: Database, content: Content) -> None:
        self._database = database
        self._content = content

    def resolve(self, repository: str, reference: str) -> StoredManifest:
        """What a tag or digest of a repository names.

        Raises:
            NameInvalid: the repository name breaks the grammar.
            ManifestUnknown: there is no such tag or digest.
        """
        check_name(repository)
        digest = reference if ":" in reference else None
        with self._database.read() as tx:
            if digest is None:
                query = sa.select(tags.c.digest).where(tags.c.repository == repository, tags.c.tag == reference)
                digest = tx.execute(query).scalar() if is_tag(reference) else None
            row = _manifest_row(tx, repository, digest) if digest else None
        if row is None:
            raise ManifestUnknown(f"{repository} has no {reference[:140]!r}.", remedy="See `lading image ls`.")
        return StoredManifest(Digest.parse(row.digest), row.media_type, row.size)

    def manifest(self, digest: Digest) -> bytes:
        """The bytes of a manifest."""
        with self._content.open(digest) as stream:
            return stream.read()

    def blob_size(self, repository: str, digest: Digest) -> int:
        """The size of a blob of a repository; raises BlobUnknown."""
        check_name(repository)
        query = sa.select(blob_links.c.size).where(
            blob_links.c.repository == repository, blob_links.c.digest == str(digest)
        )
        with self._database.read() as tx:
            size = tx.execute(query).scalar()
        if size is None:
            raise BlobUnknown(f"{repository} has no blob {digest}.", remedy="Push it to this repository first.")
        return int(size)

    def open_blob(self, digest: Digest, start: int = 0) -> IO[bytes]:
        """The content of a blob from byte `start`; raises BlobUnknown."""
        return self._content.open(digest, start)

    def tags(self, repository: str, *, limit: int | None = None, after: str = "") -> list[str]:
        """Tags in lexical order, at most `limit` of those beyond `after`; raises NameUnknown."""
        check_name(repository)
        query = sa.select(tags.c.tag).where(tags.c.repository == repository, tags.c.tag > after).order_by(tags.c.tag)
        with self._database.read() as tx:
            known = tx.execute(sa.select(repositories.c.name).where(repositories.c.name == repository)).scalar()
            if known is None:
                raise NameUnknown(f"There is no repository {repository}.", remedy="See `lading image ls`.")
            return list(tx.execute(query.limit(limit) if limit is not None else query).scalars())

    def repositories(self, *, limit: int = 1_000, after: str = "") -> list[str]:
        """Repository names in lexical order."""
        query = sa.select(repositories.c.name).where(repositories.c.name > after).order_by(repositories.c.name)
        with self._database.read() as tx:
            return list(tx.execute(query.limit(limit)).scalars())

    def referrers(self, repository: str, digest: Digest, artifact_type: str = "") -> dict[str, Any]:
        """The index of what refers to `digest` in a repository (OCI distribution 1.1, "Listing Referrers")."""
        check_name(repository)
        query = sa.select(manifests).where(manifests.c.repository == repository, manifests.c.refers_to == str(digest))
        if artifact_type:
            query = query.where(manifests.c.artifact_type == artifact_type)
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(manifests.c.pushed)).all()
        return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_referrer(row) for row in rows]}

    def layers(self, digest: Digest) -> list[LayerRef]:
        """The layers of an image, lowest first; of an index, those of its linux/amd64 image (else its first).

        Raises:
            ManifestUnknown: nothing was pushed with this digest.
        """
        with self._database.read() as tx:
            image = _runnable(tx, str(digest))
            query = sa.select(parts).where(parts.c.manifest == image, parts.c.role == "layer")
            rows = tx.execute(query.order_by(parts.c.position)).all()
        return [LayerRef(Digest.parse(row.digest), row.media_type, row.size) for row in rows]

    def config(self, digest: Digest) -> dict[str, Any]:
        """The image configuration (user, environment, labels, history); empty when there is none to read."""
        with self._database.read() as tx:
            image = _runnable(tx, str(digest))
            found = tx.execute(
                sa.select(parts.c.digest).where(parts.c.manifest == image, parts.c.role == "config")
            ).scalar()
        if found is None:
            return {}
        with self._content.open(Digest.parse(found)) as stream:
            document = msgspec.json.decode(stream.read(4 << 20))
        return document if isinstance(document, dict) else {}

    def repository_of(self, digest: Digest) -> str:
        """A repository that holds the image; raises ManifestUnknown."""
        query = sa.select(manifests.c.repository).where(manifests.c.digest == str(digest)).order_by(manifests.c.pushed)
        with self._database.read() as tx:
            found = tx.execute(query.limit(1)).scalar()
        if found is None:
            raise ManifestUnknown(f"No image {digest} was ever pushed.", remedy="See `lading image ls`.")
        return str(found)

    def images(self, *, repository: str = "", limit: int = 100, digest: Digest | None = None) -> list[ImageRow]:
        """Runnable images and indexes, youngest first; artifacts that refer to another image are left out."""
        query = sa.select(manifests).where(manifests.c.refers_to == "", manifests.c.artifact_type == "")
        if repository:
            query = query.where(manifests.c.repository == repository)
        if digest is not None:
            query = query.where(manifests.c.digest == str(digest))
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(manifests.c.pushed.desc()).limit(limit)).all()
            named = _tags_of(tx, {(row.repository, row.digest) for row in rows})
        return [_image(row, named.get((row.repository, row.digest), [])) for row in rows]

    def origin(self, layer: Digest) -> Origin | None:
        """Who brought a layer; None for one that was never part of a pushed image."""
        with self._database.read() as tx:
            row = tx.execute(sa.select(layer_origins).where(layer_origins.c.layer == str(layer))).first()
        return None if row is None else Origin(image=row.image, repository=row.repository, team=row.team)

    def team_of(self, repository: str) -> str:
        """The team that owns a repository; empty when nobody pushed to it yet."""
        query = sa.select(repositories.c.team).where(repositories.c.name == repository)
        with self._database.read() as tx:
            return str(tx.execute(query).scalar() or "")


def check_name(repository: str) -> None:
    """Raises NameInvalid for a repository name that breaks the grammar."""
    if not is_repository_name(repository):
        raise NameInvalid(
            f"{repository[:300]!r} is not a repository name.",
            remedy="Use lower-case letters, digits and . _ - between them, with / between parts.",
        )


def _manifest_row(tx: Transaction, repository: str, digest: str) -> sa.Row[Any] | None:
    query = sa.select(manifests).where(manifests.c.repository == repository, manifests.c.digest == digest)
    return tx.execute(query).first()


def _runnable(tx: Transaction, digest: str) -> str:
    """The manifest of an image: itself, or of an index the one for linux/amd64 (else the first). Follows nesting."""
    for _ in range(8):
        known = tx.execute(sa.select(manifests.c.digest).where(manifests.c.digest == digest).limit(1)).scalar()
        if known is None:
            raise ManifestUnknown(f"No image {digest} was ever pushed.", remedy="See `lading image ls`.")
        query = sa.select(parts.c.digest, parts.c.platform).where(
            parts.c.manifest == digest, parts.c.role == "manifest"
        )
        children = tx.execute(query.order_by(parts.c.position)).all()
        if not children:
            return digest
        digest = next((row.digest for row in children if row.platform == _LAYER_PLATFORM), children[0].digest)
    raise ManifestUnknown(f"The index {digest} is nested too deeply.", remedy="Push it flat.")


def _tags_of(tx: Transaction, images: set[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    if images:
        query = sa.select(tags).where(tags.c.digest.in_({digest for _, digest in images})).order_by(tags.c.tag)
        for row in tx.execute(query):
            found.setdefault((row.repository, row.digest), []).append(row.tag)
    return found


def _image(row: sa.Row[Any], named: list[str]) -> ImageRow:
    return ImageRow(
        repository=row.repository,
        digest=row.digest,
        tags=named,
        media_type=row.media_type,
        size=row.content_size,
        team=row.team,
        principal=row.principal,
        commit=row.commit,
        pushed=row.pushed,
    )


def _referrer(row: sa.Row[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"mediaType": row.media_type, "digest": row.digest, "size": row.size}
    if row.artifact_type:
        found["artifactType"] = row.artifact_type
    if row.annotations:
        found["annotations"] = msgspec.json.decode(row.annotations)
    return found
