"""Our registry as the place that images of an upstream are brought to."""

from __future__ import annotations

from collections.abc import Sequence

from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.copies import OurSink
from lading.supply_chain.registry.manifest import Part, read_manifest
from lading.supply_chain.registry.mirroring.errors import NotMirrored
from lading.supply_chain.registry.registry import Registry

# What builders list beside images is small, and may be about any of them.
_NO_PLATFORM = ("", "unknown/unknown")


class MirrorSink(OurSink):
    """Takes images in for one upstream; of an index, those for some platforms."""

    def __init__(self, registry: Registry, visitor: Visitor, platforms: Sequence[str]) -> None:
        super().__init__(registry, visitor)
        self._registry_of_ours = registry
        self._visitor_of_ours = visitor
        self._platforms = platforms

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
        left_out = frozenset(part.digest for part in members if not self.wanted(part))
        put = self._registry_of_ours.put_manifest(
            repository, reference, media_type, body, self._visitor_of_ours, without=left_out
        )
        return put.digest
