"""The facts that cross domains, and the ledger that keeps, chains, verifies and replays them.

    a room's work -> a frozen fact -> Ledger.append (same transaction) -> Follower.apply (cursor in its transaction)

Facts are the only arrows between domains: nobody reads another domain's tables.
"""

from lading.facts.fact import Entry, Fact
from lading.facts.follower import Follower, follow
from lading.facts.ledger import Ledger

__all__ = ["Entry", "Fact", "Follower", "Ledger", "follow"]
