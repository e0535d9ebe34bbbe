"""Make one thing of the tree as it should be, whatever it was before. After `wanted` said how, `files` does it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.reference import is_tag
from lading.supply_chain.registry.content import Content
from lading.supply_chain.registry.errors import ManifestInvalid
from lading.supply_chain.registry.manifest import MOST_BYTES, read_manifest
from lading.supply_chain.registry.referring import is_schema_tag
from lading.supply_chain.registry.tree import layout
from lading.supply_chain.registry.tree.files import TreeFiles
from lading.supply_chain.registry.tree.wanted import Pair, Shown, Wanted

_log: Final = logging.getLogger(__name__)


class Settling:
    """Settles manifests, tags, blobs and lists of repositories.

    What goes, goes first: the manifest, its tags, its blobs. What comes, comes last.
    """

    def __init__(self, wanted: Wanted, content: Content, files: TreeFiles) -> None:
        self._wanted = wanted
        self._content = content
        self._files = files

    def manifests(self, pairs: Iterable[Pair]) -> None:
        """Settle several: first what is not served any more, then what is."""
        served: list[tuple[str, Digest, Shown]] = []
        gone: list[tuple[str, set[Digest]]] = []
        for repository, digest in sorted(pairs):
            shown = self._wanted.shown(repository, digest)
            if shown is not None and shown.served:
                served.append((repository, digest, shown))
            else:
                gone.append((repository, self._take_out(repository, digest, shown)))
        for repository, parts in gone:
            for part in sorted(parts):
                self.blob(repository, part)
        for repository, digest, shown in served:
            self._put_in(repository, digest, shown)

    def manifest(self, repository: str, digest: Digest) -> Shown | None:
        """Settle one; how it is shown now."""
        shown = self._wanted.shown(repository, digest)
        if shown is not None and shown.served:
            self._put_in(repository, digest, shown)
        else:
            for part in sorted(self._take_out(repository, digest, shown)):
                self.blob(repository, part)
        return shown

    def tag(self, repository: str, tag: str) -> None:
        """Settle a tag: it leads to its manifest, or to why that is refused.

        What a tag of the referrers tag schema answers with is put together by the pull endpoint.
        """
        place = layout.tag(repository, tag)
        digest = self._wanted.tagged(repository, tag) if is_tag(tag) and not is_schema_tag(tag) else None
        ends = [*layout.manifests(repository, digest), layout.refusal(repository, digest)] if digest else []
        end = next((end for end in ends if self._files.exists(end)), None)
        if end is None:
            self._files.remove(place)
        else:
            self._files.point(place, f"../{end.parent.name}/{end.name}")

    def blob(self, repository: str, digest: Digest) -> None:
        """Settle a blob. One whose file is not there is left to the pull endpoint, which says so."""
        place, file = layout.blob(repository, digest), self._content.file(digest)
        if file is None or not self._wanted.serves_blob(repository, digest):
            self._files.remove(place)
        else:
            self._files.link(place, file)

    def tag_list(self, repository: str) -> None:
        """Settle the list of the tags."""
        self._document(layout.tag_list(repository), self._wanted.tag_list(repository))

    # How it is done

    def _take_out(self, repository: str, digest: Digest, shown: Shown | None) -> set[Digest]:
        """Serve a manifest no more; returns the blobs that it may have been the last to need."""
        places = layout.manifests(repository, digest)
        parts = self._wanted.parts(repository, digest)
        for place in places:
            parts |= self._parts_there(place, digest)
            self._files.remove(place)
        self._document(layout.refusal(repository, digest), shown.refusal if shown else b"")
        self._files.remove(layout.referrers(repository, digest))
        for tag in shown.tags if shown else ():
            self.tag(repository, tag)
        return parts

    def _put_in(self, repository: str, digest: Digest, shown: Shown) -> None:
        for part in shown.parts:
            file = self._content.file(part)
            if file is not None and not self._files.link(layout.blob(repository, part), file):
                _log.warning(
                    "a blob of a served image has no file", extra={"repository": repository, "blob": str(part)}
                )
        place, file = layout.manifest(repository, digest, shown.media_type), self._content.file(digest)
        if file is not None:
            self._files.link(place, file, copied=True)
        elif not self._files.exists(place):
            with self._content.open(digest) as stream:
                self._files.write(place, stream.read(MOST_BYTES))
        for other in layout.manifests(repository, digest):
            if other != place:
                self._files.remove(other)
        self._files.remove(layout.refusal(repository, digest))
        self._document(layout.referrers(repository, digest), shown.referrers)
        for tag in shown.tags:
            self.tag(repository, tag)

    def _document(self, place: PurePosixPath, content: bytes) -> None:
        if content:
            self._files.write(place, content)
        else:
            self._files.remove(place)

    def _parts_there(self, place: PurePosixPath, digest: Digest) -> set[Digest]:
        """The blobs that a manifest in the tree names: the database may have forgotten them."""
        media_type = next(kind for kind, ending in layout.ENDINGS.items() if place.name.endswith(f".{ending}"))
        try:
            content = self._files.path(place).read_bytes()
            manifest = read_manifest(content, media_type, digest.algorithm)
        except (OSError, ManifestInvalid):
            return set()
        return {part.digest for part in manifest.parts if part.role != "manifest"}


def subject_of(content: Content, digest: Digest) -> Digest | None:
    """What a manifest refers to, read from its content.

    Raises:
        BlobUnknown: its content is gone.
        ManifestInvalid: it is not a manifest.
    """
    with content.open(digest) as stream:
        body = stream.read(MOST_BYTES + 1)
    for media_type in layout.ENDINGS:
        try:
            return read_manifest(body, media_type, digest.algorithm).refers_to
        except ManifestInvalid:
            continue
    raise ManifestInvalid(f"{digest} is no manifest.")


def known_names(files: TreeFiles, repository: str, *areas: str) -> set[Digest]:
    """The digests that something in some areas of a repository is named by; whatever has another name is removed."""
    found = set()
    for area in areas:
        for name in files.names(repository, area):
            try:
                found.add(layout.digest_of(name))
            except InvalidInput:
                files.remove(layout.repository(repository) / area / name)
    return found
