"""Explaining a decision: which rule, which finding, which layer, whose, and the smallest change that would pass."""

from __future__ import annotations

from typing import Any

import msgspec

from lading.kernel.clock import Clock, parse_timestamp
from lading.kernel.severity import Severity
from lading.kernel.subject import Subject
from lading.policy.change import Change, Setting, Upgrade, smallest_change
from lading.policy.decide import Policy, compiled_grants
from lading.policy.decision import Decision, Excepted, Violation
from lading.policy.document import canonical_document, read_document
from lading.policy.evaluate import evaluate
from lading.policy.pack import Pack
from lading.policy.replay import Replay
from lading.policy.sql import Kept
from lading.policy.template import shown
from lading.policy.versions import SimpleOrder, VersionOrder


class Reason(msgspec.Struct, frozen=True):
    """One refusal or warning, with what it is about. Empty texts where the input does not say."""

    rule: str
    title: str
    severity: str
    message: str
    rule_owner: str
    finding: str
    package: str
    version: str
    fixed: str
    layer: str
    owner: str
    evidence: tuple[str, ...]
    remedy: str
    failed: bool


class Explanation(msgspec.Struct, frozen=True):
    """A decision told to a person or a program. `change` is None for what was allowed."""

    decision: str
    stage: str
    subject: str
    at: str
    allowed: bool
    pack: str
    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...]
    excepted: tuple[str, ...]
    expired: tuple[str, ...]
    change: Change | None

    def text(self) -> str:
        """The explanation in lines, the worst first."""
        return "\n".join(_lines(self))


class Explainer:
    """Explains kept decisions by the rules of then."""

    def __init__(self, policy: Policy, replay: Replay, order: VersionOrder | None = None) -> None:
        self._policy = policy
        self._replay = replay
        self._order = order or SimpleOrder()

    def explain(self, identity: str) -> Explanation:
        """Explain a decision by its id; raises NotFound, or IntegrityFailure when its rules were changed."""
        kept = self._policy.get(identity)
        return explain(kept, self._replay.pack_of(kept), self._order)


def explain(kept: Kept, pack: Pack, order: VersionOrder | None = None, clock: Clock | None = None) -> Explanation:
    """Explain a decision by the rules it was made by."""
    decision, document = kept.decision, read_document(kept.input)

    def judge(changed: dict[str, Any]) -> tuple[Violation, ...]:
        judged, _ = canonical_document(changed)
        return evaluate(
            pack,
            decision.stage,
            judged,
            subject=Subject.parse(decision.subject),
            at=parse_timestamp(decision.at),
            granted=compiled_grants(pack, kept.granted),
            clock=clock,
        ).violations

    change = None if decision.allowed else smallest_change(decision, document, pack, order or SimpleOrder(), judge)
    return Explanation(
        decision=decision.id,
        stage=decision.stage,
        subject=decision.subject,
        at=decision.at,
        allowed=decision.allowed,
        pack=decision.pack,
        reasons=_reasons(decision.violations, document),
        warnings=_reasons(decision.warnings, document),
        excepted=tuple(_exception(one) for one in decision.outcome.excepted),
        expired=tuple(_exception(one) for one in decision.outcome.expired),
        change=change,
    )


def summary(decision: Decision) -> str:
    """One sentence: allowed, or by which rules it was refused and how often."""
    if decision.allowed:
        warned = f", with {len(decision.warnings)} warnings" if decision.warnings else ""
        return f"{decision.subject} is allowed at {decision.stage}{warned}."
    counts = [f"{rule} ({sum(one.rule == rule for one in decision.violations)})" for rule in decision.denied_by]
    return f"{decision.subject} is refused at {decision.stage} by {', '.join(counts)}."


def _reasons(violations: tuple[Violation, ...], document: dict[str, Any]) -> tuple[Reason, ...]:
    found = [_reason(violation, document) for violation in violations]
    return tuple(sorted(found, key=lambda one: -Severity.parse(one.severity)))


def _reason(violation: Violation, document: dict[str, Any]) -> Reason:
    item = violation.item()

    def said(key: str) -> str:
        return str(item.get(key) or "")

    return Reason(
        rule=violation.rule,
        title=violation.title,
        severity=violation.severity,
        message=violation.message,
        rule_owner=violation.owner,
        finding=said("id"),
        package=said("package"),
        version=said("version"),
        fixed=said("fixed"),
        layer=said("layer"),
        owner=said("owner") or _team(document),
        evidence=tuple(f"{one.path}: {'missing' if one.missing else shown(one.value)}" for one in violation.evidence),
        remedy=violation.remedy,
        failed=violation.failed,
    )


def _team(document: dict[str, Any]) -> str:
    for part in ("workload", "image"):
        about = document.get(part)
        if isinstance(about, dict) and about.get("team"):
            return str(about["team"])
    return ""


def _exception(one: Excepted) -> str:
    stated = one.exception
    return f"{one.violation.rule}: {stated.reason} ({stated.owner}, until {stated.until})"


def _lines(told: Explanation) -> list[str]:
    verdict = "Allowed" if told.allowed else "Refused"
    lines = [f"{verdict} at {told.stage}: {told.subject}", f"  decision {told.decision} of {told.at}"]
    lines += [line for reason in told.reasons for line in _reason_lines(reason)]
    lines += [f"  warning  {reason.rule}: {reason.message}" for reason in told.warnings]
    lines += [f"  excepted {text}" for text in told.excepted]
    lines += [f"  expired exception {text}" for text in told.expired]
    if told.change is not None:
        lines += _change_lines(told.change)
    return lines


def _reason_lines(reason: Reason) -> list[str]:
    lines = [f"  {reason.severity:<8} {reason.rule}: {reason.message}"]
    place = f"in layer {reason.layer}, " if reason.layer else ""
    lines.append(f"           {place}brought by {reason.owner or 'nobody known'}; the rule is {reason.rule_owner}'s")
    return lines


def _change_lines(change: Change) -> list[str]:
    parts = [_upgrade_line(one) for one in change.upgrades] + [_setting_line(one) for one in change.settings]
    lines = ["The smallest change that would pass:" if change.passes else "What can be changed:"] if parts else []
    lines += [f"  {number}. {part}" for number, part in enumerate(parts, start=1)]
    if change.passes:
        return [*lines, "With it, the same rules allow this."]
    lines.append("This is still refused after it:" if parts else "No change could be worked out:")
    lines += [f"  - {violation.rule}: {violation.message}" for violation in change.remaining[:20]]
    if len(change.remaining) > 20:
        lines.append(f"  - and {len(change.remaining) - 20} more")
    return lines + [f"  remedy: {words}" for words in change.words[:20]]


def _upgrade_line(upgrade: Upgrade) -> str:
    mends = shown(list(upgrade.mends))
    where = f" in layer {shown(list(upgrade.layers))}" if upgrade.layers else ""
    whose = f", owned by {shown(list(upgrade.owners))}" if upgrade.owners else ""
    return f"raise {upgrade.package} {shown(list(upgrade.versions))} to {upgrade.to}{where}{whose} (mends {mends})"


def _setting_line(setting: Setting) -> str:
    return setting.text or ", ".join(f"set {path} to {shown(value)}" for path, value in setting.values.items())
