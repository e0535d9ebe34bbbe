"""RPM packages, whichever of its databases a distribution keeps: SQLite, NDB or Berkeley DB.

cataloger (which file, which format) -> sqlite | ndb | berkeley (headers as bytes) -> header (tags) -> packages

Each reader is our own because none that may be shipped reads a database that lies in memory and may be hostile.
"""

from lading.supply_chain.inventory.catalogers.rpm.cataloger import RpmCataloger

__all__ = ["RpmCataloger"]
