"""SPDX 2.2 and 2.3, JSON: an inventory; what its packages' external references say of flaws is not standardised."""

from __future__ import annotations

import msgspec

from lading.supply_chain.foreign.errors import ReportInvalid
from lading.supply_chain.foreign.report import ForeignReport, short

_VERSIONS = frozenset({"SPDX-2.2", "SPDX-2.3"})


class _Creation(msgspec.Struct, frozen=True):
    creators: list[str] = []


class _Document(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="spdxVersion", default="")
    creation: _Creation = msgspec.field(name="creationInfo", default=_Creation())
    packages: list[msgspec.Raw] = []


def read(body: bytes) -> ForeignReport:
    """The report; raises msgspec's errors, and ReportInvalid for another version."""
    document = msgspec.json.decode(body, type=_Document)
    if document.version not in _VERSIONS:
        raise ReportInvalid(f"{document.version[:20]} is not read.", remedy="Write it as SPDX 2.3.")
    creator = next((one for one in document.creation.creators if one.startswith("Tool:")), "")
    tool, _, version = creator.removeprefix("Tool:").strip().rpartition("-")
    return ForeignReport(
        form="spdx",
        kind="inventory",
        tool=short(tool or version, 80),
        version=short(version if tool else "", 60),
        configuration="packages",
        components=len(document.packages),
    )
