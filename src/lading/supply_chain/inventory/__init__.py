"""What is in an image: every layer read once, as a stream, and merged to an inventory by the rules of the layers.

source.open(layer) -> stream (bounds) -> tar -> catalogers -> LayerInventory -> merge (whiteouts) -> ImageInventory

Nothing is ever unpacked to a disk. What cannot be read is a gap, and a gap is told: never zero packages in silence.
"""

from lading.supply_chain.inventory.inventories import Inventories
from lading.supply_chain.inventory.source import LayerRef, LayerSource, MemoryLayers
from lading.supply_chain.inventory.values import FileEntry, ImageInventory, LayerInventory, Note, Package

__all__ = [
    "FileEntry",
    "ImageInventory",
    "Inventories",
    "LayerInventory",
    "LayerRef",
    "LayerSource",
    "MemoryLayers",
    "Note",
    "Package",
]
