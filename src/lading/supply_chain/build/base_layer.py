"""From the tar stream of a fresh root file system to one reproducible layer, and what dpkg says is in it.

Everything that tells when or where it was made is left out or set to the snapshot's moment: logs, caches, machine id,
host name, name servers, package lists, mirror addresses, device nodes. What runs the image provides those.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, cast

from lading.kernel.digest import Digest
from lading.supply_chain.build.apt_sources import paragraph_fields
from lading.supply_chain.build.base import BaseFailed, Package

COMPRESSION: Final = 6
MOST_ENTRIES: Final = 500_000
MOST_BYTES: Final = 8 << 30
_MOST_STATUS_BYTES: Final = 64 << 20
_STATUS: Final = "var/lib/dpkg/status"
_LEFT_OUT: Final = re.compile(
    r"dev/.+|proc/.+|sys/.+|run/.+|tmp/.+|var/tmp/.+"
    r"|etc/(?:machine-id|hostname|resolv\.conf|\.pwd\.lock|(?:passwd|group|shadow|gshadow|subuid|subgid)-)"
    r"|etc/apt/(?:sources\.list|sources\.list\.d/.+|apt\.conf\.d/(?:00|99)mmdebstrap)"
    r"|etc/dpkg/dpkg\.cfg\.d/99mmdebstrap"
    r"|var/lib/apt/.+|var/lib/dbus/machine-id|var/lib/systemd/.+|var/lib/dpkg/(?:[a-z-]+-old|lock.*)"
)
_ONLY_DIRECTORIES: Final = re.compile(r"var/(?:cache|log)/.+")
_KEPT_HEADERS: Final = "SCHILY.xattr."


@dataclass(frozen=True, slots=True)
class Layer:
    """A written layer: `digest` is of the compressed bytes, `diff_id` of the tar inside (OCI image-spec, config.md)."""

    digest: Digest
    diff_id: Digest
    size: int
    packages: tuple[Package, ...]


def write_layer(source: IO[bytes], target: IO[bytes], epoch: int) -> Layer:
    """Read a tar stream from `source` and write the gzip-compressed layer to `target`.

    Args:
        epoch: seconds since 1970 that no time in the layer is later than.

    Raises:
        BaseFailed: the stream is no tar archive, is cut off, too large, or has no package database.
    """
    compressed = _Hashing(target)
    status = b""
    with gzip.GzipFile(
        fileobj=cast(IO[bytes], compressed), mode="wb", compresslevel=COMPRESSION, mtime=0, filename=""
    ) as squeezed:
        plain = _Hashing(squeezed)
        try:
            with (
                tarfile.open(fileobj=source, mode="r|") as incoming,
                tarfile.open(fileobj=cast(IO[bytes], plain), mode="w|", format=tarfile.PAX_FORMAT) as outgoing,
            ):
                for entry in _bounded(incoming):
                    content = incoming.extractfile(entry) if entry.isreg() else None
                    if entry.name == _STATUS and content is not None:
                        status = content.read(_MOST_STATUS_BYTES)
                        content = io.BytesIO(status)
                    _add(outgoing, entry, content, epoch)
        except (tarfile.TarError, EOFError) as error:
            raise BaseFailed(f"The root file system could not be read: {error}.") from error
    if not status:
        raise BaseFailed("The root file system has no package database.")
    return Layer(compressed.digest, plain.digest, compressed.size, installed_packages(status))


def installed_packages(status: bytes) -> tuple[Package, ...]:
    """The packages that a dpkg status file lists as installed, by name."""
    found = []
    for paragraph in status.decode("utf-8", errors="replace").split("\n\n"):
        fields = paragraph_fields(paragraph)
        if fields.get("status", "").endswith(" installed"):
            name = fields.get("package", "")
            source = fields.get("source", name).split(" ", 1)[0]
            found.append(Package(name, fields.get("version", ""), fields.get("architecture", ""), source))
    return tuple(sorted(found, key=lambda item: (item.name, item.architecture)))


def compressor() -> str:
    """What the compressed bytes depend on."""
    return f"zlib {zlib.ZLIB_RUNTIME_VERSION} level {COMPRESSION}"


def _bounded(incoming: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    total = 0
    for count, entry in enumerate(incoming):
        total += entry.size
        if count > MOST_ENTRIES or total > MOST_BYTES:
            raise BaseFailed("The root file system is too large for a base image.", remedy="Include fewer packages.")
        entry.name = entry.name.removeprefix("./").strip("/")
        if entry.name in ("", ".") or _LEFT_OUT.fullmatch(entry.name):
            continue
        if _ONLY_DIRECTORIES.fullmatch(entry.name) and not entry.isdir():
            continue
        if entry.isreg() or entry.isdir() or entry.issym() or entry.islnk():
            yield entry


def _add(outgoing: tarfile.TarFile, entry: tarfile.TarInfo, content: IO[bytes] | None, epoch: int) -> None:
    entry.mtime = min(int(entry.mtime), epoch)
    entry.uname = entry.gname = ""
    entry.linkname = entry.linkname.removeprefix("./") if entry.islnk() else entry.linkname
    entry.pax_headers = {key: value for key, value in entry.pax_headers.items() if key.startswith(_KEPT_HEADERS)}
    if entry.name == "etc/shadow" and content is not None:
        rewritten = _same_password_age(content.read(), epoch)
        entry.size, content = len(rewritten), io.BytesIO(rewritten)
    outgoing.addfile(entry, content)


def _same_password_age(shadow: bytes, epoch: int) -> bytes:
    """shadow(5) counts days since a password's last change: package scripts write the day of the build there."""
    lines = []
    for line in shadow.splitlines():
        fields = line.split(b":")
        if len(fields) > 2 and fields[2]:
            fields[2] = str(epoch // 86400).encode()
        lines.append(b":".join(fields))
    return b"\n".join(lines) + b"\n"


class _Hashing:
    """A writer that counts and hashes what passes through."""

    def __init__(self, target: IO[bytes] | gzip.GzipFile) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self.size += len(content)
        self._target.write(content)
        return len(content)

    def flush(self) -> None:
        self._target.flush()

    @property
    def digest(self) -> Digest:
        return Digest("sha256", self._hash.hexdigest())
