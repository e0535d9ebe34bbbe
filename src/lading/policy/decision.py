"""What the rules said, as values: kept, shown and compared, so it carries everything it speaks of."""

from __future__ import annotations

from typing import Any

import msgspec

from lading.policy.rule import Effect, RuleException, Stage


class Evidence(msgspec.Struct, frozen=True):
    """One place of the input and what stood there; `missing` when nothing did."""

    path: str
    value: Any = None
    missing: bool = False


class Violation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing one rule refuses (or warns of). `failed` when it could not be judged and is refused for that.

    `severity` is a label of kernel.Severity, `owner` answers for the rule, `remedy` is text for a person.
    """

    rule: str
    title: str
    severity: str
    owner: str
    message: str
    evidence: tuple[Evidence, ...] = ()
    remedy: str = ""
    effect: Effect = "deny"
    failed: bool = False

    def item(self) -> dict[str, Any]:
        """The item of `each` that was refused, or an empty mapping."""
        first = self.evidence[0].value if self.evidence else None
        return first if isinstance(first, dict) and self.evidence[0].path.endswith("]") else {}


class Excepted(msgspec.Struct, frozen=True):
    """A violation that does not count, because of an exception; or would not, had the exception not expired."""

    violation: Violation
    exception: RuleException


class RuleVersion(msgspec.Struct, frozen=True):
    """A rule at one moment of its life."""

    id: str
    digest: str


class Outcome(msgspec.Struct, frozen=True):
    """What a pack says about one document at one stage."""

    violations: tuple[Violation, ...]
    warnings: tuple[Violation, ...]
    excepted: tuple[Excepted, ...]
    expired: tuple[Excepted, ...]
    rules: tuple[RuleVersion, ...]

    @property
    def allowed(self) -> bool:
        """Whether nothing was refused."""
        return not self.violations


class Decision(msgspec.Struct, frozen=True):
    """An outcome that was acted on. `at` is the moment the rules judged by, RFC 3339; `pack` a digest."""

    id: str
    stage: Stage
    subject: str
    actor: str
    at: str
    allowed: bool
    pack: str
    engine: str
    outcome: Outcome
    seq: int = 0

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What was refused, the worst rule order being that of the pack."""
        return self.outcome.violations

    @property
    def warnings(self) -> tuple[Violation, ...]:
        """What the rules only warn of."""
        return self.outcome.warnings

    @property
    def denied_by(self) -> tuple[str, ...]:
        """The rules that refused, each once."""
        return tuple(dict.fromkeys(violation.rule for violation in self.outcome.violations))
