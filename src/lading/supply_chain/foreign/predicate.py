"""Which statement a report becomes: the predicate type that others look for, with all that the tool wrote inside.

CycloneDX, SPDX and SARIF are their own predicates; flaws and tests take the in-toto ones, which hold a summary, so the
report lies beside it as `report`, a resource descriptor with its content. Nothing in it depends on when it was handed
in: the same report about the same image is the same statement.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from lading.kernel.digest import Digest
from lading.supply_chain.foreign.report import ForeignReport

VULNERABILITIES: Final = "https://in-toto.io/attestation/vulns/v0.1"
TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
_DOCUMENTS: Final = {
    "cyclonedx": "https://cyclonedx.org/bom",
    "spdx": "https://spdx.dev/Document",
    "sarif": "https://docs.oasis-open.org/sarif/sarif/v2.1.0",
}
TYPES: Final = frozenset({VULNERABILITIES, TEST_RESULT, *_DOCUMENTS.values()})


def predicate_of(report: ForeignReport, body: bytes) -> tuple[str, dict[str, Any]]:
    """Predicate type and predicate of a report whose bytes are `body`."""
    if report.form in _DOCUMENTS:
        return _DOCUMENTS[report.form], msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
    if report.form == "junit":
        return TEST_RESULT, _tests(report, body)
    return VULNERABILITIES, _vulnerabilities(report, body)


def _tests(report: ForeignReport, body: bytes) -> dict[str, Any]:
    tests = report.tests
    bad = tests is None or tests.failed + tests.errors > 0
    return {
        "result": "FAILED" if bad else "PASSED",
        "configuration": [{"name": report.configuration or report.tool}],
        "failedTests": list(tests.failing) if tests else [],
        "report": _resource(report, body, "application/xml"),
    }


def _vulnerabilities(report: ForeignReport, body: bytes) -> dict[str, Any]:
    return {
        "scanner": {
            "uri": f"urn:lading:tool:{report.tool}",
            "version": report.version,
            "result": [
                {"id": one.id, "severity": [{"method": "label", "score": one.severity.label}]} for one in report.results
            ],
        },
        "metadata": {},
        "report": _resource(report, body, "application/json"),
    }


def _resource(report: ForeignReport, body: bytes, media_type: str) -> dict[str, Any]:
    return {
        "name": f"{report.tool} {report.version}".strip(),
        "mediaType": media_type,
        "digest": {"sha256": Digest.of(body).hex},
        "content": base64.b64encode(body).decode(),
    }
