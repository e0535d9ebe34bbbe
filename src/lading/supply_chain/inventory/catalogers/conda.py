"""Conda packages: one file of `conda-meta` for each package of an environment, with the files it brought.

No advisories speak of conda packages. The Python distributions that they bring have metadata of their own and are
matched as such; merging tells which conda package brought each (`joined.py`).
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.catalogers.documents import (
    DocumentUnreadable,
    json_object,
    plain_version,
    texts,
    unreadable,
)
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.paths import clean
from lading.supply_chain.inventory.values import Package, PackageDatabase

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")
_MOST_OWNED: Final = 200_000


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
            document = json_object(content)
        except DocumentUnreadable as why:
            return unreadable(path, self.name, str(why))
        name, version = document.get("name"), plain_version(document.get("version"))
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not version:
            return unreadable(path, self.name, "it names no package or no version")
        subdir = _short(document.get("subdir"))
        qualifiers = {
            "build": _short(document.get("build")),
            "channel": _channel(_short(document.get("channel")), subdir),
            "subdir": subdir,
        }
        package = Package(
            purl=str(PackageUrl.of("conda", name, version=version, qualifiers=qualifiers)),
            ecosystem="Conda",
            name=name.lower(),
            version=version,
            path=path,
            architecture=subdir,
            licenses=texts(document.get("license")),
        )
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,), owns=_owned(path, document))


def _short(value: Any) -> str:
    return value[:200] if isinstance(value, str) and value.isprintable() else ""


def _channel(channel: str, subdir: str) -> str:
    """The channel's name: its address without the server and without the platform at the end."""
    if "://" not in channel:
        return channel
    path = channel.partition("://")[2].partition("/")[2].rstrip("/")
    return path.removesuffix("/noarch").removesuffix(f"/{subdir}")


def _owned(path: str, document: dict[str, Any]) -> tuple[str, ...]:
    prefix = path.rpartition("conda-meta/")[0]
    files = document.get("files")
    listed = files if isinstance(files, list) else []
    owned = (clean(f"{prefix}{file}") for file in islice(listed, _MOST_OWNED) if isinstance(file, str))
    return (path, *(name for name, complaint in owned if name and not complaint))
