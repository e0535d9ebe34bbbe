"""All feeds in one signed file, for a Lading that reaches no network: a tar.zst of manifest, signature and feeds.

The manifest names every feed with its digest, size and provenance; it is signed by the Lading that wrote it. Nothing is
taken in before the signature and every digest hold.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec
import zstandard

from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.state import Database
from lading.supply_chain.advisories.advisory import Advisory
from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.feeds import EPSS, KEV, Advisories, Imported
from lading.supply_chain.advisories.origin import FeedStatus, Origin
from lading.supply_chain.advisories.sql import AdvisoryStore

KIND: Final = "lading-advisories/1"
_MOST_MANIFEST: Final = 1 << 20
_MOST_FEED: Final = 8 << 30
_MOST_FEEDS: Final = 500
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_CHUNK: Final = 1 << 20
_decode_advisory = msgspec.msgpack.Decoder(Advisory).decode
_read_advisory = msgspec.json.Decoder(Advisory).decode


class Verifier(Protocol):
    """A public key."""

    @property
    def key_id(self) -> str:
        """The name of the key."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is of this key and message."""
        ...


class Signer(Verifier, Protocol):
    """The key pair of this Lading."""

    def sign(self, message: bytes) -> bytes:
        """A signature that `verify` accepts."""
        ...


class Packed(msgspec.Struct, frozen=True):
    """One feed of a bundle: its file, and where what is in it came from."""

    source: str
    file: str
    sha256: str
    size: int
    records: int
    newest: str
    origin: Origin


class Manifest(msgspec.Struct, frozen=True):
    """What a bundle holds, and who wrote it when."""

    kind: str
    made: str
    key_id: str
    feeds: tuple[Packed, ...]


class Bundles:
    """Writes and reads bundles.

    Args:
        trusted: the keys of others whose bundles are believed, beside our own.
    """

    def __init__(
        self,
        database: Database,
        advisories: Advisories,
        key: Signer,
        trusted: Callable[[], Sequence[Verifier]],
        *,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._advisories = advisories
        self._key = key
        self._trusted = trusted
        self._clock = clock or SystemClock()
        self._store = AdvisoryStore()

    def export(self, to: Path) -> Manifest:
        """Write every feed that has records into the file `to`; raises AdvisoryInvalid when there is none."""
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".bundle-") as scratch:
            packed = [self._pack(status, Path(scratch)) for status in self._advisories.status() if status.records]
            if not packed:
                raise AdvisoryInvalid("There are no advisories to export.", remedy="Update or import some first.")
            manifest = Manifest(KIND, timestamp(self._clock.now()), self._key.key_id, tuple(packed))
            body = msgspec.json.encode(manifest)
            part = Path(scratch) / "whole"
            with (
                part.open("wb") as file,
                zstandard.ZstdCompressor(level=6).stream_writer(file) as packer,
                tarfile.open(fileobj=packer, mode="w|") as archive,
            ):
                _add(archive, "manifest.json", body)
                _add(archive, "manifest.sig", self._key.sign(_signed(body)))
                for one in packed:
                    archive.add(Path(scratch) / one.file, arcname=one.file, filter=_plain)
            part.replace(to)
        return manifest

    def take_in(self, file: Path, *, actor: str) -> list[Imported]:
        """Take every feed of a bundle in; what is kept and younger stays.

        Raises:
            AdvisoryInvalid: it is no bundle, is damaged, or is signed by nobody who is trusted; nothing was taken in.
        """
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".bundle-") as scratch:
            manifest = self._unpack(file, Path(scratch))
            ordered = sorted(manifest.feeds, key=lambda one: (one.source in (KEV, EPSS), one.source))
            return [self._take_in_one(one, Path(scratch) / one.file, actor) for one in ordered]

    def _take_in_one(self, one: Packed, path: Path, actor: str) -> Imported:
        if one.source in (KEV, EPSS):
            return self._advisories.import_content(one.source, path, actor=actor, origin=one.origin)
        return self._advisories.import_records(one.source, _advisories(path), origin=one.origin, actor=actor)

    def _pack(self, status: FeedStatus, scratch: Path) -> Packed:
        name = f"{status.source}.jsonl"
        digest, size = hashlib.sha256(), 0
        with (scratch / name).open("wb") as file:
            for line in self._lines(status):
                file.write(line)
                digest.update(line)
                size += len(line)
        origin = Origin(status.address, status.etag, status.file, status.fetched)
        return Packed(status.source, name, digest.hexdigest(), size, status.records, status.newest, origin)

    def _lines(self, status: FeedStatus) -> Iterator[bytes]:
        with self._database.read() as tx:
            if status.source == KEV:
                entries = [
                    {"cveID": cve, "dateAdded": added, "dueDate": due}
                    for cve, (added, due) in sorted(self._store.all_kev(tx).items())
                ]
                yield msgspec.json.encode({"dateReleased": status.newest, "vulnerabilities": entries}) + b"\n"
            elif status.source == EPSS:
                yield f"#score_date:{status.newest}\ncve,epss\n".encode()
                for cve, score in sorted(self._store.all_epss(tx).items()):
                    yield f"{cve},{score!r}\n".encode()
            else:
                for body in self._store.every(tx, status.source):
                    yield msgspec.json.encode(_decode_advisory(body)) + b"\n"

    def _unpack(self, file: Path, scratch: Path) -> Manifest:
        """Check signature and digests of everything in it, and leave the feeds in `scratch`."""
        try:
            with _archive(file) as archive:
                body = _small(archive, "manifest.json")
                self._check_signature(body, _small(archive, "manifest.sig"))
                manifest = msgspec.json.decode(body, type=Manifest)
                if manifest.kind != KIND or len(manifest.feeds) > _MOST_FEEDS:
                    raise _wrong(f"it is of the kind {manifest.kind[:60]!r}")
                awaited = {one.file: one for one in manifest.feeds}
                while (member := archive.next()) is not None:
                    one = awaited.pop(member.name, None)
                    content = archive.extractfile(member) if member.isfile() else None
                    if one is None or content is None:
                        raise _wrong(f"it holds {member.name[:60]!r}, which its manifest does not name")
                    _copy(content, scratch / f"{_checked_name(one)}", one)
                if awaited:
                    raise _wrong(f"{min(awaited)} is missing")
        except (tarfile.TarError, zstandard.ZstdError, msgspec.MsgspecError, OSError, EOFError) as error:
            raise _wrong(f"it is damaged: {str(error)[:100]}") from error
        return manifest

    def _check_signature(self, body: bytes, signature: bytes) -> None:
        keys: list[Verifier] = [self._key, *self._trusted()]
        if not any(key.verify(_signed(body), signature) for key in keys):
            raise AdvisoryInvalid(
                "The bundle is signed by nobody who is trusted here.",
                remedy="Put the public key of who wrote it (its keys/signing-key.pub) into LADING_ADVISORY_KEYS.",
            )


def is_bundle(file: Path) -> bool:
    """Whether a file looks like a bundle: zstd, and in it a tar that begins with the manifest."""
    try:
        with file.open("rb") as handle:
            if handle.read(4) != _ZSTD:
                return False
            handle.seek(0)
            with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(handle) as reader:
                return reader.read(512).startswith(b"manifest.json\0")
    except (OSError, zstandard.ZstdError):
        return False


@contextmanager
def _archive(file: Path) -> Iterator[tarfile.TarFile]:
    with (
        file.open("rb") as handle,
        zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(handle) as reader,
        tarfile.open(fileobj=reader, mode="r|") as archive,
    ):
        yield archive


def _small(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.next()
    content = archive.extractfile(member) if member is not None and member.isfile() else None
    if member is None or content is None or member.name != name or member.size > _MOST_MANIFEST:
        raise _wrong(f"{name} is not where it belongs")
    return content.read()


def _copy(content: IO[bytes], to: Path, one: Packed) -> None:
    """Copy a feed, as long as it is what the manifest says."""
    digest, size = hashlib.sha256(), 0
    with to.open("wb") as file:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            if size > min(one.size, _MOST_FEED):
                raise _wrong(f"{one.file} is longer than its manifest says")
            digest.update(chunk)
            file.write(chunk)
    if (size, digest.hexdigest()) != (one.size, one.sha256):
        raise _wrong(f"{one.file} is not what its manifest says")


def _checked_name(one: Packed) -> str:
    if one.file != f"{one.source}.jsonl" or "/" in one.file or one.file.startswith("."):
        raise _wrong(f"{one.file[:60]!r} is no name of a feed")
    return one.file


def _advisories(path: Path) -> Iterator[Advisory]:
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield _read_advisory(line)
            except msgspec.MsgspecError as error:
                raise _wrong(f"{path.name} holds what is no advisory: {str(error)[:100]}") from error


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    archive.addfile(member, io.BytesIO(body))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nothing of the machine that wrote it."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _signed(body: bytes) -> bytes:
    return f"{KIND}\n".encode() + body


def _wrong(why: str) -> AdvisoryInvalid:
    return AdvisoryInvalid(
        f"The bundle cannot be read: {why}.", remedy="Export it again with `lading advisories export`."
    )
