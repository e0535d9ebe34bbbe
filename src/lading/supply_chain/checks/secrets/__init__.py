"""Secrets of an image as weaknesses: those that its inventory has places of, and those of its configuration."""

from lading.supply_chain.checks.secrets.rules import RULES
from lading.supply_chain.checks.secrets.weaknesses import secret_weaknesses

__all__ = ["RULES", "secret_weaknesses"]
