"""Conda packages: one file of `conda-meta` for each package of an environment, with the files it brought.

No advisories speak of conda packages. The Python distributions that they bring have metadata of their own and are
matched as such; merging tells which conda package brought each (`joined.py`).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import (
    UNREADABLE,
    DocumentUnreadable,
    json_as,
    plain_version,
    texts,
    unreadable,
)
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.paths import clean
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")
_MOST_OWNED: Final = 200_000


class _Meta(msgspec.Struct):
    name: str = ""
    version: str = ""
    build: str | None = None
    channel: str | None = None
    subdir: str | None = None
    license: str | list[str] | None = None
    files: list[str] = []


class CondaCataloger:
    """Reads `conda-meta/*.json`."""

    name = "conda"
    revision = 1
    places = Places(folders=frozenset({"conda-meta"}))
    most = 16 * MIB

    def wants(self, path: str) -> bool:
        return path.endswith(".json")

    def read(self, path: str, content: bytes) -> PackageDatabase:
        try:
            meta = json_as(content, _Meta)
        except DocumentUnreadable as why:
            return unreadable(path, self.name, str(why))
        version = plain_version(meta.version)
        if not _NAME.fullmatch(meta.name) or not version:
            return unreadable(path, self.name, "it names no package or no version")
        subdir = _short(meta.subdir)
        qualifiers = {
            "build": _short(meta.build),
            "channel": _channel(_short(meta.channel), subdir),
            "subdir": subdir,
        }
        package = Package(
            purl=str(PackageUrl.of("conda", meta.name, version=version, qualifiers=qualifiers)),
            ecosystem="Conda",
            name=meta.name.lower(),
            version=version,
            path=path,
            architecture=subdir,
            licenses=texts(meta.license),
        )
        gaps = (
            (Note(UNREADABLE, path, f"it has more than {_MOST_OWNED} files"),) if len(meta.files) > _MOST_OWNED else ()
        )
        return PackageDatabase(
            path=path, cataloger=self.name, packages=(package,), owns=_owned(path, meta.files), gaps=gaps
        )


def _short(value: str | None) -> str:
    return value[:200] if value and value.isprintable() else ""


def _channel(channel: str, subdir: str) -> str:
    """The channel's name: its address without the server and without the platform at the end."""
    if "://" not in channel:
        return channel
    path = channel.partition("://")[2].partition("/")[2].rstrip("/")
    return path.removesuffix("/noarch").removesuffix(f"/{subdir}")


def _owned(path: str, files: list[str]) -> tuple[str, ...]:
    prefix = path.rpartition("conda-meta/")[0]
    owned = (clean(f"{prefix}{file}") for file in files[:_MOST_OWNED])
    return (path, *(name for name, complaint in owned if name and not complaint))
