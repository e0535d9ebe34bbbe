"""Copy an image from somewhere to somewhere: from a registry, a directory, into a registry, into ours.

Every byte is checked against the digest that named it, down from the digest or tag that was asked for. Blobs go before
the manifests that name them, so the target never holds an incomplete image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import ContentMismatch, ManifestInvalid
from lading.supply_chain.registry.manifest import IMAGES, INDEXES, MOST_NESTING, Manifest, Part, read_manifest

_MOST_MANIFESTS: Final = 1_000


class FoundManifest(NamedTuple):
    """A manifest as it was found somewhere: not checked yet."""

    media_type: str
    body: bytes


class ImageSource(Protocol):
    """Where images come from. Errors are RegistryErrors."""

    def manifest(self, repository: str, reference: str) -> FoundManifest:
        """The manifest under a tag or digest; raises ManifestUnknown."""
        ...

    def open_blob(self, repository: str, digest: Digest) -> AbstractContextManager[Iterator[bytes]]:
        """The content of a blob in chunks; raises BlobUnknown."""
        ...


class ImageSink(Protocol):
    """Where images go. Errors are RegistryErrors."""

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Whether the blob is there already."""
        ...

    def put_blob(self, repository: str, digest: Digest, chunks: Iterable[bytes]) -> None:
        """Keep a blob; raises DigestInvalid, and keeps nothing, when the chunks are something else."""
        ...

    def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes) -> Digest:
        """Keep a manifest whose parts are there already."""
        ...


@dataclass(slots=True)
class Copied:
    """What a copy did. `moved` of `blobs` had to be sent, `bytes` in all; the others were there."""

    digest: Digest
    blobs: int = 0
    moved: int = 0
    bytes: int = 0
    manifests: set[Digest] = field(default_factory=set)


Wanted = Callable[[Part], bool]


def everything(_part: Part) -> bool:
    """Every image of an index is wanted."""
    return True


def copy_image(
    source: ImageSource,
    repository: str,
    reference: str,
    sink: ImageSink,
    *,
    to: str = "",
    tag: str = "",
    platform: str = "",
    wanted: Wanted = everything,
) -> Copied:
    """Copy an image, or an index and all that it lists.

    Args:
        reference: a tag or digest of the source.
        to: repository in the sink; the same when empty.
        tag: tag in the sink; the source's when empty; none when that is a digest.
        platform: of an index, copy only the image for this `os/architecture`; all of it when empty.
        wanted: which images come along with an index; the sink must know that the others don't.

    Raises:
        ContentMismatch: the source serves something else than was asked for.
        ManifestInvalid, ManifestUnknown: there is no such image, or it is malformed.
    """
    manifest, body = fetch_manifest(source, repository, reference)
    if platform and manifest.is_index:
        manifest, body = fetch_manifest(source, repository, str(_member(manifest, platform).digest))
    copied = Copied(manifest.digest)
    target = to or repository
    _copy_parts(source, repository, sink, target, manifest, copied, wanted, MOST_NESTING)
    name = tag or (str(manifest.digest) if ":" in reference else reference)
    sink.put_manifest(target, name, manifest.media_type, body)
    return copied


def _copy_parts(
    source: ImageSource,
    repository: str,
    sink: ImageSink,
    target: str,
    manifest: Manifest,
    copied: Copied,
    wanted: Wanted,
    depth: int,
) -> None:
    copied.manifests.add(manifest.digest)
    if depth == 0 or len(copied.manifests) > _MOST_MANIFESTS:
        raise ManifestInvalid(f"The index {copied.digest} is nested too deeply or lists too many images.")
    for part in manifest.parts:
        if part.role == "manifest" and part.media_type in IMAGES | INDEXES:
            if part.digest not in copied.manifests and wanted(part):
                member, body = fetch_manifest(source, repository, str(part.digest))
                _copy_parts(source, repository, sink, target, member, copied, wanted, depth - 1)
                sink.put_manifest(target, str(member.digest), member.media_type, body)
        elif not part.foreign:
            _copy_blob(source, repository, sink, target, part, copied)


def _copy_blob(source: ImageSource, repository: str, sink: ImageSink, target: str, part: Part, copied: Copied) -> None:
    copied.blobs += 1
    if sink.has_blob(target, part.digest):
        return
    with source.open_blob(repository, part.digest) as chunks:
        sink.put_blob(target, part.digest, _bounded(chunks, part))
    copied.moved += 1
    copied.bytes += part.size


def _bounded(chunks: Iterator[bytes], part: Part) -> Iterator[bytes]:
    """The chunks of a blob, no more than its descriptor says."""
    left = part.size
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise ContentMismatch(f"The source serves more than the {part.size} bytes of {part.digest}.")
        yield chunk


def fetch_manifest(source: ImageSource, repository: str, reference: str) -> tuple[Manifest, bytes]:
    """A manifest and its bytes, checked against the digest that named it; raises ContentMismatch and as the source."""
    wanted = Digest.parse(reference) if ":" in reference else None
    found = source.manifest(repository, reference)
    algorithm = wanted.algorithm if wanted else "sha256"
    # Before it is read: what was changed on its way is that, and not merely malformed.
    if wanted is not None and (served := Digest.of(found.body, algorithm)) != wanted:
        raise ContentMismatch(f"The source serves {served} for {repository}@{wanted}.")
    return read_manifest(found.body, found.media_type, algorithm), found.body


def _member(index: Manifest, platform: str) -> Part:
    found = next((part for part in index.parts if part.platform == platform), None)
    if found is None:
        offered = ", ".join(sorted({part.platform for part in index.parts if part.platform})) or "none"
        raise ManifestInvalid(f"The index {index.digest} has no image for {platform}.", remedy=f"It has: {offered}.")
    return found
