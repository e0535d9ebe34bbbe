"""Everything beside an image that claims to sign it or to say something about it, in whatever layout it lies there.

    sha256-HEX.sig, sha256-HEX.att      cosign's older tags
    referrers                           DSSE envelopes, sigstore bundles, signatures of cosign, of notation
    an index                            statements that builders put beside its images, unsigned

Nothing is believed or verified here; what cannot be read is found too, with its problem. How much is read is bounded
for the image as a whole, and what was left out because of that is found as one problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError, NotFound
from lading.supply_chain.attest import bundle, cosign, dsse
from lading.supply_chain.attest.artifacts import (
    MOST_REFERRERS,
    Artifact,
    ArtifactReader,
    annotations_of,
    layers_of,
    read_manifest,
)
from lading.supply_chain.attest.bundle import Bundle
from lading.supply_chain.attest.dsse import Envelope
from lading.supply_chain.attest.errors import MalformedEnvelope, SignatureInvalid
from lading.supply_chain.attest.statement import MEDIA_TYPE, SIGNATURE, Statement

Form = Literal["cosign", "dsse", "bundle", "notation", "builder", "unknown"]
NOTATION: Final = "application/vnd.cncf.notary.signature"
IN_TOTO_PREDICATE: Final = "in-toto.io/predicate-type"
BUNDLE_PREDICATE: Final = "dev.sigstore.bundle.predicateType"
_MOST_READ: Final = 1 << 30
_MOST_MEMBERS: Final = 200
_BUILDER_ARTIFACT: Final = "application/vnd.docker.attestation."
_BUILDER_TYPE: Final = "vnd.docker.reference.type"
_BUILDER_SUBJECT: Final = "vnd.docker.reference.digest"


@dataclass(frozen=True, slots=True)
class SimpleSigning:
    """A payload of cosign's older layout and the signature over it."""

    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A statement that nobody signed, and the image of an index that it is said to be about."""

    statement: Statement
    image: str = ""


Content = SimpleSigning | Envelope | Bundle | Unsigned | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing found. Without `content` its `problem` says why; `keyless` is of the older layout of cosign.

    `said` is the type of predicate that what it lies in says of itself; whoever wrote it may lie.
    """

    form: Form
    digest: str
    content: Content = None
    keyless: bool = False
    problem: str = ""
    said: str = ""


class _Reading:
    """Reads manifests and blobs of one repository until there was enough."""

    def __init__(self, reader: ArtifactReader, repository: str) -> None:
        self._reader = reader
        self._repository = repository
        self._left = _MOST_READ

    def manifest(self, reference: Digest | str) -> dict[str, Any]:
        return self.named(reference)[0]

    def named(self, reference: Digest | str) -> tuple[dict[str, Any], Digest]:
        """A manifest, and its digest."""
        body = self._spent(self._reader.manifest(self._repository, reference), reference)
        return read_manifest(body), reference if isinstance(reference, Digest) else Digest.of(body)

    def blob(self, layer: dict[str, Any], most: int) -> bytes:
        digest = Digest.parse(str(layer.get("digest")))
        if self._left <= 0:
            raise MalformedEnvelope(f"It was not read: what refers to this image has more than {_MOST_READ} bytes.")
        return self._spent(self._reader.blob(self._repository, digest, most=most), digest)

    def referrers(self, image: Digest) -> list[Artifact]:
        return self._reader.referrers(self._repository, image)

    def _spent(self, content: bytes, named: Digest | str) -> bytes:
        self._left -= len(content)
        if isinstance(named, Digest) and Digest.of(content, named.algorithm) != named:
            raise SignatureInvalid(f"{named} has other content than its digest says.")
        return content


def discover(reader: ArtifactReader, repository: str, image: Digest, predicate_type: str = "") -> Iterator[Found]:
    """Everything about one image; raises what the reader raises when the registry itself fails.

    Args:
        predicate_type: leave out what says of itself that it is of another type.
    """
    reading = _Reading(reader, repository)
    if predicate_type in ("", SIGNATURE):
        yield from (replace(one, said=SIGNATURE) for one in _tagged(reading, cosign.signature_tag(image)))
    referring = reading.referrers(image)
    for artifact in referring[:MOST_REFERRERS]:
        said = said_type(artifact)
        if _may_sign(artifact.artifact_type) and (not predicate_type or not said or said == predicate_type):
            yield from (replace(one, said=said or one.said) for one in _referrer(reading, artifact))
    if len(referring) >= MOST_REFERRERS:
        problem = f"There are {MOST_REFERRERS} referrers or more; the others were not looked at."
        yield Found(form="unknown", digest=str(image), problem=problem)
    # What is under the tag too is known by the referrer.
    if predicate_type != SIGNATURE:
        yield from _tagged(reading, cosign.attestation_tag(image))
        yield from _in_index(reading, image)


def said_type(artifact: Artifact) -> str:
    """The predicate type that a referrer says it is of; empty when it says none. Whoever wrote it may lie."""
    return artifact.annotations.get(IN_TOTO_PREDICATE) or artifact.annotations.get(BUNDLE_PREDICATE) or ""


def _may_sign(artifact_type: str) -> bool:
    # An empty type stands in an index of the tag schema that somebody wrote without one.
    prefixes = (bundle.TYPE_PREFIX, cosign.ARTIFACT_PREFIX, NOTATION, _BUILDER_ARTIFACT)
    return artifact_type in ("", MEDIA_TYPE, dsse.MEDIA_TYPE) or artifact_type.startswith(prefixes)


def _tagged(reading: _Reading, tag: str) -> Iterator[Found]:
    try:
        manifest, digest = reading.named(tag)
    except NotFound:
        return
    except MalformedEnvelope as error:
        yield Found(form="cosign", digest=tag, problem=error.what)
        return
    yield from _layers(reading, manifest, str(digest))


def _referrer(reading: _Reading, artifact: Artifact) -> Iterator[Found]:
    digest, form = str(artifact.digest), _form(artifact.artifact_type)
    try:
        manifest = reading.manifest(artifact.digest)
        if form == "notation" or NOTATION in (manifest.get("artifactType"), _config_type(manifest)):
            problem = "It is a signature of notation, which is not verified here."
            yield Found(form="notation", digest=digest, problem=problem)
            return
        found = list(_layers(reading, manifest, digest))
    except LadingError as error:
        yield Found(form=form, digest=digest, problem=error.what)
        return
    yield from found
    if not found and artifact.artifact_type:
        yield Found(form=form, digest=digest, problem="It holds no envelope, no bundle and no signature.")


def _layers(reading: _Reading, manifest: dict[str, Any], digest: str) -> Iterator[Found]:
    for layer in layers_of(manifest):
        media_type = str(layer.get("mediaType", ""))
        form: Form = "builder" if media_type == MEDIA_TYPE else _form(media_type)
        if form == "unknown":
            continue
        annotations = annotations_of(layer)
        said = annotations.get(cosign.PREDICATE, "")
        try:
            content = _content(reading, layer, form)
        except LadingError as error:
            yield Found(form=form, digest=digest, problem=error.what, said=said)
            continue
        keyless = bool(annotations.get(cosign.CERTIFICATE))
        yield Found(form=form, digest=digest, content=content, keyless=keyless, said=said)


def _content(reading: _Reading, layer: dict[str, Any], form: Form) -> Content:
    if form == "bundle":
        return Bundle.decode(reading.blob(layer, bundle.MOST_BYTES))
    if form == "dsse":
        return Envelope.decode(reading.blob(layer, dsse.MOST_BYTES))
    if form == "builder":
        return Unsigned(Statement.decode(reading.blob(layer, dsse.MOST_BYTES)))
    signature = cosign.signature_of(layer)
    return SimpleSigning(reading.blob(layer, cosign.MOST_PAYLOAD), signature)


def _form(media_type: str) -> Form:
    if media_type.startswith(bundle.TYPE_PREFIX):
        return "bundle"
    if media_type in (dsse.MEDIA_TYPE, MEDIA_TYPE):
        return "dsse"
    if media_type == cosign.PAYLOAD_TYPE or media_type.startswith(cosign.ARTIFACT_PREFIX):
        return "cosign"
    return "notation" if media_type.startswith(NOTATION) else "unknown"


def _config_type(manifest: dict[str, Any]) -> object:
    config = manifest.get("config")
    return config.get("mediaType") if isinstance(config, dict) else None


def _in_index(reading: _Reading, image: Digest) -> Iterator[Found]:
    """What builders put into an index beside its images."""
    try:
        listed = reading.manifest(image).get("manifests")
    except (NotFound, MalformedEnvelope):
        return
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    for entry in entries[:_MOST_MEMBERS]:
        annotations = annotations_of(entry)
        if annotations.get(_BUILDER_TYPE) != "attestation-manifest":
            continue
        digest = str(entry.get("digest"))
        about = annotations.get(_BUILDER_SUBJECT, "")
        try:
            for one in _layers(reading, reading.manifest(Digest.parse(digest)), digest):
                if isinstance(one.content, Unsigned):
                    yield replace(one, content=replace(one.content, image=about))
                else:
                    yield one
        except LadingError as error:
            yield Found(form="builder", digest=digest, problem=error.what)
