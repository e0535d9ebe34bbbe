"""Every form by its name, as bytes to be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from lading.supply_chain.inventory.cyclonedx import cyclonedx
from lading.supply_chain.report.as_json import to_json
from lading.supply_chain.report.junit import junit
from lading.supply_chain.report.result import ScanResult
from lading.supply_chain.report.sarif import sarif
from lading.supply_chain.report.spdx import spdx

Form = Literal["json", "sarif", "cyclonedx", "spdx", "junit"]


def write(result: ScanResult, form: Form) -> bytes:
    """The result in a form, ending with a new line."""
    return _FORMS[form](result)


def _written(document: Callable[[ScanResult], dict[str, Any]]) -> Callable[[ScanResult], bytes]:
    return lambda result: msgspec.json.format(msgspec.json.encode(document(result)), indent=2) + b"\n"


def _bill_of_materials(result: ScanResult) -> dict[str, Any]:
    found = [one.document() for one in result.findings]
    return cyclonedx(result.inventory, name=result.name, made=result.made, findings=found)


_FORMS: Final[dict[str, Callable[[ScanResult], bytes]]] = {
    "json": _written(to_json),
    "sarif": _written(sarif),
    "cyclonedx": _written(_bill_of_materials),
    "spdx": _written(spdx),
    "junit": junit,
}
