"""What is publicly known to be wrong with packages: advisories (OSV), exploitation seen (KEV) and predicted (EPSS).

fetch -> bounded reading -> parsed at the edge -> compared with what is kept -> rows, fact and list of changes at once
"""

from lading.supply_chain.advisories.advisory import Advisory, Affected, Range
from lading.supply_chain.advisories.feeds import Advisories, Imported
from lading.supply_chain.advisories.origin import FeedStatus

__all__ = ["Advisories", "Advisory", "Affected", "FeedStatus", "Imported", "Range"]
