"""The rules about secrets: one for each kind that has a form, and one for variables that only their name gives away."""

from __future__ import annotations

from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.rule import Rule
from lading.supply_chain.secrets.form import Kind
from lading.supply_chain.secrets.forms import KINDS

_WHY: Final = "Whoever can pull the image has it, even when a later layer deletes the file."


def _rule(kind: Kind) -> Rule:
    return Rule(id=kind.id, kind="secret", title=kind.title, severity=kind.severity, why=_WHY, remedy=kind.remedy)


IN_VARIABLE: Final = _rule(
    Kind(
        id="secret-in-variable",
        title="Secret in a variable of an image",
        severity=Severity.HIGH,
        remedy="Change it, and hand it over when the container starts; for a build use `RUN --mount=type=secret`.",
    )
)
RULES: Final[tuple[Rule, ...]] = (*(_rule(kind) for kind in KINDS), IN_VARIABLE)


def unknown(identity: str) -> Rule:
    """The rule of a secret that a newer version of Lading found in a layer, and that this one has no form for."""
    title = "Secret of a kind that this version of Lading does not know"
    return _rule(Kind(id=identity, title=title, severity=Severity.HIGH, remedy="Bring all hosts to one version."))
