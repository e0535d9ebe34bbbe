"""Bring images from an upstream registry into ours. They start in quarantine: an origin proves nothing."""

from __future__ import annotations

from typing import Final

from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.registry.copying import Copied, ImageSink, ImageSource, copy_image

DEFAULT_PLATFORM: Final = "linux/amd64"


class UpstreamMirror:
    """Copies what is asked for from one upstream, under the same path."""

    def __init__(self, upstream: ImageSource, into: ImageSink, *, platform: str = DEFAULT_PLATFORM) -> None:
        self._upstream = upstream
        self._into = into
        self._platform = platform

    def fetch(self, wanted: Reference) -> Digest:
        """Copy an image; returns the digest that it has here.

        A tag brings the image for our platform; a digest brings exactly what it names, which may be an index.

        Raises:
            ManifestUnknown: the upstream has no such image.
            RemoteFailed, RemoteDenied: it does not answer, or does not let us in.
            ContentMismatch: it serves something else than the digest names.
        """
        return mirror(wanted, self._upstream, self._into, platform="" if wanted.digest else self._platform).digest


def mirror(wanted: Reference, upstream: ImageSource, into: ImageSink, *, platform: str = "") -> Copied:
    """Copy one image under its own path and tag. Raises as `UpstreamMirror.fetch`."""
    reference = str(wanted.digest) if wanted.digest else wanted.tag or "latest"
    return copy_image(upstream, wanted.path, reference, into, tag=wanted.tag, platform=platform)
