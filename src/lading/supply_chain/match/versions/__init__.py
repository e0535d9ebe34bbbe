"""Versions as sortable keys, one small module for each ecosystem.

A key is made once and compared as often as needed; `VersionInvalid` says that a text is no version of the ecosystem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lading.supply_chain.match.versions import debian, pep440, semver
from lading.supply_chain.match.versions.invalid import VersionInvalid

Key = Callable[[str], Any]
_KEYS: Final[dict[str, Key]] = {
    "Debian": debian.key,
    "Ubuntu": debian.key,
    "PyPI": pep440.key,
    "npm": semver.key,
}


def key_for(ecosystem: str) -> Key:
    """The key function of an OSV ecosystem (`Debian:12`, `PyPI`, …); raises VersionInvalid for one not known."""
    found = _KEYS.get(ecosystem.partition(":")[0])
    if found is None:
        raise VersionInvalid(f"versions of {ecosystem} cannot be compared")
    return found


__all__ = ["Key", "VersionInvalid", "key_for"]
