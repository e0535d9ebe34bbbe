"""The registry's tables, and every statement about them: reading (all that the pull endpoint loads), then writing."""

from lading.supply_chain.registry.sql.tables import repositories

__all__ = ["repositories"]
