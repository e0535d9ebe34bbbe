"""Copy an image with what refers to it: signatures, attestations and whatever else, from any registry to any other.

    image or index -> tag                copied by `copying`, every byte checked
      <- its referrers                   the referrers API, or the tag that stands in for it (distribution 1.1)
      <- sha256-….sig|.att|.sbom         tags of cosign
    and the same for each image of an index, and for the referrers themselves

What is copied into this registry starts where its digest stands here; what is new starts in quarantine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx
import msgspec

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.copying import (
    FoundManifest,
    ImageSink,
    ImageSource,
    Wanted,
    copy_image,
    everything,
)
from lading.supply_chain.registry.errors import ManifestUnknown, RemoteFailed
from lading.supply_chain.registry.local import RegistrySink
from lading.supply_chain.registry.manifest import INDEXES, MOST_BYTES
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.replication.remote import PushedTo
from lading.supply_chain.registry.replication.source import LocalSource
from lading.supply_chain.registry.serving import Serving

_MOST_REFERRERS: Final = 1_000
_MOST_PAGES: Final = 20
_COSIGN: Final = ("sig", "att", "sbom")


class ReferringSource(ImageSource, Protocol):
    """A source that knows what refers to an image."""

    def has_manifest(self, repository: str, reference: str) -> bool:
        """Whether there is such a tag or manifest, asked as cheaply as the source can be asked."""
        ...

    def referrers(self, repository: str, digest: Digest) -> list[Digest]:
        """The manifests whose subject is `digest`; none where the source keeps no such list."""
        ...


class CopyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy brought over. `moved` of `blobs` were not there yet; `bytes` are theirs."""

    digest: str
    manifests: int
    referrers: int
    blobs: int
    moved: int
    bytes: int


def copy_everything(
    source: ReferringSource,
    repository: str,
    reference: str,
    sink: ImageSink,
    *,
    to: str,
    tag: str = "",
    platform: str = "",
    wanted: Wanted = everything,
    say: Callable[[str], None] = lambda _text: None,
) -> CopyResult:
    """Copy an image or index with everything that refers to it, or to an image that it lists and that is wanted.

    Raises:
        as `copy_image`; what was copied before stays, so that the same copy goes on from there.
    """
    copied = copy_image(source, repository, reference, sink, to=to, tag=tag, platform=platform, wanted=wanted)
    say(f"{copied.digest}: {copied.moved} of {copied.blobs} blobs, {copied.bytes / 1e6:.1f} MB")
    whole = [copied]
    waiting, seen = list(copied.manifests), set(copied.manifests)
    while waiting and len(whole) <= _MOST_REFERRERS:
        subject = waiting.pop(0)
        for name in (*map(str, source.referrers(repository, subject)), *_cosign_tags(source, repository, subject)):
            brought = copy_image(source, repository, name, sink, to=to, tag="" if ":" in name else name)
            if brought.digest not in seen:
                say(f"{name} refers to {subject}")
                seen.add(brought.digest)
                whole.append(brought)
                waiting.append(brought.digest)
    return CopyResult(
        digest=str(copied.digest),
        manifests=sum(len(one.manifests) for one in whole),
        referrers=len(whole) - 1,
        blobs=sum(one.blobs for one in whole),
        moved=sum(one.moved for one in whole),
        bytes=sum(one.bytes for one in whole),
    )


def _cosign_tags(source: ReferringSource, repository: str, subject: Digest) -> Iterator[str]:
    for kind in _COSIGN:
        tag = f"{subject.algorithm}-{subject.hex}.{kind}"
        if source.has_manifest(repository, tag):
            yield tag


class OurSource(LocalSource):
    """This registry as a source. `serving` is given where what is copied leaves: only what may be pulled goes."""

    def __init__(self, registry: Reading, serving: Serving | None = None) -> None:
        super().__init__(registry)
        self._reading = registry
        self._serving = serving

    def manifest(self, repository: str, reference: str) -> FoundManifest:
        if self._serving is not None:
            self._serving.check_manifest(repository, self._reading.resolve(repository, reference).digest)
        return super().manifest(repository, reference)

    def has_manifest(self, repository: str, reference: str) -> bool:
        try:
            self.manifest(repository, reference)
        except ManifestUnknown:
            return False
        return True

    def referrers(self, repository: str, digest: Digest) -> list[Digest]:
        found = self._reading.referrers(repository, digest, limit=_MOST_REFERRERS)["manifests"]
        return [Digest.parse(item["digest"]) for item in found]


class OurSink(RegistrySink):
    """This registry as a sink. Blobs of `source`, a repository of this registry too, are mounted and never moved."""

    def __init__(self, registry: Registry, visitor: Visitor, source: str = "") -> None:
        super().__init__(registry, visitor)
        self._ours = registry
        self._whose = visitor
        self._source = source

    def has_blob(self, repository: str, digest: Digest) -> bool:
        if super().has_blob(repository, digest):
            return True
        return bool(self._source) and self._ours.mount(repository, digest, self._source, self._whose)


class TheirRegistry(PushedTo):
    """Any other registry, as source and as sink."""

    def referrers(self, repository: str, digest: Digest) -> list[Digest]:
        path, found = f"/v2/{repository}/referrers/{digest}", list[Digest]()
        for _ in range(_MOST_PAGES):
            with self._answer("GET", path, repository) as answer:
                if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
                    return self._by_tag(repository, digest)
                self._expect(answer, httpx.codes.OK)
                found += _listed(_bounded(answer.iter_bytes(1 << 16)))
                following = answer.links.get("next", {}).get("url", "")
            if not following or len(found) >= _MOST_REFERRERS:
                break
            path = following
        return found[:_MOST_REFERRERS]

    def _by_tag(self, repository: str, digest: Digest) -> list[Digest]:
        """The list under the tag that stands in for the referrers API."""
        try:
            index = self.manifest(repository, quote(f"{digest.algorithm}-{digest.hex}"[:128]))
        except ManifestUnknown:
            return []
        return _listed(index.body) if index.media_type in INDEXES else []


def _bounded(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MOST_BYTES:
            raise RemoteFailed(f"The registry lists referrers in more than {MOST_BYTES} bytes.")
    return bytes(body)


def _listed(body: bytes) -> list[Digest]:
    try:
        items: Any = json.loads(body)["manifests"]
        return [Digest.parse(str(item["digest"])) for item in items][:_MOST_REFERRERS]
    except (ValueError, KeyError, TypeError, RecursionError, InvalidInput) as error:
        raise RemoteFailed("The registry answers no list of referrers.") from error
