"""Packages against advisories: findings, kept current without reading any image twice.

inventory -> package index -> candidates by ecosystem and name -> versions compared -> aliases joined -> findings
"""

from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.findings import Findings, ImageChange, LayerOwners, Place

__all__ = ["Finding", "Findings", "ImageChange", "LayerOwners", "Place"]
