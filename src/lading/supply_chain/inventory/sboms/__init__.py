"""Bills of materials that others wrote, read as inventories: CycloneDX 1.4 to 1.7 and SPDX 2.3, as JSON.

What cannot be matched (a component without a package URL, or of a kind that nobody keeps advisories for) is a gap of
the inventory, never left out in silence.
"""

from lading.supply_chain.inventory.sboms.reading import looks_like_sbom, read_sbom

__all__ = ["looks_like_sbom", "read_sbom"]
