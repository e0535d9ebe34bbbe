"""The centre of policy: what do these rules say about this document? Pure; nothing is kept here.

    for each rule of the stage: guard -> items -> deny? -> exceptions -> violation

Fail closed: an expression that fails, a list that is missing, or a budget that is used up is a violation of its own.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from lading.kernel.clock import Clock, SystemClock
from lading.kernel.severity import Severity
from lading.kernel.subject import Subject
from lading.policy.cel import Scope
from lading.policy.decision import Evidence, Excepted, Outcome, RuleVersion, Violation
from lading.policy.errors import EvaluationFailed, PolicyEmpty
from lading.policy.pack import CompiledException, CompiledRule, Pack
from lading.policy.paths import MISSING, lookup, steps
from lading.policy.rule import Stage

MOST_VIOLATIONS: Final = 5_000
SECONDS: Final = 10.0
_CHECK_EVERY: Final = 256
NO_EXCEPTIONS: Final[Mapping[str, Sequence[CompiledException]]] = {}


@dataclass(frozen=True, slots=True)
class _Item:
    """One item of a list, or the whole document (`path` is empty)."""

    path: str
    value: Any
    scope: Scope


@dataclass(slots=True)
class _Run:
    """One evaluation: the document, and what was found so far."""

    document: dict[str, Any]
    subject: Subject
    at: datetime
    scope: Scope
    clock: Clock
    deadline: float
    items: dict[tuple[str | int, ...], list[_Item]] = field(default_factory=dict)
    found: list[Violation] = field(default_factory=list)
    excepted: list[Excepted] = field(default_factory=list)
    expired: list[Excepted] = field(default_factory=list)

    def late(self) -> bool:
        return self.clock.monotonic() > self.deadline


def evaluate(
    pack: Pack,
    stage: Stage,
    document: dict[str, Any],
    *,
    subject: Subject,
    at: datetime,
    granted: Mapping[str, Sequence[CompiledException]] = NO_EXCEPTIONS,
    clock: Clock | None = None,
    seconds: float = SECONDS,
) -> Outcome:
    """Apply every rule of `stage` to `document` (as `canonical_document` gives it).

    Args:
        at: the moment exceptions are held against; an exception holds before its `until`.
        granted: exceptions beyond those in the rule files, by rule id.
        seconds: rules that were not judged within this time refuse.

    Raises:
        PolicyEmpty: no rule speaks about the stage.
    """
    rules = pack.of_stage(stage)
    if not rules:
        raise PolicyEmpty(
            f"No rule speaks about the stage {stage}, so nothing is allowed there.",
            remedy="Add a rule for it, or use the default policy pack.",
        )
    used = clock or SystemClock()
    run = _Run(document, subject, at, pack.engine.scope(document), used, used.monotonic() + seconds)
    for compiled in rules:
        _apply(run, compiled, (*compiled.exceptions, *granted.get(compiled.rule.id, ())))
    return Outcome(
        violations=tuple(one for one in run.found if one.effect == "deny"),
        warnings=tuple(one for one in run.found if one.effect == "warn"),
        excepted=tuple(run.excepted),
        expired=tuple(run.expired),
        rules=tuple(RuleVersion(compiled.rule.id, compiled.digest) for compiled in rules),
    )


def _apply(run: _Run, compiled: CompiledRule, exceptions: Sequence[CompiledException]) -> None:
    whole = _Item("", None, run.scope)
    try:
        if run.late():
            raise EvaluationFailed("The time for this decision was used up.")
        if compiled.when is not None and not compiled.when.holds(run.scope):
            return
        items = _items(run, compiled)
    except EvaluationFailed as error:
        _keep(run, exceptions, whole, _failed(run, compiled, whole, error))
        return
    before = len(run.found)
    for item, violation in _refused(run, compiled, items):
        _keep(run, exceptions, item, violation)
        if len(run.found) - before >= MOST_VIOLATIONS:
            return


def _items(run: _Run, compiled: CompiledRule) -> list[_Item]:
    if not compiled.each:
        return [_Item("", None, run.scope)]
    known = run.items.get(compiled.each)
    if known is None:
        values = lookup(run.document, compiled.each)
        if not isinstance(values, list):
            raise EvaluationFailed(f"The input has no list {compiled.rule.each}.")
        path = compiled.rule.each
        known = [_Item(f"{path}[{n}]", value, run.scope.with_item(value)) for n, value in enumerate(values)]
        run.items[compiled.each] = known
    return known


def _refused(run: _Run, compiled: CompiledRule, items: list[_Item]) -> Iterator[tuple[_Item, Violation]]:
    holds = compiled.deny.holds
    for number, item in enumerate(items):
        try:
            if number % _CHECK_EVERY == _CHECK_EVERY - 1 and run.late():
                raise EvaluationFailed("The time for this decision was used up.")
            if holds(item.scope):
                yield item, _violation(run, compiled, item)
        except EvaluationFailed as error:
            yield item, _failed(run, compiled, item, error)
            if run.late():
                return


def _violation(run: _Run, compiled: CompiledRule, item: _Item) -> Violation:
    rule, scope = compiled.rule, {"input": run.document, "it": item.value}
    level = compiled.level or Severity.parse(compiled.severity.fill(scope))
    return Violation(
        rule=rule.id,
        title=rule.title,
        severity=level.label,
        owner=rule.owner,
        message=compiled.message.fill(scope),
        evidence=_evidence(run, compiled, item),
        remedy=compiled.remedy.fill(scope),
        effect=rule.effect,
    )


def _failed(run: _Run, compiled: CompiledRule, item: _Item, error: EvaluationFailed) -> Violation:
    """A rule that cannot be judged refuses, whatever its effect: a warning that fails is not known to be harmless."""
    place = f" on {item.path}" if item.path else ""
    return Violation(
        rule=compiled.rule.id,
        title=compiled.rule.title,
        severity=(compiled.level or Severity.HIGH).label,
        owner=compiled.rule.owner,
        message=f"The evaluation failed{place}: {error.what}",
        evidence=_evidence(run, compiled, item),
        remedy="Complete the input, or mend the rule with has() and a guard in `when`.",
        failed=True,
    )


def _evidence(run: _Run, compiled: CompiledRule, item: _Item) -> tuple[Evidence, ...]:
    found = [Evidence(item.path, item.value)] if item.path else []
    for path in compiled.mentions:
        value = lookup(run.document, steps(path))
        found.append(Evidence(path, missing=True) if value is MISSING else Evidence(path, value))
    return tuple(found)


def _keep(run: _Run, exceptions: Sequence[CompiledException], item: _Item, violation: Violation) -> None:
    for exception in exceptions:
        if not _matches(run, exception, item):
            continue
        kept = Excepted(violation, exception.stated)
        if run.at < exception.until:
            run.excepted.append(kept)
            return
        run.expired.append(kept)
    run.found.append(violation)


def _matches(run: _Run, exception: CompiledException, item: _Item) -> bool:
    glob = exception.stated.subject
    if glob and not fnmatch.fnmatchcase(str(run.subject), glob):
        return False
    if exception.program is None:
        return True
    try:
        return exception.program.holds(item.scope)
    except EvaluationFailed:
        return False
