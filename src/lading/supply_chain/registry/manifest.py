"""Read a manifest or an index once, at the edge: bounded, checked, and reduced to what the registry must know.

Source: OCI image specification 1.1 (manifest.md, image-index.md) and Docker image manifest version 2, schema 2.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.supply_chain.registry.errors import ManifestInvalid

MOST_BYTES: Final = 4 << 20
MOST_PARTS: Final = 10_000
MOST_DEPTH: Final = 64
# How deep indexes may list indexes and still be judged, copied and served.
MOST_NESTING: Final = 100
_MOST_TYPE: Final = 255
_MOST_SIZE: Final = 1 << 50

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
EMPTY_CONFIG: Final = "application/vnd.oci.empty.v1+json"
# What engines take for the configuration of an image; the last two only because old registries served them.
RUNNABLE_CONFIGS: Final = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
        "application/octet-stream",
        "",
    }
)
LAYERS: Final = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
COSIGN_PAYLOAD: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE_ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
# The kinds of layers that cosign's older tags hold, each with the most bytes of one; and of all of a manifest together.
_SIGNATURES: Final = {COSIGN_PAYLOAD: 64 << 10, DSSE_ENVELOPE: 32 << 20}
_MOST_SIGNATURES: Final = 64 << 20
_FOREIGN: Final = (
    "application/vnd.oci.image.layer.nondistributable.",
    "application/vnd.docker.image.rootfs.foreign.",
)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something a manifest is made of. `role` is `layer`, `config` or `manifest`; `platform` is `os/architecture`."""

    role: str
    digest: Digest
    media_type: str
    size: int
    platform: str = ""
    foreign: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry knows of a manifest or index."""

    digest: Digest
    media_type: str
    size: int
    parts: tuple[Part, ...]
    artifact_type: str
    refers_to: Digest | None
    annotations: dict[str, str]

    @property
    def is_index(self) -> bool:
        """Whether it lists other manifests."""
        return self.media_type in INDEXES

    @property
    def is_runnable(self) -> bool:
        """Whether an engine might run it. In doubt it might: what is not runnable needs no approval of its own."""
        if self.is_index:
            return any(part.media_type in IMAGES | INDEXES for part in self.parts)
        return any(
            part.media_type in RUNNABLE_CONFIGS if part.role == "config" else part.media_type.startswith(LAYERS)
            for part in self.parts
        )

    @property
    def signature_kind(self) -> str:
        """What it holds if it has the shape of signatures as cosign tags them: simple-signing payloads, or envelopes.

        Empty for everything else: other layers, both kinds at once, or more bytes than are looked at.
        """
        layers = self.of_role("layer")
        kind = layers[0].media_type if layers else ""
        small = all(part.media_type == kind and part.size <= _SIGNATURES.get(kind, -1) for part in layers)
        return kind if small and sum(part.size for part in layers) <= _MOST_SIGNATURES else ""

    def of_role(self, role: str) -> tuple[Part, ...]:
        """Its parts of one role, in order."""
        return tuple(part for part in self.parts if part.role == role)


def read_manifest(body: bytes, media_type: str, algorithm: str = "sha256") -> Manifest:
    """Check a manifest.

    Raises:
        ManifestInvalid: too large, too deep, not JSON, not of its media type, or with malformed descriptors.
    """
    if len(body) > MOST_BYTES:
        raise ManifestInvalid(f"The manifest has {len(body)} bytes; at most {MOST_BYTES} are taken.")
    document = _json(body)
    kind = _kind(document, media_type)
    if kind in INDEXES:
        parts = _descriptors(document.get("manifests"), "manifest")
    else:
        parts = _descriptors([document.get("config")], "config") + _descriptors(document.get("layers"), "layer")
    subject = document.get("subject")
    refers_to = _descriptors([subject], "subject")[0].digest if subject is not None else None
    config = next((part for part in parts if part.role == "config"), None)
    artifact = document.get("artifactType") or (config.media_type if config else "")
    if not isinstance(artifact, str) or len(artifact) > _MOST_TYPE or "\0" in artifact:
        raise ManifestInvalid("The manifest's artifactType is not a short text.")
    return Manifest(
        digest=Digest.of(body, algorithm),
        media_type=kind,
        size=len(body),
        parts=parts,
        artifact_type=artifact,
        refers_to=refers_to,
        annotations=_annotations(document.get("annotations")),
    )


def _kind(document: dict[str, Any], media_type: str) -> str:
    """The media type. A manifest that could be read as two kinds is refused: others might read it as the other one."""
    declared = document.get("mediaType", "")
    kind = media_type.partition(";")[0].strip() or str(declared)
    if kind not in IMAGES | INDEXES:
        raise ManifestInvalid(f"{kind[:120] or 'No media type'} is not a manifest this registry takes.")
    if declared != kind and (declared or kind in (DOCKER_MANIFEST, DOCKER_LIST)):
        raise ManifestInvalid(f"It was sent as {kind} but calls itself {str(declared)[:120] or 'nothing'}.")
    if document.get("schemaVersion") != 2:
        raise ManifestInvalid("Its schemaVersion is not 2.", remedy="Push it with a client of this decade.")
    if "manifests" in document and ("layers" in document or "config" in document):
        raise ManifestInvalid("It has the members of an index and of an image at once.")
    return kind


def _json(body: bytes) -> dict[str, Any]:
    if _depth(body) > MOST_DEPTH:
        raise ManifestInvalid(f"The manifest is nested deeper than {MOST_DEPTH} levels.")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ManifestInvalid(f"The manifest is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise ManifestInvalid("The manifest is not a JSON object.")
    return document


def _depth(body: bytes) -> int:
    """The deepest nesting of brackets; those inside strings count too, which only makes the bound stricter."""
    deepest = depth = 0
    for byte in body.translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def _descriptors(items: Any, role: str) -> tuple[Part, ...]:
    if not isinstance(items, list):
        raise ManifestInvalid(f"The manifest has no list of {role}s.")
    if len(items) > MOST_PARTS:
        raise ManifestInvalid(f"The manifest has more than {MOST_PARTS} {role}s.")
    return tuple(_descriptor(item, role) for item in items)


def _descriptor(item: Any, role: str) -> Part:
    if not isinstance(item, dict):
        raise ManifestInvalid(f"A {role} of the manifest is not a descriptor.")
    media_type, size = item.get("mediaType"), item.get("size")
    if not isinstance(media_type, str) or len(media_type) > _MOST_TYPE or "\0" in media_type:
        raise ManifestInvalid(f"A {role} of the manifest has no media type.")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MOST_SIZE:
        raise ManifestInvalid(f"A {role} of the manifest has no size.")
    try:
        digest = Digest.parse(str(item.get("digest", "")))
    except InvalidInput as error:
        raise ManifestInvalid(f"A {role} of the manifest has no valid digest: {error.what}") from error
    platform = item.get("platform")
    shown = ""
    if isinstance(platform, dict):
        shown = "/".join(str(platform.get(key, ""))[:64] for key in ("os", "architecture")).replace("\0", "")
    foreign = media_type.startswith(_FOREIGN)
    return Part(role=role, digest=digest, media_type=media_type, size=size, platform=shown, foreign=foreign)


def _annotations(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ManifestInvalid("The manifest's annotations are not a map of texts.")
    return dict(value)
