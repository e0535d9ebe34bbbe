"""The JSON form: everything the scan knows, and the form that `lading diff` reads again."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lading.kernel.errors import InvalidInput
from lading.kernel.severity import Severity
from lading.kernel.strict_json import check_json
from lading.supply_chain.report.result import ScanResult

FORM: Final = "lading-scan-1"
_MOST: Final = 1 << 30


def to_json(result: ScanResult) -> dict[str, Any]:
    """The document. Severities are their names."""
    document = {"form": FORM, **msgspec.to_builtins(result)}
    for one in _judged(document):
        one["severity"] = Severity(one["severity"]).label
    document["summary"] = {
        "packages": len(result.inventory.packages),
        "findings": len(result.findings),
        "by_severity": result.by_severity,
        "weaknesses": len(result.weaknesses),
        "fixable": sum(bool(one.fixed) for one in result.findings),
        "gaps": len(result.gaps),
        "passed": result.verdict.passed,
    }
    return document


def is_scan(head: bytes) -> bool:
    """Whether a file begins as such a document."""
    return f'"{FORM}"'.encode() in head[:200]


def from_json(body: bytes, name: str) -> ScanResult:
    """The result that a document was written from; raises InvalidInput."""
    check_json(body, name, most=_MOST)
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
        if document.get("form") != FORM:
            raise InvalidInput(f"{name} is not a scan of Lading.", remedy="Write one: `lading scan … --output json`.")
        for one in _judged(document):
            one["severity"] = int(Severity.parse(str(one.get("severity"))))
        return msgspec.convert(document, ScanResult)
    except (msgspec.MsgspecError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise InvalidInput(f"{name} is a malformed scan: {str(error)[:200]}.", remedy="Scan again.") from error


def _judged(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything in the document that has a severity."""
    return [
        *document.get("findings", ()),
        *(one["finding"] for one in document.get("accepted", ())),
        *document.get("weaknesses", ()),
        *(one["weakness"] for one in document.get("accepted_weaknesses", ())),
    ]
