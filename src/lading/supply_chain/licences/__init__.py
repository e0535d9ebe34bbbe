"""Licences: what packages declare, as expressions of SPDX ids, and of which kind that is.

`normalise` makes an expression of declared texts and keeps the texts beside it. What is not known stays so and is said.
"""

from lading.supply_chain.licences.expression import OWN
from lading.supply_chain.licences.normalise import Licence, licence_of, normalised

__all__ = ["OWN", "Licence", "licence_of", "normalised"]
