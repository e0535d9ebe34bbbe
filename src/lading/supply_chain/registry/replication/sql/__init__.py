"""The tables of replication, and every statement about them."""

from lading.supply_chain.registry.replication.sql.tables import items

__all__ = ["items"]
