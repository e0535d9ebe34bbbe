"""Python: installed distributions (wheels, eggs in their three forms), archives of them, and lock files."""

from lading.supply_chain.inventory.catalogers.python.archives import PythonArchiveCataloger
from lading.supply_chain.inventory.catalogers.python.installed import PythonCataloger
from lading.supply_chain.inventory.catalogers.python.locks import PythonLockCataloger

__all__ = ["PythonArchiveCataloger", "PythonCataloger", "PythonLockCataloger"]
