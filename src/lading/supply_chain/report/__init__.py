"""What a scan found, in the forms that people and other tools read: one small module for each form.

ScanResult -> table, JSON, SARIF 2.1.0, CycloneDX 1.6, SPDX 2.3, JUnit. Pure: nothing here reads a clock or a file.
"""

from lading.supply_chain.report.result import Accepted, Feed, Layer, ScanResult, Verdict

__all__ = ["Accepted", "Feed", "Layer", "ScanResult", "Verdict"]
