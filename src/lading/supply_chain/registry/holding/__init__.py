"""What must not be deleted, whatever garbage collection and retention would say: backups under way and legal holds."""

from lading.supply_chain.registry.holding.holds import BACKUP, LEGAL, Hold, Holds, Protection

__all__ = ["BACKUP", "LEGAL", "Hold", "Holds", "Protection"]
