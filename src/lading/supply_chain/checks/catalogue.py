"""Every rule of every check, by id: what documents, SARIF and `lading where` say of a rule comes from here.

A room of rules lists them in a tuple `RULES`; that tuple has its line in `_EVERY`.
"""

from __future__ import annotations

from typing import Final

from lading.supply_chain.checks.compose import rules as compose
from lading.supply_chain.checks.dockerfile import rules as dockerfile
from lading.supply_chain.checks.image import rules as image
from lading.supply_chain.checks.kubernetes import rules as kubernetes
from lading.supply_chain.checks.licences import rules as licences
from lading.supply_chain.checks.lineage import rules as lineage
from lading.supply_chain.checks.rule import Rule
from lading.supply_chain.checks.secrets import rules as secrets
from lading.supply_chain.checks.support import rules as support

_EVERY: Final[tuple[tuple[Rule, ...], ...]] = (
    image.RULES, secrets.RULES, dockerfile.RULES, compose.RULES, kubernetes.RULES, licences.RULES, support.RULES,
    lineage.RULES,
)  # fmt: skip
CATALOGUE: Final[dict[str, Rule]] = {rule.id: rule for rules in _EVERY for rule in rules}
