"""Retention: which images a repository keeps, said by rules, explained image by image before anything is deleted."""

from lading.supply_chain.registry.retention.retention import Retention
from lading.supply_chain.registry.retention.rules import Rule
from lading.supply_chain.registry.retention.verdict import Verdict

__all__ = ["Retention", "Rule", "Verdict"]
