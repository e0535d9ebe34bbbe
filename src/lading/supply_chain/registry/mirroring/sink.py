"""Our registry as the place that images of an upstream are brought to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.copies import OurSink
from lading.supply_chain.registry.errors import ManifestUnknown
from lading.supply_chain.registry.manifest import Part, read_manifest
from lading.supply_chain.registry.mirroring.errors import NotMirrored
from lading.supply_chain.registry.registry import Registry

# What builders list beside images is small, and may be about any of them.
_NO_PLATFORM: Final = ("", "unknown/unknown")
_SIGNATURES: Final = re.compile(r"sha(?:256|512)-[0-9a-f]{64,128}\.(?:sig|att)")


class MirrorSink(OurSink):
    """Takes images in for one upstream; of an index, those for some platforms.

    Args:
        last: the manifest that is put only by `finish`: it is here when all that refers to it is here, too.
    """

    def __init__(
        self, registry: Registry, visitor: Visitor, platforms: Sequence[str], last: Digest | None = None
    ) -> None:
        super().__init__(registry, visitor)
        self._registry_of_ours = registry
        self._visitor_of_ours = visitor
        self._platforms = platforms
        self._last = last
        self._held: tuple[str, str, bytes] | None = None

    def wanted(self, part: Part) -> bool:
        """Whether an image of an index comes along with it."""
        return not self._platforms or part.platform in self._platforms or part.platform in _NO_PLATFORM

    def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes) -> Digest:
        manifest = read_manifest(body, media_type, reference.partition(":")[0] if ":" in reference else "sha256")
        members = manifest.of_role("manifest")
        real = [part for part in members if part.platform not in _NO_PLATFORM]
        if real and not any(map(self.wanted, real)):
            offered = ", ".join(sorted({part.platform for part in real}))
            raise NotMirrored(
                f"{repository}@{manifest.digest} has no image for {', '.join(self._platforms)}.",
                remedy=f"It has: {offered}. The upstream's platforms say which are mirrored.",
            )
        if _SIGNATURES.fullmatch(reference):
            return self._add_signatures(repository, reference, media_type, body)
        if manifest.digest == self._last:
            self._held = (repository, media_type, body)
            return manifest.digest
        left_out = frozenset(part.digest for part in members if not self.wanted(part))
        put = self._registry_of_ours.put_manifest(
            repository, reference, media_type, body, self._visitor_of_ours, without=left_out
        )
        return put.digest

    def finish(self) -> None:
        """Put what was held back."""
        if self._held is not None:
            repository, media_type, body = self._held
            digest, self._last, self._held = self._last, None, None
            self.put_manifest(repository, str(digest), media_type, body)

    def _add_signatures(self, repository: str, tag: str, media_type: str, body: bytes) -> Digest:
        """Put signatures beside those that are here under the same tag, such as our own: none gets lost.

        When both together are more than a signature may be, what is here stays, and theirs is there by its digest.
        """
        ours, visitor = self._registry_of_ours, self._visitor_of_ours
        algorithm = tag.partition("-")[0]
        theirs = read_manifest(body, media_type, algorithm).digest
        try:
            here = ours.resolve(repository, tag)
        except ManifestUnknown:
            return ours.put_manifest(repository, tag, media_type, body, visitor).digest
        kept = msgspec.json.decode(ours.manifest(here.digest))
        known = {layer["digest"] for layer in kept["layers"]}
        new = [layer for layer in msgspec.json.decode(body)["layers"] if layer["digest"] not in known]
        both = msgspec.json.encode(kept | {"layers": [*kept["layers"], *new]})
        if new and read_manifest(both, here.media_type).signature_kind:
            ours.put_manifest(repository, tag, here.media_type, both, visitor)
        # Last, because it says that theirs are here.
        ours.put_manifest(repository, str(theirs), media_type, body, visitor, named=tag)
        return theirs
