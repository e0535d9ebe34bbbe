"""An image as a directory in OCI image layout (image-spec 1.1, image-layout.md), as a source to copy from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.supply_chain.registry.copying import Copied, FoundManifest, ImageSink, copy_image
from lading.supply_chain.registry.errors import BlobUnknown, ManifestInvalid, ManifestUnknown
from lading.supply_chain.registry.manifest import MOST_BYTES

_CHUNK: Final = 1 << 20
_NAME: Final = "org.opencontainers.image.ref.name"


class LayoutSource:
    """The images of a layout. A directory has no repositories: their names are ignored."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def only(self) -> str:
        """The digest of the one image that the layout holds; raises ManifestInvalid when it holds none or several."""
        entries = self._entries()
        if len(entries) != 1:
            raise ManifestInvalid(f"{self._directory} holds {len(entries)} images.", remedy="Name one by its digest.")
        return str(entries[0].get("digest", ""))

    def manifest(self, repository: str, reference: str) -> FoundManifest:
        del repository
        digest = reference if ":" in reference else self._named(reference)
        path = self._path(Digest.parse(digest))
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise ManifestUnknown(f"{self._directory} has no manifest {digest}.")
        body = path.read_bytes()
        return FoundManifest(self._media_type(digest, body), body)

    @contextmanager
    def open_blob(self, repository: str, digest: Digest) -> Iterator[Iterator[bytes]]:
        del repository
        path = self._path(digest)
        if not path.is_file():
            raise BlobUnknown(f"{self._directory} has no blob {digest}.")
        with path.open("rb") as handle:
            yield iter(lambda: handle.read(_CHUNK), b"")

    def _path(self, digest: Digest) -> Path:
        return self._directory / "blobs" / digest.algorithm / digest.hex

    def _named(self, tag: str) -> str:
        for entry in self._entries():
            annotations = entry.get("annotations")
            if isinstance(annotations, dict) and annotations.get(_NAME) == tag:
                return str(entry.get("digest", ""))
        raise ManifestUnknown(f"{self._directory} has no image named {tag[:140]!r}.")

    def _media_type(self, digest: str, body: bytes) -> str:
        listed = next((entry.get("mediaType") for entry in self._entries() if entry.get("digest") == digest), None)
        return str(listed or _document(body, digest).get("mediaType", ""))

    def _entries(self) -> list[dict[str, Any]]:
        path = self._directory / "index.json"
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise ManifestInvalid(f"{self._directory} is no OCI image layout: it has no index.json.")
        entries = _document(path.read_bytes(), str(path)).get("manifests")
        if not isinstance(entries, list):
            raise ManifestInvalid(f"{path} lists no manifests.")
        return [entry for entry in entries if isinstance(entry, dict)]


def push_layout(directory: Path, sink: ImageSink, repository: str, tag: str) -> Copied:
    """Push the one image of a layout under a tag; raises ManifestInvalid and what the sink raises."""
    source = LayoutSource(directory)
    return copy_image(source, repository, source.only(), sink, tag=tag)


def _document(body: bytes, what: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidInput) as error:
        raise ManifestInvalid(f"{what} is not a JSON object: {error}.") from error
