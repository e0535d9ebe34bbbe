"""What a word on the command line names: a file, a directory, a registry's image, or one of the engine here.

What exists on disk is taken as a file or directory; `registry:`, `engine:`, `dir:`, `archive:`, `layout:` and `sbom:`
before the word say it outright.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal

from lading.kernel.reference import Reference
from lading.supply_chain.inventory.sboms import looks_like_sbom
from lading.supply_chain.registry.layout import LayoutSource
from lading.supply_chain.report.as_json import is_scan
from lading.supply_chain.scan.archive import open_archive
from lading.supply_chain.scan.choosing import open_image
from lading.supply_chain.scan.engine_docker import open_from_engine
from lading.supply_chain.scan.errors import TargetInvalid, TargetUnknown, TargetUnreadable
from lading.supply_chain.scan.image import OpenedImage, chunks_of
from lading.supply_chain.scan.remote import open_remote

Kind = Literal["sbom", "scan", "archive", "layout", "dir", "registry", "engine"]
_KINDS: Final[tuple[Kind, ...]] = ("sbom", "scan", "archive", "layout", "dir", "registry", "engine")
_HEAD: Final = 1 << 16
_MOST_INPUT: Final = 64 << 30
_TAR: Final = b"ustar"
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, kw_only=True)
class Access:
    """How targets are reached.

    `user` and `secret` are for the registry; without a secret the docker client's file is asked. `engine` is the
    address of the Docker Engine. `image` names one of several in an archive.
    """

    platform: str = ""
    image: str = ""
    user: str = ""
    secret: str = ""
    plain_http: bool = False
    engine: str = "unix:///var/run/docker.sock"


def kind_of(target: str) -> tuple[Kind, str]:
    """What kind of target a word names, and the word without its prefix.

    Raises:
        TargetInvalid: it names a file that is nothing that can be scanned.
        TargetUnknown: it looks like a path, and there is nothing.
    """
    prefix, colon, rest = target.partition(":")
    if colon and prefix in _KINDS and rest:
        return prefix, rest
    path = Path(target)
    try:
        mode = path.stat().st_mode
    except OSError:
        return _named(target)
    if stat.S_ISDIR(mode):
        return ("layout" if (path / "oci-layout").is_file() else "dir"), target
    return _file_kind(path), target


def _named(target: str) -> tuple[Kind, str]:
    if target.startswith(("/", "./", "../", "~")):
        raise TargetUnknown(f"There is no file or directory {target[:200]}.", remedy="Check the path.")
    return ("registry" if Reference.parse(target).domain else "engine"), target


def _file_kind(path: Path) -> Kind:
    try:
        with path.open("rb") as handle:
            head = handle.read(_HEAD)
    except OSError as error:
        raise TargetUnreadable(f"{path} cannot be read: {error.strerror}.") from error
    if is_scan(head):
        return "scan"
    if looks_like_sbom(head):
        return "sbom"
    if head[257:262] == _TAR or head.startswith(_COMPRESSED):
        return "archive"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "sbom"
    raise TargetInvalid(
        f"{path} is nothing that can be scanned.",
        remedy="Give an image archive (docker save, OCI layout), a directory, or an SBOM as JSON.",
    )


@contextmanager
def open_target(kind: Kind, name: str, access: Access) -> Iterator[OpenedImage]:
    """Open a target that holds an image: `archive`, `layout`, `registry` or `engine`.

    Raises:
        ScanError, RegistryError: it does not exist, cannot be read, or is malformed.
    """
    if kind == "archive":
        with open_archive(Path(name), platform=access.platform, image=access.image) as image:
            yield image
    elif kind == "layout":
        source = LayoutSource(Path(name))
        yield open_image(source, "", access.image or source.only(), name=name, kind="layout", platform=access.platform)
    elif kind == "registry":
        with open_remote(
            Reference.parse(name), platform=access.platform, user=access.user, secret=access.secret,
            plain_http=access.plain_http,
        ) as image:  # fmt: skip
            yield image
    elif kind == "engine":
        with open_from_engine(name, access.engine, platform=access.platform) as image:
            yield image
    else:
        raise TargetInvalid(f"{name} is a {kind}, not an image.")


@contextmanager
def spooled(handle: IO[bytes]) -> Iterator[str]:
    """Standard input in a file of its own for as long as it is read; raises TargetInvalid beyond 64 GiB."""
    with tempfile.TemporaryDirectory(prefix="lading-scan-") as directory:
        path = Path(directory) / "standard-input"
        written = 0
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as spool:
            for chunk in chunks_of(handle):
                written += len(chunk)
                if written > _MOST_INPUT:
                    raise TargetInvalid(f"Standard input has more than {_MOST_INPUT >> 30} GiB.")
                spool.write(chunk)
        yield str(path)
