"""An image inventory as a CycloneDX 1.6 document (ECMA-424), for whoever wants it in that form.

The serial number follows from the image and its packages, so the same inventory gives the same document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID

from lading.kernel.canonical import canonical_json
from lading.supply_chain.inventory.values import ImageInventory, Package
from lading.supply_chain.licences import licence_of

_SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_SEVERITIES: Final = frozenset({"critical", "high", "medium", "low", "none", "unknown"})


def cyclonedx(
    inventory: ImageInventory, *, name: str, made: str, findings: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The document.

    Args:
        name: what the image is called, `repository:tag` or its digest.
        made: when, RFC 3339.
        findings: policy documents of the image's findings (`id`, `severity`, `score`, `purl`, `fixed`, …), or none.
    """
    components = [_component(package) for package in inventory.packages]
    image = f"pkg:oci/{inventory.image}"
    document: dict[str, Any] = {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": made,
            "tools": {"components": [{"type": "application", "name": "lading", "version": version("lading")}]},
            "component": {
                "type": "container",
                "bom-ref": image,
                "name": name,
                "version": inventory.image,
                "hashes": [{"alg": "SHA-256", "content": inventory.image.partition(":")[2]}],
            },
            "properties": [
                *_properties("gap", [str(gap) for gap in inventory.gaps]),
                *_properties("layer", inventory.layers),
                *_properties("unowned-files", [str(inventory.unowned_files)]),
            ],
        },
        "components": [*_system(inventory), *components],
        "dependencies": [{"ref": image, "dependsOn": [component["bom-ref"] for component in components]}],
    }
    if findings:
        document["vulnerabilities"] = [_vulnerability(one, inventory.packages) for one in findings]
    stable = [inventory.image, components, document.get("vulnerabilities", [])]
    seed = hashlib.sha256(canonical_json(stable)).digest()
    document["serialNumber"] = f"urn:uuid:{UUID(bytes=seed[:16], version=4)}"
    return document


def _component(package: Package) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _reference(package),
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "properties": [
            *_properties("layer", [package.layer]),
            *_properties("path", [package.path]),
            *_properties("source", [f"{package.source} {package.source_version}"] if package.source else []),
            *_properties("declared-only", ["true"] if package.declared_only else []),
            *_properties("doubt", [package.doubt] if package.doubt else []),
            *_properties("provided-by", [package.provided_by] if package.provided_by else []),
        ],
    }
    if package.vendor:
        component["supplier"] = {"name": package.vendor}
    licence = licence_of(package.licenses, package.ecosystem)
    if licence.expression:
        component["licenses"] = [{"expression": licence.expression, "acknowledgement": "declared"}]
        if licence.declared != licence.expression:
            component["properties"] += _properties("licence-declared", [licence.declared])
    return component


def _system(inventory: ImageInventory) -> list[dict[str, Any]]:
    if not inventory.distribution:
        return []
    system = {"type": "operating-system", "name": inventory.distribution, "bom-ref": "operating-system"}
    return [system | ({"version": inventory.release} if inventory.release else {})]


def _vulnerability(finding: Mapping[str, Any], packages: Iterable[Package]) -> dict[str, Any]:
    severity = finding["severity"] if finding["severity"] in _SEVERITIES else "unknown"
    rating: dict[str, Any] = {"severity": severity}
    if finding.get("score"):
        rating |= {"score": finding["score"], "method": "CVSSv31"}
    found: dict[str, Any] = {
        "id": finding["id"],
        "ratings": [rating],
        "affects": [{"ref": _reference(one)} for one in packages if one.purl == finding["purl"]],
        "properties": _properties("known-exploited", ["true"] if finding.get("kev") else []),
    }
    if finding.get("fixed"):
        found["recommendation"] = f"Raise {finding['package']} to {finding['fixed']}."
    return found


def _reference(package: Package) -> str:
    return f"{package.purl}#{package.path}"


def _properties(name: str, values: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": f"lading:{name}", "value": value} for value in values]
