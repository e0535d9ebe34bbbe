"""Versions as sortable keys, one small module for each ecosystem.

A key is made once and compared as often as needed; `VersionInvalid` says that a text is no version of the ecosystem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lading.supply_chain.match.versions import (
    apk,
    composer,
    debian,
    golang,
    maven,
    nuget,
    pep440,
    pub,
    rpm,
    rubygems,
    semver,
)
from lading.supply_chain.match.versions.invalid import VersionInvalid

Key = Callable[[str], Any]
# Distributions of apk and rpm packages, as OSV calls them; those without advisories there by their own names.
ALPINE: Final = ("Alpine", "Alpaquita", "BellSoft Hardened Containers", "Chainguard", "MinimOS", "Wolfi")
RPM: Final = (
    "AlmaLinux", "Amazon Linux", "Azure Linux", "CentOS", "Fedora", "Mageia", "Oracle Linux", "Photon OS", "RPM",
    "Red Hat", "Rocky Linux", "SUSE", "openEuler", "openSUSE",
)  # fmt: skip
_KEYS: Final[dict[str, Key]] = {
    "Debian": debian.key,
    "Ubuntu": debian.key,
    **dict.fromkeys(ALPINE, apk.key),
    **dict.fromkeys(RPM, rpm.key),
    "PyPI": pep440.key,
    "npm": semver.key,
    "Maven": maven.key,
    "Go": golang.key,
    "RubyGems": rubygems.key,
    "NuGet": nuget.key,
    "Packagist": composer.key,
    "crates.io": semver.strict_key,
    "Hex": semver.strict_key,
    "Pub": pub.key,
}


def key_for(ecosystem: str) -> Key:
    """The key function of an OSV ecosystem (`Debian:12`, `PyPI`, …); raises VersionInvalid for one not known."""
    found = _KEYS.get(ecosystem.partition(":")[0])
    if found is None:
        raise VersionInvalid(f"versions of {ecosystem} cannot be compared")
    return found


__all__ = ["Key", "VersionInvalid", "key_for"]
