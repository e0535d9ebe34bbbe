"""The tables of mirroring, and every statement about them: reading (all that the pull endpoint loads), then writing."""

from lading.supply_chain.registry.mirroring.sql.tables import upstreams

__all__ = ["upstreams"]
