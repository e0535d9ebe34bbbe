"""What an image is built on: whether there is a newer one, how old it is, and whether its own word about it is true."""

from lading.supply_chain.checks.lineage.bases import base_weaknesses

__all__ = ["base_weaknesses"]
