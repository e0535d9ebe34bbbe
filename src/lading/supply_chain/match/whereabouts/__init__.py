"""Where a flaw, a package or a licence is, and since when: answered from indexes, however many images there are."""

from lading.supply_chain.match.whereabouts.where import Found, Sought, Whereabouts

__all__ = ["Found", "Sought", "Whereabouts"]
