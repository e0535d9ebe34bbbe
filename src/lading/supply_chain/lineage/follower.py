"""The history of tags: which image each named, from the first entry of the ledger on."""

from __future__ import annotations

from collections.abc import Sequence

from lading.facts import Entry
from lading.facts.kinds.supply_chain import TagMoved
from lading.kernel.clock import timestamp
from lading.state import Transaction
from lading.supply_chain.lineage.sql import LineageStore


class TagFollower:
    """Keeps the history of tags."""

    name = "lineage-tags"
    kinds: Sequence[str] | None = (TagMoved.kind(),)

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Take over what `entries` say."""
        store = LineageStore()
        for entry in entries:
            if isinstance(entry.fact, TagMoved):
                store.move_tag(tx, entry.fact.repository, entry.fact.tag, entry.fact.digest, timestamp(entry.at))
