"""The read-only half of the registry: all that the pull endpoint may load. No code here can write.

A test holds that this module, and what it imports, reaches nothing that writes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from lading.kernel.digest import Digest
from lading.kernel.reference import is_repository_name, is_tag
from lading.state import Database, Transaction
from lading.supply_chain.registry.access import EVERYTHING, Place, Sight, Visibility
from lading.supply_chain.registry.content import Content
from lading.supply_chain.registry.errors import (
    BlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
)
from lading.supply_chain.registry.manifest import IMAGES, INDEXES, MOST_NESTING
from lading.supply_chain.registry.members import Member, members_of
from lading.supply_chain.registry.mirroring.upstream import all_upstreams, covering
from lading.supply_chain.registry.referring import (
    MOST_REFERRERS,
    Page,
    StandIn,
    index_of,
    is_schema_tag,
    page,
    stand_in,
)
from lading.supply_chain.registry.sql import reading as sql

_LAYER_PLATFORM: Final = "linux/amd64"
_MOST_CONFIG: Final = 4 << 20
_MOST_IMAGES: Final = 1_000


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
    pipeline: str
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
            InvalidInput: the digest is malformed.
            ManifestUnknown: there is no such tag or digest.
        """
        check_name(repository)
        with self._database.read() as tx:
            digest = reference if ":" in reference else None
            if is_tag(reference):
                digest = sql.tagged(tx, repository, reference)
            row = sql.manifest(tx, repository, str(Digest.parse(digest))) if digest else None
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
        with self._database.read() as tx:
            size = sql.blob_size(tx, repository, str(digest))
        if size is None:
            raise unknown_in(repository, digest)
        return int(size)

    def open_blob(self, digest: Digest, start: int = 0) -> IO[bytes]:
        """The content of a blob from byte `start`; raises BlobUnknown."""
        return self._content.open(digest, start)

    def blob_file(self, digest: Digest) -> Path | None:
        """The file that holds a blob if it is there; None where blobs are no files."""
        return self._content.file(digest)

    def tags(self, repository: str, *, limit: int | None = None, after: str = "") -> list[str]:
        """Tags in lexical order, at most `limit` of those beyond `after`; raises NameUnknown."""
        check_name(repository)
        with self._database.read() as tx:
            if not sql.repository_exists(tx, repository):
                raise NameUnknown(f"There is no repository {repository}.", remedy="See `lading image ls`.")
            return sql.tag_names(tx, repository, after, limit)

    def repositories(self, sight: Sight = EVERYTHING, *, limit: int = 1_000, after: str = "") -> list[str]:
        """The names of the repositories that `sight` takes in, in lexical order."""
        with self._database.read() as tx:
            return [row.name for row in sql.repository_rows(tx, sight, after, limit)]

    def referrers(
        self, repository: str, digest: Digest, artifact_type: str = "", *, after: str = "", limit: int = MOST_REFERRERS
    ) -> dict[str, Any]:
        """The index of what refers to `digest` in a repository (OCI distribution 1.1, "Listing Referrers").

        At most `limit` manifests, by digest, of those beyond digest `after`.
        """
        found: list[dict[str, Any]] = []
        while len(found) < limit:
            one = self.referrers_page(repository, digest, artifact_type, after=after, limit=limit - len(found))
            found += one.manifests
            if not one.more:
                break
            after = found[-1]["digest"]
        return index_of(found)

    def referrers_page(
        self, repository: str, digest: Digest, artifact_type: str = "", *, after: str = "", limit: int = MOST_REFERRERS
    ) -> Page:
        """The same, no more than fits into one answer."""
        check_name(repository)
        with self._database.read() as tx:
            return page(tx, repository, digest, artifact_type, after=after, limit=limit)

    def stand_in(self, repository: str, tag: str, *, kept: bool = True) -> StandIn | None:
        """What a tag of the referrers tag schema answers with; None for what `resolve` says.

        `kept`: take along what the index lists that somebody keeps under the tag.
        """
        check_name(repository)
        if not is_schema_tag(tag):
            return None
        with self._database.read() as tx:
            return stand_in(tx, repository, tag, (kept and sql.tagged(tx, repository, tag)) or "")

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Whether a manifest was pushed to a repository."""
        check_name(repository)
        with self._database.read() as tx:
            return sql.manifest(tx, repository, str(digest)) is not None

    def kept_in(self, tx: Transaction, digests: Collection[str]) -> set[str]:
        """Those of some manifests that a repository has."""
        return sql.kept_manifests(tx, digests)

    def stored_in(self, tx: Transaction, digests: Collection[str]) -> set[str]:
        """Those of some blobs that are stored, whoever needs them."""
        return sql.kept_blobs(tx, digests)

    def repositories_with(self, digest: Digest, sight: Sight, *, limit: int = 100) -> list[str]:
        """Repositories that have a blob, of those that `sight` takes in."""
        with self._database.read() as tx:
            return sql.repositories_with(tx, sight, str(digest), limit)

    def layers(self, digest: Digest) -> list[LayerRef]:
        """The layers of an image, lowest first; of an index, those of its linux/amd64 image (else its first).

        Raises:
            ManifestUnknown: nothing was pushed with this digest.
        """
        with self._database.read() as tx:
            image = judged_chain(tx, str(digest))[-1]
            rows = sql.part_rows(tx, image, "layer")
        return [LayerRef(Digest.parse(row.digest), row.media_type, row.size) for row in rows]

    def images_in(self, digest: Digest) -> list[Digest]:
        """The runnable images of an index, for every platform; of an image, itself.

        Raises:
            ManifestUnknown: nothing was pushed with this digest.
            ManifestInvalid: an index of more than 1,000 images.
        """
        found: list[str] = []
        seen, waiting = {str(digest)}, [str(digest)]
        with self._database.read() as tx:
            _known(tx, str(digest))
            while waiting:
                here = waiting.pop(0)
                rows = sql.part_rows(tx, here, "manifest")
                members = [row.digest for row in rows if row.media_type in IMAGES | INDEXES]
                waiting += [one for one in dict.fromkeys(members) if one not in seen]
                seen.update(members)
                if not rows:
                    found.append(here)
                if len(seen) > _MOST_IMAGES:
                    raise ManifestInvalid(f"The index {digest} lists more than {_MOST_IMAGES} images.")
        return [Digest.parse(one) for one in found]

    def members(self, digest: Digest, platforms: Collection[str] = ()) -> Sequence[Member]:
        """The images that decide how good an index is, for all or some platforms; none for an image."""
        with self._database.read() as tx:
            return members_of(tx, str(digest), platforms)

    def indexes_with(self, digest: Digest) -> list[Digest]:
        """The indexes that list an image, directly or through others."""
        seen, waiting = {str(digest)}, {str(digest)}
        with self._database.read() as tx:
            for _ in range(MOST_NESTING):
                waiting = sql.indexes_of(tx, waiting, _MOST_IMAGES) - seen if waiting else set()
                seen |= waiting
        return [Digest.parse(one) for one in sorted(seen - {str(digest)})]

    def config(self, digest: Digest) -> dict[str, Any]:
        """The image configuration (user, environment, labels, history); empty when the image has none.

        Raises:
            ManifestUnknown: nothing was pushed with this digest.
            ManifestInvalid: the configuration is not a JSON object of at most 4 MiB.
        """
        with self._database.read() as tx:
            image = judged_chain(tx, str(digest))[-1]
            found = next(iter(sql.part_rows(tx, image, "config")), None)
        if found is None:
            return {}
        with self._content.open(Digest.parse(found.digest)) as stream:
            return read_config(stream.read(_MOST_CONFIG + 1), image)

    def repository_of(self, digest: Digest) -> str:
        """A repository that holds the image; raises ManifestUnknown."""
        with self._database.read() as tx:
            found = sql.first_repository(tx, str(digest))
        if found is None:
            raise ManifestUnknown(f"No image {digest} was ever pushed.", remedy="See `lading image ls`.")
        return found

    def images(self, *, repository: str = "", limit: int = 100, digest: Digest | None = None) -> list[ImageRow]:
        """Runnable images and indexes, youngest first; artifacts that refer to another image are left out."""
        with self._database.read() as tx:
            rows = sql.images(tx, repository, str(digest) if digest else "", limit)
            named = sql.tags_of(tx, {(row.repository, row.digest) for row in rows})
        return [_image(row, named.get((row.repository, row.digest), [])) for row in rows]

    def origin(self, layer: Digest) -> Origin | None:
        """Who brought a layer; None for one that was never part of a pushed image."""
        with self._database.read() as tx:
            row = sql.origin(tx, str(layer))
        return None if row is None else Origin(image=row.image, repository=row.repository, team=row.team)

    def team_of(self, repository: str) -> str:
        """The team that owns a repository, or else its namespace; empty when nobody does; raises NameInvalid."""
        check_name(repository)
        with self._database.read() as tx:
            return sql.owner(tx, repository)

    def place(self, repository: str) -> Place:
        """A repository as access is decided about it, whether it exists or not; raises NameInvalid."""
        check_name(repository)
        with self._database.read() as tx:
            found = sql.place(tx, repository)
            if found is None and (mirrored := covering(all_upstreams(tx), repository)) and mirrored.on_pull:
                # It is there as soon as somebody asks for it.
                return Place(repository, mirrored.team, Visibility(mirrored.visibility), exists=True)
            if found is None:
                return Place(repository, sql.namespace_owner(tx, repository))
        return Place(repository, found[0], Visibility(found[1]), exists=True)


def check_name(repository: str) -> None:
    """Raises NameInvalid for a repository name that breaks the grammar."""
    if not is_repository_name(repository):
        raise NameInvalid(
            f"{repository[:300]!r} is not a repository name.",
            remedy="Use lower-case letters, digits and . _ - between them, with / between parts.",
        )


def unknown_in(repository: str, digest: Digest) -> BlobUnknown:
    """The error for a blob that a repository does not have."""
    return BlobUnknown(f"{repository} has no blob {digest}.", remedy="Push it to this repository first.")


def read_config(content: bytes, image: str) -> dict[str, Any]:
    """The configuration of an image as JSON; raises ManifestInvalid."""
    try:
        if len(content) > _MOST_CONFIG:
            raise ManifestInvalid(f"The configuration of {image} is larger than {_MOST_CONFIG} bytes.")
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalid(f"The configuration of {image} is not a JSON object: {error}.") from error


def _known(tx: Transaction, digest: str) -> None:
    if sql.first_repository(tx, digest) is None:
        raise ManifestUnknown(f"No image {digest} was ever pushed.", remedy="See `lading image ls`.")


def judged_chain(tx: Transaction, digest: str) -> list[str]:
    """The manifests that are read to judge an image, from itself down.

    Of an index that is its image for linux/amd64, else its first.

    Raises:
        ManifestUnknown: nothing was pushed with this digest, or indexes are nested too deeply.
    """
    chain = [digest]
    for _ in range(MOST_NESTING):
        _known(tx, chain[-1])
        children = sql.part_rows(tx, chain[-1], "manifest")
        if not children:
            return chain
        children = sorted(children, key=lambda row: row.platform != _LAYER_PLATFORM)
        # An index that was mirrored for some platforms lists images that are not here.
        here = (row.digest for row in children if sql.first_repository(tx, row.digest) is not None)
        chain.append(next(here, children[0].digest))
    raise ManifestUnknown(f"The index {digest} is nested too deeply.", remedy="Push it flat.")


def _image(row: sql.Row, named: list[str]) -> ImageRow:
    return ImageRow(
        repository=row.repository,
        digest=row.digest,
        tags=named,
        media_type=row.media_type,
        size=row.content_size,
        team=row.team,
        principal=row.principal,
        commit=row.commit,
        pipeline=row.pipeline,
        pushed=row.pushed,
    )
