"""What makes a new advisory reach every image by itself: a follower of the facts that feeds were taken in."""

from __future__ import annotations

from collections.abc import Sequence

from lading.facts import Entry
from lading.facts.kinds.supply_chain import AdvisoriesUpdated
from lading.state import Transaction
from lading.supply_chain.match.findings import Findings


class AdvisoryFollower:
    """Matches what a feed changed as soon as its fact is read. The facts only wake it: the changes are in a list."""

    name = "match.advisories"
    kinds: Sequence[str] | None = (AdvisoriesUpdated.kind(),)

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Catch up once for all of `entries`."""
        if entries:
            self._findings.catch_up_in(tx)
