"""Putting signatures and statements beside an image, in the older and in the new layout of cosign.

    older     a signature in the manifest tagged `sha256-HEX.sig`, a statement as an envelope in that tagged
              `sha256-HEX.att`, and again as an envelope that refers to the image
    bundle    both as a sigstore bundle that refers to the image, as cosign 3 stores them

What our key put there before is found and left: whatever a crash kept from being written is written, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, Literal, NamedTuple

from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, LadingError, NotFound
from lading.supply_chain.attest import bundle, cosign, dsse
from lading.supply_chain.attest.artifacts import (
    EMPTY_CONTENT,
    MANIFEST,
    ArtifactStore,
    annotations_of,
    descriptor,
    layers_of,
    read_manifest,
    referrer,
)
from lading.supply_chain.attest.bundle import Bundle
from lading.supply_chain.attest.discovery import BUNDLE_PREDICATE, IN_TOTO_PREDICATE, said_type
from lading.supply_chain.attest.dsse import Envelope
from lading.supply_chain.attest.errors import MalformedEnvelope
from lading.supply_chain.attest.keys import Signer
from lading.supply_chain.attest.statement import MEDIA_TYPE, SIGNATURE, Statement

Layout = Literal["older", "bundle"]
LAYOUTS: Final[tuple[Layout, ...]] = ("older", "bundle")
_BUNDLE_CONTENT: Final = "dev.sigstore.bundle.content"
# What registries take for signatures under a tag is bounded.
_MOST_TAGGED: Final = 200
_MOST_TAGGED_BYTES: Final = 32 << 20
_CREATED: Final = "org.opencontainers.image.created"
_TYPES: Final[dict[str, Layout]] = {MEDIA_TYPE: "older", bundle.MEDIA_TYPE: "bundle"}


class Put(NamedTuple):
    """Where something lies now, and whether it was put there just now. `statement` is the digest of what was signed."""

    digest: Digest
    statement: Digest
    fresh: bool


def read_layouts(text: str) -> tuple[Layout, ...]:
    """The layouts that a setting names, `older,bundle`; raises InvalidInput."""
    named = {name.strip() for name in text.split(",") if name.strip()}
    if not named or not named <= set(LAYOUTS):
        raise InvalidInput(
            f"{text[:100]!r} names no layouts of signatures.", remedy=f"Write some of {','.join(LAYOUTS)}."
        )
    return tuple(layout for layout in LAYOUTS if layout in named)


class Writing:
    """Writes for one signer.

    Raises NotFound for an image that is not there, and KeyUnusable when nothing was signed.
    """

    def __init__(
        self, store: ArtifactStore, signer: Signer, clock: Clock, layouts: Collection[Layout] = LAYOUTS
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._layouts = layouts

    def state(self, image: Digest, repository: str, statement: Statement) -> Put:
        """Put a statement beside an image, in every layout that it is missing in."""
        body = statement.encode()
        subject = self._subject(image, repository)
        there, envelope = self._existing(image, repository, statement.predicate_type, body)
        missing = [layout for layout in self._layouts if layout not in there]
        signed = envelope or (dsse.sign(MEDIA_TYPE, body, self._signer) if missing else None)
        for layout in missing:
            if signed is not None:
                there[layout] = self._put(layout, repository, subject, statement.predicate_type, signed)
        if "older" in self._layouts and signed is not None:
            self._state_by_tag(image, repository, statement.predicate_type, signed.encode())
        return Put(there[min(there, key=LAYOUTS.index)], Digest.of(body), bool(missing))

    def sign(self, image: Digest, repository: str) -> Put:
        """Sign an image, beside the signatures that others made."""
        put = None
        if "older" in self._layouts:
            put = self._sign_by_tag(image, repository)
        if "bundle" in self._layouts:
            bundled = self._only("bundle").state(image, repository, Statement(((repository, image),), SIGNATURE, {}))
            put = put._replace(fresh=put.fresh or bundled.fresh) if put else bundled
        if put is None:
            raise InvalidInput("No layout of signatures is chosen.", remedy="Correct LADING_SIGNATURE_LAYOUTS.")
        return put

    def body(self, repository: str, digest: Digest) -> bytes:
        """What the statement in this manifest says, unverified; raises NotFound and MalformedEnvelope."""
        return self._envelope(repository, digest).payload

    def _state_by_tag(self, image: Digest, repository: str, predicate_type: str, content: bytes) -> None:
        """Put an envelope beside those that are under cosign's tag for statements, once, if there is room for it."""
        tag, digest = cosign.attestation_tag(image), str(Digest.of(content))
        try:
            layers = layers_of(read_manifest(self._store.manifest(repository, tag)))
        except (NotFound, MalformedEnvelope):
            layers = []
        if any(layer.get("digest") == digest for layer in layers):
            return
        added = descriptor(dsse.MEDIA_TYPE, content, cosign.about_statement(predicate_type))
        if not (kept := _with_room([*layers, added])):
            return
        manifest, config = cosign.manifest(kept)
        self._store.put_blob(repository, content)
        self._store.put_blob(repository, config)
        self._store.put_manifest(repository, manifest, tag=tag)

    def _only(self, layout: Layout) -> Writing:
        return Writing(self._store, self._signer, self._clock, (layout,))

    def _sign_by_tag(self, image: Digest, repository: str) -> Put:
        self._store.manifest(repository, image)
        tag, content = cosign.signature_tag(image), cosign.payload(image, repository)
        others: list[dict[str, Any]] = []
        try:
            before = self._store.manifest(repository, tag)
            for layer, digest, signature in cosign.signature_layers(read_manifest(before)):
                if self._is_ours(repository, image, digest, signature):
                    return Put(Digest.of(before), Digest.of(content), fresh=False)
                others.append(layer)
        except (NotFound, MalformedEnvelope):
            others = []
        manifest, config = cosign.manifest([*others, cosign.signed_layer(content, self._signer)])
        self._store.put_blob(repository, content)
        self._store.put_blob(repository, config)
        return Put(self._store.put_manifest(repository, manifest, tag=tag), Digest.of(content), fresh=True)

    def _is_ours(self, repository: str, image: Digest, digest: Digest, signature: bytes) -> bool:
        try:
            content = self._store.blob(repository, digest, most=cosign.MOST_PAYLOAD)
            cosign.verify(content, signature, image, [self._signer])
        except LadingError:
            return False
        return True

    def _existing(
        self, image: Digest, repository: str, predicate_type: str, body: bytes
    ) -> tuple[dict[Layout, Digest], Envelope | None]:
        """Where this very statement by our key lies already, by layout, and its envelope."""
        there: dict[Layout, Digest] = {}
        envelope = None
        for artifact in self._store.referrers(repository, image):
            layout = _TYPES.get(artifact.artifact_type)
            if (
                layout is None
                or layout not in self._layouts
                or layout in there
                or said_type(artifact) not in ("", predicate_type)
            ):
                continue
            try:
                found = self._envelope(repository, artifact.digest)
                if found.payload != body:
                    continue
                dsse.verify(found, [self._signer])
            except LadingError:
                continue
            there[layout], envelope = artifact.digest, found
        return there, envelope

    def _envelope(self, repository: str, digest: Digest) -> Envelope:
        (layer, *more) = layers_of(read_manifest(self._store.manifest(repository, digest))) or [{}]
        if more or not layer:
            raise MalformedEnvelope("It does not hold exactly one envelope.")
        content = self._store.blob(repository, Digest.parse(str(layer.get("digest"))), most=bundle.MOST_BYTES)
        if layer.get("mediaType") == dsse.MEDIA_TYPE:
            return Envelope.decode(content)
        envelope = Bundle.decode(content).envelope
        if envelope is None:
            raise MalformedEnvelope("The bundle holds no envelope.")
        return envelope

    def _put(
        self, layout: Layout, repository: str, subject: dict[str, Any], predicate_type: str, envelope: Envelope
    ) -> Digest:
        if layout == "older":
            content, annotations = envelope.encode(), {IN_TOTO_PREDICATE: predicate_type}
            layer = descriptor(dsse.MEDIA_TYPE, content, annotations)
            manifest = referrer(subject, MEDIA_TYPE, layer, annotations)
        else:
            content = bundle.by_key(envelope, self._signer.key_id)
            return put_bundle(
                self._store, repository, subject, content, bundle_annotations(predicate_type, self._clock)
            )
        self._store.put_blob(repository, EMPTY_CONTENT)
        self._store.put_blob(repository, content)
        return self._store.put_manifest(repository, manifest)

    def _subject(self, image: Digest, repository: str) -> dict[str, Any]:
        return subject_of(self._store.manifest(repository, image), image)


def _with_room(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The envelopes, without the oldest of ours that are too many or too much; none if those of others fill it."""
    kept = [layer for layer in layers if layer.get("mediaType") == dsse.MEDIA_TYPE]
    for layer in [one for one in kept if annotations_of(one).get(cosign.CREATOR) == cosign.OURS]:
        if len(kept) <= _MOST_TAGGED and sum(int(one["size"]) for one in kept) <= _MOST_TAGGED_BYTES:
            return kept
        kept.remove(layer)
    return []


def subject_of(manifest: bytes, image: Digest) -> dict[str, Any]:
    """The descriptor of an image whose manifest this is."""
    media_type = read_manifest(manifest).get("mediaType")
    return descriptor(str(media_type or MANIFEST), manifest) | {"digest": str(image)}


def put_bundle(
    store: ArtifactStore, repository: str, subject: dict[str, Any], content: bytes, annotations: dict[str, str]
) -> Digest:
    """Put a bundle beside the image that `subject` describes."""
    store.put_blob(repository, EMPTY_CONTENT)
    store.put_blob(repository, content)
    layer = descriptor(bundle.MEDIA_TYPE, content)
    return store.put_manifest(repository, referrer(subject, bundle.MEDIA_TYPE, layer, annotations))


def bundle_annotations(predicate_type: str, clock: Clock) -> dict[str, str]:
    """What cosign writes beside a bundle, for those who look for one kind of statement."""
    return {
        _BUNDLE_CONTENT: "dsse-envelope",
        BUNDLE_PREDICATE: predicate_type,
        _CREATED: clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
