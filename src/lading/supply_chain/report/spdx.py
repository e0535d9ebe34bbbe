"""SPDX 2.3 as JSON: the packages of a scan, their licences, and references to what is known to be wrong with them."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from lading.kernel.canonical import canonical_json
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.licences import OWN, licence_of
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.report.result import ScanResult

_UNSAID: Final = "NOASSERTION"
_ROOT: Final = "SPDXRef-target"
_NOT_IN_IDS: Final = re.compile(r"[^A-Za-z0-9.-]+")
_PURPOSES: Final = {"directory": "SOURCE", "sbom": "OTHER"}


def spdx(result: ScanResult) -> dict[str, Any]:
    """The document; the same scan has the same namespace, so nothing of it is random."""
    flaws: dict[str, list[Finding]] = {}
    for finding in result.findings:
        flaws.setdefault(finding.purl, []).append(finding)
    extracted: dict[str, str] = {}
    packages = [_package(one, n, flaws.get(one.purl, []), extracted) for n, one in enumerate(result.inventory.packages)]
    content = sha256(canonical_json([result.digest, result.made, packages])).hexdigest()
    root = {
        "SPDXID": _ROOT,
        "name": result.name,
        "versionInfo": result.digest,
        "downloadLocation": _UNSAID,
        "filesAnalyzed": False,
        "licenseConcluded": _UNSAID,
        "licenseDeclared": _UNSAID,
        "copyrightText": _UNSAID,
        "primaryPackagePurpose": _PURPOSES.get(result.kind, "CONTAINER"),
        **({"comment": "Gaps: " + "; ".join(result.gaps)} if result.gaps else {}),
    }
    document: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": result.name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{quote(result.name, safe='')}-{content[:32]}",
        "creationInfo": {"created": _second(result.made), "creators": [f"Tool: lading-{result.lading}"]},
        "packages": [root, *packages],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT),
            *(_relation(_ROOT, "CONTAINS", package["SPDXID"]) for package in packages),
        ],
    }
    if extracted:
        document["hasExtractedLicensingInfos"] = [
            {"licenseId": identity, "extractedText": text, "name": text} for identity, text in sorted(extracted.items())
        ]
    return document


def _package(package: Package, number: int, flaws: list[Finding], extracted: dict[str, str]) -> dict[str, Any]:
    made = {
        "SPDXID": f"SPDXRef-Package-{_NOT_IN_IDS.sub('-', package.name)[:100]}-{number}",
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": _UNSAID,
        "filesAnalyzed": False,
        "licenseConcluded": _UNSAID,
        "licenseDeclared": _declared(package, extracted),
        "copyrightText": _UNSAID,
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": package.purl},
            *(_advisory(flaw) for flaw in flaws),
        ],
    }
    if package.source:
        made["sourceInfo"] = f"built package from: {package.source} {package.source_version}".strip()
    return made


def _advisory(flaw: Finding) -> dict[str, str]:
    return {
        "referenceCategory": "SECURITY",
        "referenceType": "advisory",
        "referenceLocator": f"https://osv.dev/vulnerability/{quote(flaw.id)}",
        "comment": f"{flaw.id} ({flaw.severity.label})" + (f", fixed in {flaw.fixed}" if flaw.fixed else ""),
    }


def _declared(package: Package, extracted: dict[str, str]) -> str:
    """The expression that it declares; what is no SPDX licence is carried as an extracted text under its own name."""
    licence = licence_of(package.licenses, package.ecosystem)
    for text in package.licenses:
        for identity in licence_of([text]).ids:
            if identity.startswith(OWN):
                extracted.setdefault(identity, text)
    return licence.expression or _UNSAID


def _relation(element: str, kind: str, related: str) -> dict[str, str]:
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related}


def _second(moment: str) -> str:
    """SPDX knows no fractions of a second."""
    return moment[:19] + "Z"
