"""Maven coordinates: from `pom.properties` and `pom.xml`, which say them, or from manifest and file name, which hint.

Advisories speak of `group:artifact`. A group is taken only from where it is sure: the POM, a vendor id in the manifest
that is more than an organisation's (`org.apache` is wrong for every artifact), or an artifact that is known to have one
group. Symbolic names of OSGi are wrong as often as right (`org.objectweb.asm` is `org.ow2.asm:asm`). Without a sure
group the package is listed by its artifact alone, with a doubt, and no advisory is matched with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import msgspec

from lading.kernel.purl import PackageUrl
from lading.supply_chain.inventory.catalogers.java.pom import PomReader
from lading.supply_chain.inventory.values import Package

DOUBT: Final = "the group of this artifact is not known: no advisory is matched with it"
_VERSIONS: Final = ("implementation-version", "bundle-version", "specification-version")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_VENDOR: Final = re.compile(r"[A-Za-z0-9_-]{1,60}(?:\.[A-Za-z0-9_-]{1,60}){2,12}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+~-]{0,99}")
_FILE: Final = re.compile(r"(.+?)[-_]v?([0-9][A-Za-z0-9_.+-]*)")
_PROPERTY: Final = re.compile(r"^[ \t]*(groupId|artifactId|version)[ \t]*[=:][ \t]*([^\r\n]*)", re.MULTILINE)
_SPDX: Final = re.compile(r"[A-Za-z0-9.+-]{2,60}(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]{2,60})*")


@dataclass(frozen=True, slots=True)
class Coordinates:
    """An artifact; `group` is empty where it is not known for sure."""

    group: str
    artifact: str
    version: str

    def package(self, place: str, licenses: tuple[str, ...] = ()) -> Package:
        """The artifact as a package of an inventory."""
        return Package(
            purl=str(PackageUrl.of("maven", self.artifact, namespace=self.group, version=self.version)),
            ecosystem="Maven",
            name=f"{self.group}:{self.artifact}" if self.group else self.artifact,
            version=self.version,
            path=place,
            licenses=licenses,
            doubt="" if self.group else DOUBT,
        )


@dataclass(frozen=True, slots=True)
class Pom:
    """What a pom.xml says: coordinates where it has them without placeholders, and licences."""

    coordinates: Coordinates | None
    licenses: tuple[str, ...]


def of_properties(content: bytes) -> Coordinates | None:
    """What `pom.properties` says; None when it does not name all three."""
    found = {key: value.strip() for key, value in _PROPERTY.findall(content.decode("utf-8", "replace"))}
    return _checked(found.get("groupId", ""), found.get("artifactId", ""), found.get("version", ""))


def of_pom(content: bytes) -> Pom:
    """What a pom.xml says; group and version may be its parent's."""
    found = PomReader().read(content)

    def first(*places: str) -> str:
        return next((found[place][0] for place in places if found.get(place)), "")

    return Pom(
        _checked(
            first("project/groupId", "project/parent/groupId"),
            first("project/artifactId"),
            first("project/version", "project/parent/version"),
        ),
        tuple(name for name in found.get("project/licenses/license/name", []) if name)[:10],
    )


def identified(place: str, headers: dict[str, str]) -> tuple[Coordinates | None, tuple[str, ...]]:
    """What manifest and file name hint at, and the licence; None where even artifact or version is missing."""
    artifact, version = _named(place.rpartition("/")[2].rpartition(".")[0], headers)
    if not _NAME.fullmatch(artifact) or not _VERSION.fullmatch(version):
        return None, ()
    stated = headers.get("bundle-license", "").partition(";")[0].partition(",")[0].strip()
    licenses = (stated,) if _SPDX.fullmatch(stated) and not stated.startswith("http") else ()
    return Coordinates(_sure_group(artifact, headers), artifact, version), licenses


def _named(stem: str, headers: dict[str, str]) -> tuple[str, str]:
    """Artifact and version: a file is called `artifact-version`, and a version of the manifest says where to part."""
    stated = [text for key in _VERSIONS if _VERSION.fullmatch(text := headers.get(key, "").strip())]
    for version in stated:
        if stem.endswith((f"-{version}", f"_{version}")):
            return stem[: -len(version) - 1], version
    named = _FILE.fullmatch(stem)
    if named is not None:
        return named[1], named[2]
    title = headers.get("implementation-title", "").strip()
    return (title if title == stem else ""), (stated[0] if stated else "")


def _sure_group(artifact: str, headers: dict[str, str]) -> str:
    vendor = headers.get("implementation-vendor-id", "").strip()
    return _known_groups().get(artifact) or (vendor if _VENDOR.fullmatch(vendor) else "")


@lru_cache(maxsize=1)
def _known_groups() -> dict[str, str]:
    """Artifacts whose builds leave no POM in the jar, and whose name belongs to one group alone."""
    table = (files("lading.supply_chain.inventory.catalogers.java") / "groups.json").read_bytes()
    groups = msgspec.json.decode(table, type=dict[str, list[str]])
    return {artifact: group for group, artifacts in groups.items() for artifact in artifacts}


def _checked(group: str, artifact: str, version: str) -> Coordinates | None:
    if _NAME.fullmatch(group) and _NAME.fullmatch(artifact) and _VERSION.fullmatch(version):
        return Coordinates(group, artifact, version)
    return None
