"""Python distributions: `*.dist-info/METADATA` (Core metadata) and `*.egg-info` (PKG-INFO), and what RECORD owns."""

from __future__ import annotations

import re
from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.cataloger import Places
from lading.supply_chain.inventory.limits import MIB
from lading.supply_chain.inventory.values import Note, Package, PackageDatabase

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9])?")
_CLASSIFIER: Final = "License :: "
_MOST_HEADERS: Final = 2_000
UNREADABLE: Final = "package-metadata-unreadable"


class PythonCataloger:
    """Reads the metadata of installed distributions."""

    name = "python"
    revision = 1
    places = Places(names=frozenset({"METADATA", "PKG-INFO", "RECORD"}))
    most = 4 * MIB

    def wants(self, path: str) -> bool:
        directory, _, name = path.rpartition("/")
        if name == "PKG-INFO":
            return directory.endswith((".egg-info", "EGG-INFO"))
        return directory.endswith(".dist-info")

    def read(self, path: str, content: bytes) -> PackageDatabase:
        text = content.decode("utf-8", "replace")
        if path.endswith("/RECORD"):
            return PackageDatabase(path=path, cataloger=self.name, owns=_recorded(path, text))
        headers = _headers(text)
        name, version = headers.get("name", [""])[0], headers.get("version", [""])[0]
        if not _NAME.fullmatch(name) or not version or len(version) > 200 or not version.isprintable():
            gap = Note(UNREADABLE, path, "it names no distribution or no version")
            return PackageDatabase(path=path, cataloger=self.name, gaps=(gap,))
        normal = re.sub(r"[-_.]+", "-", name).lower()
        package = Package(
            purl=str(PackageUrl.of("pypi", normal, version=version)),
            ecosystem="PyPI",
            name=normal,
            version=version,
            path=path,
            licenses=_licenses(headers),
        )
        return PackageDatabase(path=path, cataloger=self.name, packages=(package,))


def _headers(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.split("\n", _MOST_HEADERS)[:_MOST_HEADERS]:
        line = line.rstrip("\r")
        if not line:
            break
        key, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            found.setdefault(key.lower(), []).append(value.strip())
    return found


def _licenses(headers: dict[str, list[str]]) -> tuple[str, ...]:
    if "license-expression" in headers:
        return (headers["license-expression"][0][:200],)
    classified = [
        value.rpartition(" :: ")[2] for value in headers.get("classifier", []) if value.startswith(_CLASSIFIER)
    ]
    stated = [value for value in headers.get("license", []) if value and value != "UNKNOWN" and len(value) < 100]
    return tuple(classified or stated)[:10]


def _recorded(path: str, text: str) -> tuple[str, ...]:
    base = path.rpartition("/")[0].rpartition("/")[0].split("/")
    owned = []
    for line in text.splitlines()[:100_000]:
        name = line[1:].partition('"')[0] if line.startswith('"') else line.partition(",")[0]
        parts = list(base)
        for part in name.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        owned.append("/".join(parts))
    return tuple(owned)
