"""A rule's own examples: what `lading policy test` runs.

Each example is judged by its rule alone, without exceptions. An evaluation that fails is not the denial an example asks
for, unless the example gives that very message.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from lading.kernel.errors import LadingError
from lading.kernel.subject import Subject, SubjectKind
from lading.policy.document import canonical_document
from lading.policy.evaluate import evaluate
from lading.policy.pack import CompiledRule, Pack, pack_of
from lading.policy.rule import STAGES, Example

_SUBJECT = Subject(SubjectKind.POLICY, "example")
_NOW = "2026-01-01T00:00:00.000000Z"


class ExampleResult(msgspec.Struct, frozen=True):
    """Whether a rule did what its example says; `why` is empty when it did."""

    rule: str
    name: str
    passed: bool
    why: str = ""


def run_examples(pack: Pack) -> tuple[ExampleResult, ...]:
    """Run the examples of every rule, in the order of the rules."""
    return tuple(
        _run(compiled, example, example.name or f"example {number}", pack)
        for compiled in pack.rules
        for number, example in enumerate(compiled.rule.examples, start=1)
    )


def without_examples(pack: Pack) -> tuple[str, ...]:
    """The rules that show no example."""
    return tuple(compiled.rule.id for compiled in pack.rules if not compiled.rule.examples)


def _run(compiled: CompiledRule, example: Example, name: str, pack: Pack) -> ExampleResult:
    rule = msgspec.structs.replace(compiled.rule, exceptions=())
    wanted = example.input.get("stage", rule.stages[0])
    stage = next((one for one in STAGES if one == wanted), rule.stages[0])
    try:
        document, _ = canonical_document({"stage": stage, "now": _NOW} | example.input)
        outcome = evaluate(
            pack_of([rule], pack.engine), stage, document, subject=_SUBJECT, at=datetime(2026, 1, 1, tzinfo=UTC)
        )
    except LadingError as error:
        return ExampleResult(rule.id, name, False, str(error))
    found = (*outcome.violations, *outcome.warnings)
    messages = tuple(violation.message for violation in found)
    if example.messages is not None and example.messages != messages:
        return ExampleResult(rule.id, name, False, f"said {list(messages)}, not {list(example.messages)}")
    failed = [violation.message for violation in found if violation.failed]
    if failed and example.messages is None:
        return ExampleResult(rule.id, name, False, failed[0])
    if bool(found) != example.denied:
        return ExampleResult(rule.id, name, False, f"{'denied' if found else 'allowed'}, which it must not be")
    return ExampleResult(rule.id, name, True)
