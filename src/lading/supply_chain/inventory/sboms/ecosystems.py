"""Package URLs as advisories call their packages: purl type (and distribution) to OSV ecosystem and name."""

from __future__ import annotations

from typing import Final

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory import releases

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
_JOINED: Final = {"maven": ":", "npm": "/", "golang": "/", "composer": "/"}
# Debian's own names of releases, as some tools write them into the `distro` qualifier.
_CODENAMES: Final = {"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13"}
# Namespaces of package URLs -> what os-release(5) calls the distribution.
_IDENTITIES: Final = {"redhat": "rhel", "oracle": "ol", "amazon": "amzn", "openeuler": "openEuler", "suse": "sles"}


def ecosystem_of(purl: PackageUrl) -> str:
    """The OSV ecosystem; empty for types that have none."""
    if purl.type in _PLAIN:
        return _PLAIN[purl.type]
    if purl.type not in releases.UNSETTLED:
        return ""
    family, release = release_of(purl)
    identity = family or _IDENTITIES.get(purl.namespace, purl.namespace)
    if identity == "redhat":
        identity = "rhel"
    return releases.ecosystem(purl.type, {"ID": identity, "VERSION_ID": release})


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
