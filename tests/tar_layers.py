"""Layers for tests, written with the standard library's tarfile: an independent hand."""

from __future__ import annotations

import io
import tarfile
from typing import Any

STATUS = "var/lib/dpkg/status"
OS_RELEASE = ("etc/os-release", b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n')


def entry(name: str, content: bytes | None = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes | None]:
    """A member; `content=None` for those that have none."""
    info = tarfile.TarInfo(name)
    info.size = len(content) if content is not None else 0
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def directory(name: str) -> tuple[tarfile.TarInfo, None]:
    return entry(name, None, type=tarfile.DIRTYPE, mode=0o755)  # type: ignore[return-value]


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, None]:
    return entry(name, None, type=tarfile.SYMTYPE, linkname=target)  # type: ignore[return-value]


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, None]:
    return entry(name, None, type=tarfile.LNKTYPE, linkname=target)  # type: ignore[return-value]


def tar(*members: tuple[Any, Any], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A layer. A member is `(name, content)` or what the functions above make."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, content in members:
            if isinstance(info, str):
                info, content = entry(info, content)
            archive.addfile(info, io.BytesIO(content) if content is not None else None)
    return out.getvalue()


def stanza(name: str, version: str, source: str = "", status: str = "install ok installed") -> str:
    """A stanza of dpkg's status file."""
    lines = [f"Package: {name}", f"Status: {status}", "Architecture: amd64"]
    if source:
        lines.append(f"Source: {source}")
    return "\n".join([*lines, f"Version: {version}", "Description: made for a test", " more of it", ""]) + "\n"


def status(*packages: tuple[str, ...]) -> tuple[str, bytes]:
    """The member that says which deb packages are installed."""
    return STATUS, "".join(stanza(*package) for package in packages).encode()


def distribution(name: str, version: str, where: str = "usr/lib/python3/site-packages") -> tuple[str, bytes]:
    """The member that says that a Python distribution is installed."""
    path = f"{where}/{name.replace('-', '_')}-{version}.dist-info/METADATA"
    return path, f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nA text.\n".encode()


def node_module(name: str, version: str, where: str = "app") -> tuple[str, bytes]:
    """The member that says that an npm package is installed."""
    return f"{where}/node_modules/{name}/package.json", f'{{"name": "{name}", "version": "{version}"}}'.encode()
