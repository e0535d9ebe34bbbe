"""SPDX 2.3 (and 2.2, which is a part of it), JSON: packages with their `purl` references."""

from __future__ import annotations

from typing import Final

import msgspec

from lading.supply_chain.inventory.sboms.packages import Collected

VERSIONS: Final = frozenset({"SPDX-2.2", "SPDX-2.3"})
_MOST_PACKAGES: Final = 2_000_000
_NOT_SAID: Final = frozenset({"", "NOASSERTION", "NONE"})
_WHOLES: Final = frozenset({"CONTAINER", "OPERATING-SYSTEM", "FILE", "ARCHIVE", "SOURCE", "DEVICE", "FIRMWARE"})


class _Reference(msgspec.Struct):
    type: str = msgspec.field(name="referenceType", default="")
    locator: str = msgspec.field(name="referenceLocator", default="")


class _Package(msgspec.Struct):
    name: str
    spdx_id: str = msgspec.field(name="SPDXID", default="")
    version: str = msgspec.field(name="versionInfo", default="")
    purpose: str = msgspec.field(name="primaryPackagePurpose", default="")
    source_info: str = msgspec.field(name="sourceInfo", default="")
    declared: str = msgspec.field(name="licenseDeclared", default="")
    references: list[_Reference] = msgspec.field(name="externalRefs", default_factory=list)


class _Relationship(msgspec.Struct):
    element: str = msgspec.field(name="spdxElementId", default="")
    related: str = msgspec.field(name="relatedSpdxElement", default="")
    type: str = msgspec.field(name="relationshipType", default="")


class _Document(msgspec.Struct):
    packages: list[_Package] = []
    describes: list[str] = msgspec.field(name="documentDescribes", default_factory=list)
    relationships: list[_Relationship] = []


def read(body: bytes) -> Collected:
    """The packages of a document; raises msgspec's errors."""
    document = msgspec.json.decode(body, type=_Document)
    if len(document.packages) > _MOST_PACKAGES:
        raise msgspec.ValidationError(f"it has more than {_MOST_PACKAGES} packages")
    described = {*document.describes} | {
        one.related for one in document.relationships if one.type == "DESCRIBES" and one.element == "SPDXRef-DOCUMENT"
    }
    collected = Collected()
    for package in document.packages:
        purl = next((one.locator for one in package.references if one.type == "purl"), "")
        whole = package.purpose in _WHOLES or package.spdx_id in described
        if whole and (not purl or purl.startswith(("pkg:oci/", "pkg:docker/"))):
            # What the document is about, not something in it.
            continue
        source, version = _source(package.source_info)
        licences = () if package.declared in _NOT_SAID else (package.declared,)
        collected.add(purl, package.name, package.version, licences=licences, source=source, source_version=version)
    return collected


def _source(info: str) -> tuple[str, str]:
    """`built package from: NAME VERSION`, as tools that read package databases write it."""
    before, found, rest = info.partition("built package from: ")
    if not found or before.strip():
        return "", ""
    name, _, version = rest.strip().partition(" ")
    return name, version
