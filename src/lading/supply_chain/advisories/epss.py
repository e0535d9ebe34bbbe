"""FIRST's exploit prediction scores (CSV): how likely a CVE is to be exploited within thirty days, 0.0 to 1.0."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.kev import CVE

_MOST: Final = 2_000_000
_DATE: Final = re.compile(r"score_date:([0-9T:+-]{10,30})")


def parse_epss(lines: Iterable[str]) -> tuple[str, dict[str, float]]:
    """The date of the scores (empty when the file does not say) and CVE -> probability; raises AdvisoryInvalid."""
    date, scores = "", {}
    for line in lines:
        if line.startswith("#"):
            said = _DATE.search(line)
            date = said[1] if said else date
            continue
        cve, _, rest = line.partition(",")
        try:
            score = float(rest.partition(",")[0])
        except ValueError:
            continue
        if 0.0 <= score <= 1.0 and CVE.fullmatch(cve):
            scores[cve] = score
        if len(scores) > _MOST:
            raise AdvisoryInvalid(f"The EPSS file has more than {_MOST} rows.", remedy="Fetch it again.")
    if not scores:
        raise AdvisoryInvalid("The EPSS file has no scores.", remedy="Fetch it again.")
    return date, scores
