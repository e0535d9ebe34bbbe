"""From places to weaknesses: what was found in the layers of an image and in its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.supply_chain.checks.rule import Rule
from lading.supply_chain.checks.secrets.configuration import secrets_of
from lading.supply_chain.checks.secrets.rules import RULES, unknown
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.inventory.values import Secret

_BY_ID: Final = {rule.id: rule for rule in RULES}
_HIDDEN: Final = "; a later layer hides the file, but the layer is still shipped"


def secret_weaknesses(target: Target) -> Iterator[Weakness]:
    """Every secret in the layers and in the configuration. Its value is nowhere in what is said of it."""
    for secret in target.inventory.secrets:
        yield _in_layer(_BY_ID.get(secret.rule) or unknown(secret.rule), secret)
    for identity, place in secrets_of(target.configuration):
        rule = _BY_ID[identity]
        yield rule.found(f"{rule.title} in {place} of the image's configuration")


def _in_layer(rule: Rule, secret: Secret) -> Weakness:
    hidden = _HIDDEN if secret.hidden else ""
    message = f"{rule.title} in {secret.path}{hidden}"
    return rule.found(message, file=secret.path, line=secret.line, layer=secret.layer)
