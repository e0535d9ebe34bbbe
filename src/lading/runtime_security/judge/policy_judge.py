"""Lading's policy as the Judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lading.kernel.severity import Severity
from lading.kernel.subject import Subject
from lading.policy.decide import Policy
from lading.runtime_security.judge.verdict import Verdict, Violation

ACTOR: Final = "system:runtime-security"


class PolicyJudge:
    """Judges with the rules in force; every decision is kept and can be explained and replayed."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def decide(self, container: str, document: Mapping[str, Any]) -> Verdict:
        decision = self._policy.decide("run", Subject.container(container), dict(document), actor=ACTOR)
        return Verdict(
            decision.id,
            tuple(
                Violation(one.rule, Severity.parse(one.severity), one.title, one.message)
                for one in decision.outcome.violations
            ),
        )
