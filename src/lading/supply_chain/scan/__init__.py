"""A scan without a server: a target is opened wherever it lies, its layers are read as streams, and judged.

target -> OpenedImage (registry, archive, layout, engine, directory) -> layer inventories (cached) -> merge -> findings

An SBOM is a target too: its components are the packages, and nothing is read beneath them.
"""

from lading.supply_chain.scan.image import OpenedImage
from lading.supply_chain.scan.layer_cache import DirectoryLayerCache, LayerCache, MemoryLayerCache

__all__ = ["DirectoryLayerCache", "LayerCache", "MemoryLayerCache", "OpenedImage"]
