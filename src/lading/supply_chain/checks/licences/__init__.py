"""Licences of what is carried: gathered by expression for rules, and judged by an organisation's own policy on them."""

from lading.supply_chain.checks.licences.carried import Carried, carried, licence_documents
from lading.supply_chain.checks.licences.judging import LicenceCheck
from lading.supply_chain.checks.licences.policy import LicencePolicy, read_licence_policy

__all__ = ["Carried", "LicenceCheck", "LicencePolicy", "carried", "licence_documents", "read_licence_policy"]
