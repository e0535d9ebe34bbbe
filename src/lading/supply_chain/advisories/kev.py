"""CISA's catalogue of known exploited vulnerabilities (JSON)."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from lading.supply_chain.advisories.errors import AdvisoryInvalid

CVE: Final = re.compile(r"CVE-\d{4}-\d{4,12}")
_MOST: Final = 200_000


class Exploited(msgspec.Struct, frozen=True, rename={"cve": "cveID", "added": "dateAdded", "due": "dueDate"}):
    """A CVE that was seen to be exploited; dates are `YYYY-MM-DD`."""

    cve: str
    added: str = ""
    due: str = ""


class _Catalogue(msgspec.Struct):
    vulnerabilities: list[Exploited]
    date_released: str = msgspec.field(default="", name="dateReleased")


def parse_kev(raw: bytes) -> tuple[str, list[Exploited]]:
    """When the catalogue was released, and its entries; raises AdvisoryInvalid."""
    try:
        catalogue = msgspec.json.decode(raw, type=_Catalogue)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AdvisoryInvalid(f"This is not a KEV catalogue: {str(error)[:200]}.", remedy="Fetch it again.") from error
    found = [one for one in catalogue.vulnerabilities[:_MOST] if CVE.fullmatch(one.cve)]
    if not found:
        raise AdvisoryInvalid("The KEV catalogue names no vulnerability.", remedy="Fetch it again.")
    return catalogue.date_released[:40], found
