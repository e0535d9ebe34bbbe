"""Where signatures and attestations are kept: a registry, as far as this room needs one (OCI distribution 1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound
from lading.supply_chain.attest.errors import MalformedEnvelope

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
EMPTY_CONTENT: Final = b"{}"
MOST_MANIFEST: Final = 4 * 1024 * 1024
MOST_REFERRERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest that refers to another one."""

    digest: Digest
    artifact_type: str
    annotations: Mapping[str, str] = field(default_factory=dict)


class ArtifactReader(Protocol):
    """A registry's content, by repository, as far as signatures are looked for. What it hands over is not checked."""

    def manifest(self, repository: str, reference: Digest | str) -> bytes:
        """A manifest by digest or tag; raises kernel NotFound."""
        ...

    def blob(self, repository: str, digest: Digest, *, most: int) -> bytes:
        """A blob of at most `most` bytes; raises kernel NotFound, and LadingError when it is larger."""
        ...

    def referrers(self, repository: str, subject: Digest) -> list[Artifact]:
        """The manifests whose `subject` is this one, at most 1000; none is no error."""
        ...


class ArtifactStore(ArtifactReader, Protocol):
    """The same, to be written to.

    What was put can be read after the call returns and survives a crash; putting the same again changes nothing.
    """

    def put_blob(self, repository: str, content: bytes) -> Digest:
        """Keep a blob."""
        ...

    def put_manifest(self, repository: str, content: bytes, *, tag: str = "") -> Digest:
        """Keep a manifest whose blobs were put before; move `tag` to it when one is given."""
        ...


class MemoryArtifacts:
    """A registry in memory."""

    def __init__(self) -> None:
        self._content: dict[tuple[str, Digest], bytes] = {}
        self._manifests: dict[tuple[str, Digest], bytes] = {}
        self._tags: dict[tuple[str, str], Digest] = {}

    def put_blob(self, repository: str, content: bytes) -> Digest:
        digest = Digest.of(content)
        self._content[repository, digest] = content
        return digest

    def put_manifest(self, repository: str, content: bytes, *, tag: str = "") -> Digest:
        digest = Digest.of(content)
        self._manifests[repository, digest] = content
        if tag:
            self._tags[repository, tag] = digest
        return digest

    def forget(self, repository: str, digest: Digest) -> None:
        """Lose a manifest, as a registry whose disk failed would."""
        del self._manifests[repository, digest]

    def manifest(self, repository: str, reference: Digest | str) -> bytes:
        digest = self._tags.get((repository, reference)) if isinstance(reference, str) else reference
        if digest is None or (repository, digest) not in self._manifests:
            raise NotFound(f"There is no manifest {reference} in {repository}.")
        return self._manifests[repository, digest]

    def blob(self, repository: str, digest: Digest, *, most: int) -> bytes:
        content = self._content.get((repository, digest))
        if content is None:
            raise NotFound(f"There is no blob {digest} in {repository}.")
        if len(content) > most:
            raise MalformedEnvelope(f"The blob {digest} has {len(content)} bytes, more than {most}.")
        return content

    def referrers(self, repository: str, subject: Digest) -> list[Artifact]:
        found = []
        for (place, digest), content in self._manifests.items():
            manifest = read_manifest(content)
            if place == repository and (manifest.get("subject") or {}).get("digest") == str(subject):
                found.append(Artifact(digest, str(manifest.get("artifactType", "")), annotations_of(manifest)))
        return found[:MOST_REFERRERS]


def read_manifest(content: bytes) -> dict[str, Any]:
    """A manifest as JSON; raises MalformedEnvelope."""
    if len(content) > MOST_MANIFEST:
        raise MalformedEnvelope(f"A manifest of {len(content)} bytes is not read.")
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedEnvelope(f"This is not a manifest: {str(error)[:200]}.") from error


def descriptor(media_type: str, content: bytes, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """The descriptor of some content (OCI image specification, descriptor.md)."""
    made: dict[str, Any] = {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}
    return made | ({"annotations": annotations} if annotations else {})


def annotations_of(described: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of a manifest or descriptor that are texts."""
    found = described.get("annotations")
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def referrer(
    subject: dict[str, Any], artifact_type: str, layer: dict[str, Any], annotations: Mapping[str, str]
) -> bytes:
    """An artifact manifest with one layer that refers to `subject` (OCI image specification, manifest.md)."""
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": descriptor(EMPTY, EMPTY_CONTENT),
            "layers": [layer],
            "subject": subject,
            "annotations": dict(annotations),
        }
    )


def layers_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers that look like descriptors; raises MalformedEnvelope when there are too many."""
    layers = manifest.get("layers")
    found = [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
    if len(found) > 1_000:
        raise MalformedEnvelope(f"A manifest of {len(found)} layers is not read.")
    return found
