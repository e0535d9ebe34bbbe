"""Python: installed distributions (wheels, eggs in their three forms), and lock files."""

from lading.supply_chain.inventory.catalogers.python.egg import EggCataloger
from lading.supply_chain.inventory.catalogers.python.installed import PythonCataloger
from lading.supply_chain.inventory.catalogers.python.locks import PythonLockCataloger

__all__ = ["EggCataloger", "PythonCataloger", "PythonLockCataloger"]
