"""Core metadata of a Python distribution (packaging.python.org, "Core metadata"): name, version and licences."""

from __future__ import annotations

import re
from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.documents import plain_version
from lading.supply_chain.inventory.values import Package

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,200}[A-Za-z0-9])?")
_CLASSIFIER: Final = "License :: "
_MOST_HEADERS: Final = 2_000
NAMELESS: Final = "it names no distribution or no version"


def distribution(
    path: str, name: str, version: str, licenses: tuple[str, ...] = (), *, locked: bool = False
) -> Package | None:
    """A distribution by its normal name (PEP 503), or None when it has no name or no version."""
    if not _NAME.fullmatch(name) or not plain_version(version):
        return None
    normal = re.sub(r"[-_.]+", "-", name).lower()
    return Package(
        purl=str(PackageUrl.of("pypi", normal, version=version)),
        ecosystem="PyPI",
        name=normal,
        version=version,
        path=path,
        licenses=licenses,
        declared_only=locked,
    )


def described(path: str, content: bytes, *, locked: bool = False) -> Package | None:
    """The distribution that METADATA or PKG-INFO describes, or None when it names none."""
    headers = _headers(content.decode("utf-8", "replace"))
    name, version = headers.get("name", [""])[0], headers.get("version", [""])[0]
    return distribution(path, name, version, _licenses(headers), locked=locked)


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
