"""An upstream in memory, that counts what it is asked and fails when told: for tests and drills."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lading.kernel.digest import Digest
from lading.supply_chain.registry.copying import FoundManifest
from lading.supply_chain.registry.errors import BlobUnknown, ManifestUnknown
from lading.supply_chain.registry.manifest import read_manifest
from lading.supply_chain.registry.mirroring.quota import Quota
from lading.supply_chain.registry.mirroring.upstream_registry import Looked

_CHUNK = 1 << 20


@dataclass
class _Repository:
    manifests: dict[str, FoundManifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)


class MemoryUpstream:
    """Holds images in dictionaries.

    `asked` counts requests by method and what they name. `before`, where it is set, is called with both before each
    request and may raise.
    """

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.before: Callable[[str, str], None] = lambda _method, _what: None
        self.said: Quota | None = None
        self._repositories: dict[str, _Repository] = {}
        self._lock = threading.Lock()

    # Filling it

    def put_blob(self, repository: str, content: bytes, digest: Digest | None = None) -> Digest:
        """Hold a blob, under another digest than its own when it is to lie."""
        digest = digest or Digest.of(content)
        self._repositories.setdefault(repository, _Repository()).blobs[str(digest)] = content
        return digest

    def put_manifest(
        self, repository: str, media_type: str, body: bytes, *, tag: str = "", digest: Digest | None = None
    ) -> Digest:
        """Hold a manifest, under another digest than its own when it is to lie."""
        digest = digest or Digest.of(body)
        here = self._repositories.setdefault(repository, _Repository())
        here.manifests[str(digest)] = FoundManifest(media_type, body)
        if tag:
            here.tags[tag] = str(digest)
        return digest

    def remove_tag(self, repository: str, tag: str) -> None:
        """Hold a tag no longer."""
        del self._repositories[repository].tags[tag]

    # The port

    def manifest(self, repository: str, reference: str) -> FoundManifest:
        here = self._ask("manifest", repository, reference)
        found = here.manifests.get(here.tags.get(reference, reference))
        if found is None:
            raise ManifestUnknown(f"The upstream has no {repository} {reference}.")
        return found

    @contextmanager
    def open_blob(self, repository: str, digest: Digest) -> Iterator[Iterator[bytes]]:
        content = self._ask("blob", repository, str(digest)).blobs.get(str(digest))
        if content is None:
            raise BlobUnknown(f"The upstream has no blob {digest} in {repository}.")
        yield (content[at : at + _CHUNK] for at in range(0, len(content), _CHUNK))

    def referrers(self, repository: str, digest: Digest) -> list[Digest]:
        here = self._ask("referrers", repository, str(digest))
        found = []
        for name, manifest in here.manifests.items():
            if read_manifest(manifest.body, manifest.media_type).refers_to == digest:
                found.append(Digest.parse(name))
        return found

    def has_manifest(self, repository: str, reference: str) -> bool:
        here = self._ask("has", repository, reference)
        return here.tags.get(reference, reference) in here.manifests

    def look(self, repository: str, tag: str, etag: str = "") -> Looked:
        digest = self._ask("look", repository, tag).tags.get(tag)
        if digest is None:
            raise ManifestUnknown(f"The upstream has no {repository} {tag}.")
        return Looked(digest, f'"{digest}"', unchanged=etag == f'"{digest}"')

    def tags(self, repository: str) -> Iterator[str]:
        here = self._ask("tags", repository, "")
        if repository not in self._repositories:
            raise ManifestUnknown(f"The upstream has no {repository}.")
        yield from sorted(here.tags)

    def repositories(self) -> Iterator[str]:
        self._ask("repositories", "", "")
        yield from sorted(self._repositories)

    def quota(self) -> Quota | None:
        return self.said

    def _ask(self, method: str, repository: str, what: str) -> _Repository:
        with self._lock:
            self.asked[method, what] += 1
        self.before(method, what)
        return self._repositories.get(repository, _Repository())
