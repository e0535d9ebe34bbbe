"""Packages against advisories: findings, kept current without reading any image twice.

inventory -> package index -> candidates by ecosystem and name -> versions compared -> aliases joined -> findings
"""

from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.findings import Findings, Place
from lading.supply_chain.match.matching import ImageChange
from lading.supply_chain.match.ports import ImageHomes, LayerOwners

__all__ = ["Finding", "Findings", "ImageChange", "ImageHomes", "LayerOwners", "Place"]
