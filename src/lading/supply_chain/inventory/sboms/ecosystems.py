"""Package URLs as advisories call their packages: purl type (and distribution) to OSV ecosystem and name."""

from __future__ import annotations

import re
from typing import Final

from lading.kernel.purl import PackageUrl

_PLAIN: Final = {
    "pypi": "PyPI",
    "npm": "npm",
    "golang": "Go",
    "cargo": "crates.io",
    "maven": "Maven",
    "nuget": "NuGet",
    "gem": "RubyGems",
    "composer": "Packagist",
    "hex": "Hex",
    "pub": "Pub",
    "swift": "SwiftURL",
    "conan": "ConanCenter",
    "cran": "CRAN",
    "hackage": "Hackage",
}
_DISTRIBUTIONS: Final = {"debian": "Debian", "ubuntu": "Ubuntu"}
_JOINED: Final = {"maven": ":", "npm": "/", "golang": "/", "composer": "/"}
_RELEASE: Final = re.compile(r"(\d+)(?:\.(\d+))?")
# Debian's own names of releases, as some tools write them into the `distro` qualifier.
_CODENAMES: Final = {"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13"}


def ecosystem_of(purl: PackageUrl) -> str:
    """The OSV ecosystem; empty for types that have none."""
    if purl.type in _PLAIN:
        return _PLAIN[purl.type]
    family, release = release_of(purl)
    if purl.type == "deb":
        name = _DISTRIBUTIONS.get(family or purl.namespace or "debian", "")
        return f"{name}:{release}" if name and release else name
    if purl.type == "apk":
        found = _RELEASE.match(release)
        return f"Alpine:v{found[1]}.{found[2]}" if found and found[2] else "Alpine"
    return ""


def release_of(purl: PackageUrl) -> tuple[str, str]:
    """Distribution and release that the `distro` qualifier names (`debian-12`, `ubuntu-22.04`), or two empty texts."""
    family, _, release = purl.qualifier("distro").rpartition("-")
    release = _CODENAMES.get(release, release)
    if (family or purl.namespace) == "debian":
        release = release.partition(".")[0]
    return family, release


def name_of(purl: PackageUrl) -> str:
    """The name that advisories use: with its namespace where the ecosystem has one."""
    joined = _JOINED.get(purl.type)
    return f"{purl.namespace}{joined}{purl.name}" if joined and purl.namespace else purl.name
