"""Images in tar archives: what `docker save`, `podman save`, `skopeo` and build tools write.

Two forms are read: an OCI image layout as a tar (image-spec 1.1, image-layout.md), and the older form of `docker save`
with a `manifest.json`. Newer engines write both into one archive; then the layout counts, because it has digests.
"""

from __future__ import annotations

import posixpath
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import zstandard

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.source import LayerRef
from lading.supply_chain.registry.copying import FoundManifest
from lading.supply_chain.registry.errors import BlobUnknown, ManifestUnknown
from lading.supply_chain.registry.manifest import MOST_BYTES
from lading.supply_chain.registry.reading import read_config
from lading.supply_chain.scan.choosing import open_image
from lading.supply_chain.scan.errors import TargetInvalid, TargetUnreadable
from lading.supply_chain.scan.image import OpenedImage, checked, chunks_of

_MOST_MEMBERS: Final = 100_000
_MOST_UNPACKED: Final = 64 << 30
_MOST_LINKS: Final = 10
_MOST_LAYERS: Final = 10_000
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_IMAGE_NAME: Final = "io.containerd.image.name"
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class Archive:
    """The members of a tar archive, found once and then read where they lie; no member is ever written to a disk."""

    def __init__(self, handle: IO[bytes], name: str) -> None:
        self._handle = handle
        self._name = name
        self._members: dict[str, tarfile.TarInfo] = {}
        try:
            # The tar file must live as long as its members are read.
            self._tar = tarfile.open(fileobj=handle, mode="r:")  # noqa: SIM115
            for number, member in enumerate(self._tar):
                if number >= _MOST_MEMBERS:
                    raise TargetInvalid(f"{name} has more than {_MOST_MEMBERS} members.")
                self._members[member.name.removeprefix("./").rstrip("/")] = member
        except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError, MemoryError) as error:
            raise TargetInvalid(f"{name} is no readable tar archive: {str(error)[:200]}.") from error
        except OSError as error:
            raise TargetUnreadable(f"{name} cannot be read: {error.strerror or error}.") from error

    def has(self, path: str) -> bool:
        """Whether a file of that name is in it, directly or by a link."""
        return self._file(path) is not None

    def size(self, path: str) -> int:
        """The size of a file; raises TargetInvalid when it is not there."""
        return self._required(path).size

    def read(self, path: str, most: int) -> bytes:
        """A small file; raises TargetInvalid when it is not there or larger than `most` bytes."""
        member = self._required(path)
        if member.size > most:
            raise TargetInvalid(f"{path[:200]} in {self._name} has {member.size} bytes; at most {most} are read.")
        return b"".join(self.chunks(path))

    def chunks(self, path: str) -> Iterator[bytes]:
        """The content of a file in chunks; raises TargetInvalid when it is cut short."""
        member = self._required(path)
        left = member.size
        at = member.offset_data
        while left > 0:
            # Sought every time: several members may be read in turns.
            self._handle.seek(at)
            chunk = next(chunks_of(self._handle, left), b"")
            if not chunk:
                raise TargetInvalid(f"{self._name} ends in the middle of {path[:200]}.", remedy="Save it again.")
            at += len(chunk)
            left -= len(chunk)
            yield chunk

    def _required(self, path: str) -> tarfile.TarInfo:
        found = self._file(path)
        if found is None:
            raise TargetInvalid(f"{self._name} has no {path[:200]}.", remedy="It is not whole: save the image again.")
        return found

    def _file(self, path: str) -> tarfile.TarInfo | None:
        path = posixpath.normpath(path)
        for _ in range(_MOST_LINKS):
            member = self._members.get(path)
            if member is None or member.isreg():
                return member if member is None or not member.issparse() else None
            if member.issym():
                path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
            elif member.islnk():
                path = posixpath.normpath(member.linkname)
            else:
                return None
        return None


class ArchivedLayout:
    """An OCI image layout inside an archive, as an ImageSource; it has no repositories."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._archive = archive
        self._name = name

    def entries(self) -> list[dict[str, Any]]:
        """The descriptors of `index.json`."""
        listed = _json(self._archive.read("index.json", MOST_BYTES), f"index.json of {self._name}").get("manifests")
        if not isinstance(listed, list):
            raise TargetInvalid(f"index.json of {self._name} lists no manifests.")
        return [entry for entry in listed if isinstance(entry, dict)]

    def manifest(self, repository: str, reference: str) -> FoundManifest:
        del repository
        digest = Digest.parse(reference)
        path = _blob(digest)
        if not self._archive.has(path):
            raise ManifestUnknown(f"{self._name} has no manifest {digest}.")
        body = self._archive.read(path, MOST_BYTES)
        named = next((entry.get("mediaType") for entry in self.entries() if entry.get("digest") == reference), None)
        return FoundManifest(str(named or _json(body, reference).get("mediaType", "")), body)

    @contextmanager
    def open_blob(self, repository: str, digest: Digest) -> Iterator[Iterator[bytes]]:
        del repository
        if not self._archive.has(_blob(digest)):
            raise BlobUnknown(f"{self._name} has no blob {digest}.", remedy="It is not whole: save the image again.")
        yield self._archive.chunks(_blob(digest))


@contextmanager
def open_archive(path: Path, *, platform: str = "", image: str = "") -> Iterator[OpenedImage]:
    """Open the image in an archive, plain or compressed with gzip or zstd.

    Args:
        image: which one, by its name in the archive or its digest, where it holds several.

    Raises:
        TargetInvalid: it is no such archive, holds several images or none, or is beyond the bounds.
    """
    try:
        with path.open("rb") as handle, _plain(handle, str(path)) as plain:
            yield from_archive(Archive(plain, str(path)), str(path), platform=platform, image=image)
    except OSError as error:
        raise TargetUnreadable(f"{path} cannot be read: {error.strerror or error}.") from error


def from_archive(
    archive: Archive, name: str, *, platform: str = "", image: str = "", kind: str = "archive"
) -> OpenedImage:
    """The image in an archive; raises as `open_archive`."""
    if archive.has("index.json"):
        layout = ArchivedLayout(archive, name)
        entry = _chosen(layout.entries(), image, name)
        return open_image(layout, "", str(entry.get("digest", "")), name=name, kind=kind, platform=platform)
    if archive.has("manifest.json"):
        return _saved(archive, name, image, kind)
    raise TargetInvalid(
        f"{name} holds no image: it has neither index.json nor manifest.json.",
        remedy="Scan what `docker save` wrote, an OCI image layout, a directory or an SBOM.",
    )


def _saved(archive: Archive, name: str, image: str, kind: str) -> OpenedImage:
    """The older form of `docker save`: uncompressed layers, named by their digests in the configuration."""
    try:
        listed = msgspec.json.decode(archive.read("manifest.json", MOST_BYTES), type=list[_Saved])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TargetInvalid(f"manifest.json of {name} is malformed: {str(error)[:200]}.") from error
    fitting = [one for one in listed if not image or image in one.tags or one.config.startswith(image)]
    if len(fitting) != 1:
        raise _several(name, [one.tags[0] if one.tags else one.config for one in listed])
    saved = fitting[0]
    content = archive.read(saved.config, MOST_BYTES)
    configuration = read_config(content, name)
    rootfs = configuration.get("rootfs")
    digests = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(digests, list) or len(digests) != len(saved.layers) or len(digests) > _MOST_LAYERS:
        raise TargetInvalid(f"{name} does not have the layers that its configuration names.")
    refs = [
        LayerRef(Digest.parse(str(one)), _LAYER, archive.size(at))
        for one, at in zip(digests, saved.layers, strict=True)
    ]
    places = {ref.digest: path for ref, path in zip(refs, saved.layers, strict=True)}

    @contextmanager
    def opened(layer: LayerRef) -> Iterator[IO[bytes]]:
        with checked(archive.chunks(places[layer.digest]), layer.digest) as stream:
            yield stream

    system = [str(configuration.get(key, ""))[:64] for key in ("os", "architecture")]
    return OpenedImage(
        name=saved.tags[0] if saved.tags else name,
        kind=kind,
        digest=Digest.of(content),
        layers=tuple(refs),
        open=opened,
        platform="/".join(system) if all(system) else "",
        configuration=configuration,
    )


class _Saved(msgspec.Struct):
    config: str = msgspec.field(name="Config")
    layers: list[str] = msgspec.field(name="Layers")
    repo_tags: list[str] | None = msgspec.field(name="RepoTags", default=None)

    @property
    def tags(self) -> list[str]:
        return self.repo_tags or []


def _chosen(entries: list[dict[str, Any]], image: str, name: str) -> dict[str, Any]:
    fitting = [entry for entry in entries if not image or image in _names(entry)]
    if len(fitting) != 1 and len({str(entry.get("digest")) for entry in fitting}) != 1:
        raise _several(name, [next(iter(_names(entry)), "?") for entry in entries])
    return fitting[0]


def _names(entry: dict[str, Any]) -> list[str]:
    annotations = entry.get("annotations")
    named = [annotations.get(key) for key in (_IMAGE_NAME, _REF_NAME)] if isinstance(annotations, dict) else []
    return [str(one) for one in (*named, entry.get("digest")) if one]


def _several(name: str, offered: list[str]) -> TargetInvalid:
    shown = ", ".join(one[:100] for one in offered[:10]) or "none"
    return TargetInvalid(
        f"{name} does not hold exactly one such image.", remedy=f"Name one with --image; it has: {shown}."
    )


def _blob(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _json(body: bytes, what: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TargetInvalid(f"{what} is not a JSON object: {str(error)[:200]}.") from error


@contextmanager
def _plain(handle: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """The archive as it is, or unpacked into a nameless file where it is compressed: members are read out of order."""
    magic = handle.read(4)
    handle.seek(0)
    if not magic.startswith((_GZIP, _ZSTD)):
        yield handle
        return
    with tempfile.TemporaryFile() as plain:
        try:
            written = 0
            for chunk in _gunzipped(handle) if magic.startswith(_GZIP) else _unzstd(handle):
                written += len(chunk)
                if written > _MOST_UNPACKED:
                    raise TargetInvalid(f"{name} unpacks to more than {_MOST_UNPACKED >> 30} GiB.")
                plain.write(chunk)
        except (zlib.error, zstandard.ZstdError) as error:
            raise TargetInvalid(f"{name} is damaged: {str(error)[:200]}.") from error
        plain.seek(0)
        yield plain


def _gunzipped(handle: IO[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    for chunk in chunks_of(handle):
        pending = chunk
        while pending:
            yield inflater.decompress(pending, 1 << 20)
            pending = inflater.unconsumed_tail
            if inflater.eof:
                pending, inflater = inflater.unused_data, zlib.decompressobj(wbits=31)


def _unzstd(handle: IO[bytes]) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(handle, read_across_frames=True) as reader:
        yield from chunks_of(reader)
