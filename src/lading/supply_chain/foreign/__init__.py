"""Reports of other tools about an image: told apart by their form, bounded, and reduced to what Lading uses of them.

report -> form (Trivy, Grype, CycloneDX, SPDX, SARIF, JUnit) -> ForeignReport -> kept by image -> joined, judged, shown
"""

from lading.supply_chain.foreign.report import ForeignReport, Kind, Told, ToldTests
from lading.supply_chain.foreign.reports import KeptReport, Reports

__all__ = ["ForeignReport", "KeptReport", "Kind", "Reports", "Told", "ToldTests"]
