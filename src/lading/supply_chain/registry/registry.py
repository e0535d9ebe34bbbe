"""The writing half of the registry: what the push endpoint does.

A manifest is accepted only when everything it names is there. Accepting it, moving its tag, its quarantine and the
facts about all three are one transaction.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.supply_chain import ManifestDeleted, OwnerChanged, TagMoved
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.ids import new_id
from lading.kernel.reference import is_tag
from lading.state import Database, Transaction
from lading.supply_chain.registry import attribution
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.blobs import BlobStore, UploadStore, check_digest
from lading.supply_chain.registry.errors import (
    BlobInUse,
    BlobUnknown,
    ConditionFailed,
    Denied,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    StorageFailed,
    TooLarge,
)
from lading.supply_chain.registry.keeping import (
    Origin,
    manifest_values,
    origin_rows,
    part_rows,
    pushed_fact,
    unattributed,
)
from lading.supply_chain.registry.manifest import Manifest, read_manifest
from lading.supply_chain.registry.quotas import check_quota
from lading.supply_chain.registry.reading import Reading, check_name, read_config, unknown_in
from lading.supply_chain.registry.referring import stand_in
from lading.supply_chain.registry.remarks import about_push
from lading.supply_chain.registry.sql import reading, writing
from lading.supply_chain.registry.states import NOT_JUDGED, ImageStates, State

MOST_BLOB_BYTES: Final = 64 << 30
_REVISION: Final = "org.opencontainers.image.revision"
_PIPELINE: Final = "org.opencontainers.image.source"
_SIGNATURE_TAG: Final = re.compile(r"(sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})\.(?:sig|att|sbom)")
_MOST_CONFIG: Final = 1 << 20
_RELIED_ON: Final = timedelta(hours=1)


class Storage(BlobStore, UploadStore, Protocol):
    """Finished content and content on its way in."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a pushed manifest, and what the one who pushed it should know."""

    digest: Digest
    refers_to: Digest | None
    created: bool
    remarks: tuple[str, ...] = ()


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
        """Begin an upload into a repository; returns its id, which counts in this repository only."""
        check_name(repository)
        upload = new_id()
        self._storage.start(_stored_upload(repository, upload))
        return upload

    def upload_offset(self, repository: str, upload: str) -> int:
        """How many bytes an upload has; raises UploadUnknown."""
        return self._storage.offset(_stored_upload(repository, upload))

    def append(self, repository: str, upload: str, chunk: bytes, *, at: int | None = None, more: bool = False) -> int:
        """Add a chunk that begins at byte `at`, or else where the upload ends; returns the new size.

        Chunks given with `more` are sure to be kept once one without it was.

        Raises:
            UploadUnknown, RangeInvalid, TooLarge, UploadBusy: nothing was added.
        """
        if at is None:
            at = self.upload_offset(repository, upload)
        if at + len(chunk) > MOST_BLOB_BYTES:
            raise TooLarge(f"A blob has at most {MOST_BLOB_BYTES >> 30} GiB.", remedy="Split it into layers.")
        return self._storage.append(_stored_upload(repository, upload), chunk, at=at, more=more)

    def finish_upload(
        self,
        repository: str,
        upload: str,
        digest: Digest,
        visitor: Visitor,
        *,
        rest: bytes = b"",
        at: int | None = None,
    ) -> int:
        """Make an upload a blob of the repository, after adding `rest` to it as `append` does; returns its size.

        Raises:
            UploadUnknown, RangeInvalid, TooLarge, UploadBusy: as `append`.
            DigestInvalid: its bytes have another digest.
        """
        stored = _stored_upload(repository, upload)
        ends = bool(rest) or at is not None
        size = self.append(repository, upload, rest, at=at) if ends else self._storage.offset(stored)
        generation = self._announce(digest, size)
        size = self._storage.finish(stored, digest)
        self._link(repository, digest, size, visitor, generation)
        return size

    def cancel_upload(self, repository: str, upload: str) -> None:
        """Forget an upload; raises UploadUnknown."""
        self._storage.cancel(_stored_upload(repository, upload))

    def expire_uploads(self, *, older_than: float) -> int:
        """Forget uploads that got nothing for `older_than` seconds; returns how many."""
        return self._storage.expire(older_than=older_than)

    def mount(self, repository: str, digest: Digest, source: str, visitor: Visitor) -> bool:
        """Make a blob of `source` a blob of `repository` too; False when `source` does not have it."""
        check_name(source)
        with self._database.write() as tx:
            writing.hold_parts(tx, source, [str(digest)])
            size = reading.blob_size(tx, source, str(digest))
            if size is None:
                return False
            self._add_link(tx, repository, digest, size, visitor)
        return True

    def put_blob(self, repository: str, content: bytes, visitor: Visitor) -> Digest:
        """Keep a small blob at once."""
        check_name(repository)
        digest = Digest.of(content)
        generation = self._announce(digest, len(content))
        self._storage.put(digest, content)
        self._link(repository, digest, len(content), visitor, generation)
        return digest

    def relied_on(self, repository: str, digest: Digest) -> int:
        """The size of a blob that a client relies on from now on; raises BlobUnknown.

        One that no manifest names yet is not collected for another while.
        """
        check_name(repository)
        with self._database.read() as tx:
            row = reading.blob_link(tx, repository, str(digest))
        if row is None:
            raise unknown_in(repository, digest)
        now = self._clock.now()
        if row.linked < timestamp(now - _RELIED_ON):
            with self._database.write() as tx:
                writing.touch_link(tx, repository, str(digest), timestamp(now))
        return int(row.size)

    def claim(self, repository: str, visitor: Visitor) -> str:
        """The team that owns a repository; one that is new belongs to the owner of its namespace.

        The namespace is the first component of the name; the first push into it claims it for the visitor's team.

        Raises:
            NameInvalid: the name breaks the grammar.
            Denied: nobody owns the namespace, and the visitor works for no team.
        """
        with self._database.write() as tx:
            return self._claim(tx, repository, visitor)

    # Manifests and tags

    def put_manifest(
        self,
        repository: str,
        reference: str,
        media_type: str,
        body: bytes,
        visitor: Visitor,
        *,
        named: str = "",
        tags: Sequence[str] = (),
        only_if: Callable[[str], bool] | None = None,
        without: frozenset[Digest] = frozenset(),
    ) -> Pushed:
        """Accept a manifest under a tag or its digest.

        Args:
            named: the tag of a signature that is put by its digest.
            tags: what a manifest that is put by its digest is to be tagged with as well.
            only_if: what must hold of the digest that `reference` names now; it is given an empty text for none.
            without: images of an index that are left out on purpose; clients that ask for them get none.

        Raises:
            ManifestInvalid: malformed, or not what `reference` says.
            ManifestBlobUnknown: it names something that was never pushed to this repository.
            ConditionFailed: `only_if` does not hold.
        """
        check_name(repository)
        by_digest = Digest.parse(reference) if ":" in reference else None
        tags = sorted(set(tags)) if by_digest else [reference]
        manifest = read_manifest(body, media_type, by_digest.algorithm if by_digest else "sha256")
        if by_digest is not None:
            check_digest(by_digest, manifest.digest)
        for tag in tags:
            if not is_tag(tag):
                raise ManifestInvalid(f"{tag[:140]!r} is neither a tag nor a digest.")
        with self._database.read() as tx:
            _check_complete(tx, repository, manifest, without)
        try:
            commit, pipeline = self._revision(manifest)
            served_with = self._served_with(manifest, tags[0] if tags else named)
        except BlobUnknown as error:
            # It was collected since.
            raise ManifestBlobUnknown(error.what, remedy="Push it again.") from error
        generation = self._announce(manifest.digest, len(body))
        self._storage.put(manifest.digest, body)
        with self._database.write() as tx:
            # Once more: a blob may have been deleted since.
            writing.hold_parts(tx, repository, {str(manifest.digest), *(str(part.digest) for part in manifest.parts)})
            _check_complete(tx, repository, manifest, without)
            _check_generation(manifest.digest, writing.own_generation(tx, str(manifest.digest)), generation)
            team, who = self._claim(tx, repository, visitor), visitor.principal
            origin = Origin(team, who, commit, attribution.pipeline_of(who, pipeline))
            created = self._keep(tx, repository, tags, manifest, served_with, origin, only_if)
            if not served_with and self._states.state_in(tx, manifest.digest) is None:
                self._states.move(tx, manifest.digest, State.QUARANTINED, who=visitor.principal, why=NOT_JUDGED)
        remarks = about_push(manifest, tags[0] if tags else "", visitor.principal, commit, pipeline)
        return Pushed(manifest.digest, manifest.refers_to, created, remarks)

    def delete_manifest(self, repository: str, digest: Digest, visitor: Visitor) -> None:
        """Remove a manifest and its tags from a repository; its state stays.

        Raises:
            ManifestUnknown: the repository does not have it.
            Denied: it is revoked, and kept for those who look into it until retention says otherwise.
        """
        check_name(repository)

        def choose(tx: Transaction) -> list[str]:
            state = self._states.state_in(tx, digest)
            if state is not None and state.state is State.REVOKED:
                raise Denied(f"{digest} is revoked, and kept as evidence.", remedy="Retention deletes it in its time.")
            return [str(digest)]

        if not self.delete_manifests(repository, choose, visitor):
            raise ManifestUnknown(f"{repository} has no {digest}.", remedy="See `lading image ls`.")

    def delete_manifests(
        self, repository: str, choose: Callable[[Transaction], Sequence[str]], visitor: Visitor
    ) -> int:
        """Remove the manifests that `choose` names, in the transaction in which it chose; returns how many there were.

        While it chooses nobody tags a manifest of the repository or pushes an index of some.
        """
        with self._database.write() as tx:
            writing.shut_out_pushes(tx, repository)
            facts: list[Fact] = []
            gone = 0
            for digest in choose(tx):
                facts += [
                    TagMoved(repository=repository, tag=tag, digest="", previous=digest)
                    for tag in reading.tags_naming(tx, repository, digest)
                ]
                if writing.delete_manifest(tx, repository, digest):
                    facts.append(ManifestDeleted(digest=digest, repository=repository))
                    gone += 1
            self._ledger.append(tx, facts, actor=visitor.principal)
        return gone

    def delete_tag(self, repository: str, tag: str, visitor: Visitor) -> None:
        """Remove a tag; what it named stays; raises ManifestUnknown."""
        check_name(repository)
        with self._database.write() as tx:
            digest = reading.tagged(tx, repository, tag) if is_tag(tag) else None
            if digest is None:
                raise ManifestUnknown(f"{repository} has no tag {tag[:140]!r}.", remedy="See `lading image ls`.")
            writing.delete_tag(tx, repository, tag)
            fact = TagMoved(repository=repository, tag=tag, digest="", previous=digest)
            self._ledger.append(tx, [fact], actor=visitor.principal)

    def delete_blob(self, repository: str, digest: Digest) -> None:
        """Take a blob out of a repository; its bytes stay until garbage collection.

        Raises:
            BlobUnknown: the repository does not have it.
            BlobInUse: a manifest of the repository names it; what was pushed stays complete.
        """
        check_name(repository)
        with self._database.write() as tx:
            if users := reading.users_of_blob(tx, repository, str(digest), 1):
                raise BlobInUse(f"The blob {digest} is a part of {repository}@{users[0]}.", remedy="Delete that first.")
            if not writing.unlink_blob(tx, repository, str(digest)):
                raise BlobUnknown(f"{repository} has no blob {digest}.")

    def change_owner(self, digest: Digest, team: str, *, actor: str) -> None:
        """Give an image to another team; raises ManifestUnknown."""
        with self._database.write() as tx:
            before = writing.image_team(tx, str(digest))
            if before is None:
                raise ManifestUnknown(f"No image {digest} was ever pushed.", remedy="See `lading image ls`.")
            if before != team:
                writing.set_image_team(tx, str(digest), team)
                self._ledger.append(tx, [OwnerChanged(digest=str(digest), before=before, team=team)], actor=actor)

    # How it is done

    def _announce(self, digest: Digest, size: int) -> str:
        """Say that content is about to be stored, so that nobody collects it before something names it."""
        now, generation = timestamp(self._clock.now()), new_id()
        return self._database.write_together(lambda tx: writing.announce_blob(tx, str(digest), size, now, generation))

    def _link(self, repository: str, digest: Digest, size: int, visitor: Visitor, generation: str) -> None:
        def link(tx: Transaction) -> None:
            _check_generation(digest, writing.blob_generation(tx, str(digest)), generation)
            self._add_link(tx, repository, digest, size, visitor)

        self._database.write_together(link)

    def _add_link(self, tx: Transaction, repository: str, digest: Digest, size: int, visitor: Visitor) -> None:
        team = self._claim(tx, repository, visitor)
        if writing.link_blob(tx, repository, str(digest), size, timestamp(self._clock.now())):
            check_quota(tx, team)

    def _claim(self, tx: Transaction, repository: str, visitor: Visitor) -> str:
        check_name(repository)
        if (known := reading.place(tx, repository)) is not None and known[0]:
            return known[0]
        owner, now = reading.owner(tx, repository), timestamp(self._clock.now())
        if not owner:
            namespace = repository.partition("/")[0]
            if not visitor.team:
                raise Denied(
                    f"Nobody owns {namespace}/ yet, and {visitor.principal} works for no team.",
                    remedy="Push into it first with a robot of the team that is to own it.",
                )
            writing.claim_namespace(tx, namespace, visitor.team, now)
            owner = reading.namespace_owner(tx, repository)
        writing.create_repository(tx, repository, owner, now)
        return owner

    def _revision(self, manifest: Manifest) -> tuple[str, str]:
        """Commit and pipeline, from the annotations or the labels of the image configuration."""
        known = dict(manifest.annotations)
        config = next(iter(manifest.of_role("config")), None)
        if not manifest.is_index and manifest.is_runnable and config is not None and config.size < _MOST_CONFIG:
            with self._storage.open(config.digest) as stream:
                known = _labels(stream.read(_MOST_CONFIG)) | known
        return _text(known.get(_REVISION, ""), 100), _text(known.get(_PIPELINE, ""), 300)

    def _served_with(self, manifest: Manifest, tag: str) -> str:
        """The image that a manifest is pulled with: its subject, or the one that a signature's tag names.

        Empty for everything that an engine might run: such a thing needs an approval of its own, whatever it refers to.
        """
        named = _SIGNATURE_TAG.fullmatch(tag)
        if named is not None and manifest.signature_kind and self._all_json(manifest):
            return named[1].replace("-", ":", 1)
        if manifest.is_runnable or manifest.refers_to is None:
            return ""
        return str(manifest.refers_to)

    def _all_json(self, manifest: Manifest) -> bool:
        """Whether every layer is a JSON object, which no engine can unpack."""
        for part in manifest.of_role("layer"):
            with self._storage.open(part.digest) as stream:
                try:
                    msgspec.json.decode(stream.read(), type=dict[str, msgspec.Raw])
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    return False
        return True

    def _keep(
        self,
        tx: Transaction,
        repository: str,
        tags: Sequence[str],
        manifest: Manifest,
        served_with: str,
        origin: Origin,
        only_if: Callable[[str], bool] | None,
    ) -> bool:
        """Keep the manifest and move its tags, with the facts about both; whether it is new to the repository."""
        facts: list[Fact] = []
        digest, now = str(manifest.digest), timestamp(self._clock.now())
        created = reading.manifest(tx, repository, digest) is None
        if created:
            values = manifest_values(manifest, served_with, origin)
            writing.insert_manifest(tx, values | {"repository": repository, "pushed": now})
            writing.keep_parts(tx, part_rows(manifest))
            if manifest.is_runnable and not served_with and not repository.endswith(reading.CACHE_SUFFIX):
                writing.keep_origins(tx, origin_rows(manifest, repository, origin.team))
            facts.append(pushed_fact(manifest, repository, tags[0] if tags else "", values))
            if manifest.is_runnable and not served_with and not repository.endswith(reading.CACHE_SUFFIX):
                facts += unattributed(manifest, repository, origin)
        shown = "" if created or tags else digest
        for tag in tags:
            previous = writing.set_tag(tx, repository, tag, digest, now)
            instead = stand_in(tx, repository, tag, previous) if only_if else None
            shown = str(Digest.of(instead.body)) if instead else previous
            if previous != digest:
                facts.append(TagMoved(repository=repository, tag=tag, digest=digest, previous=previous))
        if only_if is not None and not only_if(shown):
            raise ConditionFailed(
                f"{repository} has {shown or 'nothing'} there now, which is not what was to be replaced.",
                remedy="Read it again, and write what follows from that.",
            )
        self._ledger.append(tx, facts, actor=origin.principal)
        return created


def _stored_upload(repository: str, upload: str) -> str:
    """The name that an upload is stored under: knowing its id is of no use from another repository."""
    return hashlib.sha256(f"{repository}\n{upload}".encode()).hexdigest()


def _check_complete(tx: Transaction, repository: str, manifest: Manifest, without: frozenset[Digest]) -> None:
    """Raises ManifestBlobUnknown or ManifestInvalid unless the repository has all parts in the sizes that are said."""
    sizes = reading.sizes(tx, repository, {str(part.digest) for part in manifest.parts})
    for part in manifest.parts:
        size = sizes.get(str(part.digest))
        if size is None and not part.foreign and not (part.role == "manifest" and part.digest in without):
            raise ManifestBlobUnknown(
                f"The manifest names {part.role} {part.digest}, which was never pushed to {repository}.",
                remedy="Push it first; a client that skips it believes wrongly that it is there.",
            )
        if size is not None and size != part.size:
            raise ManifestInvalid(f"The manifest says {part.digest} has {part.size} bytes; it has {size}.")


def _check_generation(digest: Digest, stored: str | None, announced: str) -> None:
    """Raises StorageFailed when the content was collected after it was announced."""
    if stored != announced:
        raise StorageFailed(f"{digest} was collected while it was pushed.", remedy="Push it again.")


def _labels(content: bytes) -> dict[str, str]:
    """The labels of an image configuration, as far as they are texts."""
    try:
        config = read_config(content, "the image").get("config")
    except ManifestInvalid:
        return {}
    labels = config.get("Labels") if isinstance(config, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {str(key): value for key, value in labels.items() if isinstance(value, str)}


def _text(value: str, most: int) -> str:
    """A text from an image, bounded, without what PostgreSQL cannot keep."""
    return value.replace("\0", "")[:most]
