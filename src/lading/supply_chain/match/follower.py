"""What makes a new advisory reach every image by itself: a follower of the facts that feeds were taken in."""

from __future__ import annotations

from collections.abc import Sequence

from lading.facts import Entry
from lading.facts.kinds.supply_chain import AdvisoriesUpdated
from lading.state import Transaction
from lading.supply_chain.match.findings import Findings


class AdvisoryFollower:
    """Notes that a feed changed something. What changed is in a list with a cursor of its own, so nothing is lost when
    the process is killed between a fact and `work`; judging many packages takes several transactions."""

    name = "match.advisories"
    kinds: Sequence[str] | None = (AdvisoriesUpdated.kind(),)

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        # A process before this one may have been killed between a fact and the work.
        self._due = True

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Note that there is work."""
        del tx
        self._due = self._due or bool(entries)

    def work(self) -> int:
        """Match what changed since the last time; for how many images something changed."""
        if not self._due:
            return 0
        told = self._findings.catch_up()
        self._due = False
        return told
