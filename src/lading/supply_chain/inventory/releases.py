"""What a distribution calls itself in os-release(5), and what advisories (the OSV schema) and package URLs call it.

Catalogers of deb, apk and rpm packages see one layer, without knowing whose it is; merging settles that here.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.values import Package

# Ecosystems of packages whose distribution is not known, by type of package URL.
UNSETTLED: Final = {"deb": "Debian", "apk": "Alpine", "rpm": "RPM"}
FAMILIES: Final = {
    "deb": frozenset({"debian", "ubuntu"}),
    "apk": frozenset({"alpine", "alpaquita", "bellsoft-hardened-containers", "chainguard", "minimos", "wolfi"}),
    "rpm": frozenset(
        {"almalinux", "amzn", "azurelinux", "centos", "fedora", "mageia", "mariner", "ol", "openEuler", "opensuse-leap"}
        | {"opensuse-tumbleweed", "photon", "rhel", "rocky", "sle-micro", "sles", "suse"}
    ),
}
_NAMESPACES: Final = {"rhel": "redhat", "opensuse-leap": "opensuse", "opensuse-tumbleweed": "opensuse", "sles": "suse",
                      "sle-micro": "suse", "ol": "oracle", "amzn": "amazon", "openEuler": "openeuler"}  # fmt: skip
Release = dict[str, str]


def type_of(package: Package) -> str:
    """`deb`, `apk` or `rpm` for a distribution's package, by its package URL; empty for all others."""
    kind = package.purl[4 : package.purl.find("/")]
    return kind if kind in UNSETTLED else ""


def settled(package: Package, kind: str, release: Release) -> Package:
    """A distribution's package with the ecosystem and package URL that its release gives it."""
    identity, number = release.get("ID", ""), release.get("VERSION_ID", "")
    known = PackageUrl.parse(package.purl)
    distro = {"distro": f"{identity}-{number}"} if identity and number else {}
    namespace = _NAMESPACES.get(identity, identity) or UNSETTLED[kind].lower().replace("rpm", "")
    purl = PackageUrl.of(
        kind, known.name, namespace=namespace, version=known.version, qualifiers=dict(known.qualifiers) | distro
    )
    return msgspec.structs.replace(package, purl=str(purl), ecosystem=ecosystem(kind, release))


def ecosystem(kind: str, release: Release) -> str:
    """The ecosystem of a release's packages of a type, as advisories name it (`Debian:12`, `Alpine:v3.20`)."""
    identity, number = release.get("ID", ""), release.get("VERSION_ID", "")
    if not identity:
        return UNSETTLED[kind]
    if identity not in _NAMES:
        family = identity.title()
        return f"{family}:{number}" if number else family
    words = {
        "number": number,
        "major": number.partition(".")[0],
        "alpine": _alpine(number),
        "euler": _open_euler(number, release.get("VERSION", "")),
        "suse": _suse(number),
        "ubuntu": _ubuntu(number),
    }
    return _NAMES[identity].format_map(words).rstrip(": ")


def _alpine(number: str) -> str:
    """3.20.3 is of v3.20; what is not yet released calls itself 3.21_alpha20240807 and is of edge."""
    found = re.fullmatch(r"([0-9]+\.[0-9]+)(?:\.[0-9]+)*", number)
    return f"v{found[1]}" if found else "edge" if number else ""


def _ubuntu(number: str) -> str:
    """Releases with long-term support, those of April in even years, are called so."""
    return f"{number}:LTS" if re.fullmatch(r"[0-9]?[02468]\.04", number) else number


def _suse(number: str) -> str:
    """Service packs were counted until 15; 16 and later have plain numbers."""
    major, _, pack = number.partition(".")
    if not major.isdigit() or int(major) > 15:
        return number
    return f"{major} SP{pack}" if pack and pack != "0" else major


def _open_euler(number: str, version: str) -> str:
    """VERSION says `22.03 (LTS-SP3)`, where VERSION_ID says 22.03 only."""
    found = re.fullmatch(r"([0-9.]+) \(([A-Z0-9-]+)\)", version)
    return f"{found[1]}-{found[2]}" if found else number


_NAMES: Final = {
    "almalinux": "AlmaLinux:{major}",
    "alpaquita": "Alpaquita:{number}",
    "alpine": "Alpine:{alpine}",
    "amzn": "Amazon Linux:{number}",
    "azurelinux": "Azure Linux:{major}",
    "bellsoft-hardened-containers": "BellSoft Hardened Containers:{number}",
    "centos": "CentOS:{major}",
    "chainguard": "Chainguard",
    "debian": "Debian:{number}",
    "fedora": "Fedora:{number}",
    "mageia": "Mageia:{number}",
    "mariner": "Azure Linux:{major}",
    "minimos": "MinimOS",
    "ol": "Oracle Linux:{major}",
    "openEuler": "openEuler:{euler}",
    "opensuse-leap": "openSUSE:Leap {number}",
    "opensuse-tumbleweed": "openSUSE:Tumbleweed",
    "photon": "Photon OS:{number}",
    "rhel": "Red Hat:enterprise_linux:{major}",
    "rocky": "Rocky Linux:{major}",
    "sle-micro": "SUSE:Linux Enterprise Micro {number}",
    "sles": "SUSE:Linux Enterprise Server {suse}",
    "ubuntu": "Ubuntu:{ubuntu}",
    "wolfi": "Wolfi",
}
