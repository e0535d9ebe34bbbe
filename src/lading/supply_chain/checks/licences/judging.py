"""Licences judged by a policy: a weakness for each that is denied or left to people, one for all that is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date
from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.licences.carried import Carried, carried
from lading.supply_chain.checks.licences.policy import LicencePolicy, Verdict
from lading.supply_chain.checks.licences.rules import DENIED, TO_REVIEW, UNKNOWN
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.licences import normalised

_MOST_NAMED: Final = 5
_MOST_SHOWN: Final = 200


class LicenceCheck:
    """Judges what a target carries."""

    def __init__(self, policy: LicencePolicy) -> None:
        self._policy = policy

    def __call__(self, target: Target) -> Iterator[Weakness]:
        """The weaknesses of a target's licences."""
        today = target.at.astimezone(UTC).date()
        unknown: list[tuple[Verdict, Package]] = []
        for one in carried(target.inventory):
            for verdict, packages in self._sorted(one, today).items():
                if verdict == "allow":
                    continue
                if self._is_sure(one, verdict):
                    yield _told(one, verdict, packages)
                else:
                    unknown += [(verdict, package) for package in packages]
        if unknown:
            yield _not_known(unknown)

    def _sorted(self, one: Carried, today: date) -> dict[Verdict, list[Package]]:
        """The packages under a licence by what is said of them."""
        expression = normalised(one.licence.expression)
        usual = self._policy.of(expression) if expression is not None else self._policy.of_unknown()
        found: dict[Verdict, list[Package]] = {}
        for package in one.packages:
            said = self._policy.of_package(package, one.licence.expression, today)
            found.setdefault(said or usual, []).append(package)
        return found

    def _is_sure(self, one: Carried, verdict: Verdict) -> bool:
        """Whether the verdict is for what is known of the licence, and not because something of it is not."""
        expression = normalised(one.licence.expression)
        return one.licence.known or (expression is not None and self._policy.of(expression, unknown="allow") == verdict)


def _told(one: Carried, verdict: Verdict, packages: list[Package]) -> Weakness:
    said = "denied by the licence policy" if verdict == "deny" else "left to people by the licence policy"
    rule = DENIED if verdict == "deny" else TO_REVIEW
    first = packages[0]
    message = f"{_short(one.licence.expression)} of {_names(packages)} is {said}"
    return rule.found(message, file=first.path, layer=first.layer)


def _not_known(unknown: list[tuple[Verdict, Package]]) -> Weakness:
    packages = [package for _, package in unknown]
    denied = any(verdict == "deny" for verdict, _ in unknown)
    message = f"it is not known under which licence {_names(packages)} is"
    return UNKNOWN.found(message, severity=Severity.HIGH if denied else None)


def _names(packages: Iterable[Package]) -> str:
    """The first few of them, each once, and how many more."""
    every = sorted({package.name for package in packages})
    more = f" and {len(every) - _MOST_NAMED} more packages" if len(every) > _MOST_NAMED else ""
    return ", ".join(every[:_MOST_NAMED]) + more


def _short(expression: str) -> str:
    return expression if len(expression) <= _MOST_SHOWN else f"{expression[:_MOST_SHOWN]}…"
