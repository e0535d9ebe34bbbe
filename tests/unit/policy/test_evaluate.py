from datetime import UTC, datetime
from typing import Any

import pytest

from lading.kernel.clock import ManualClock
from lading.kernel.subject import Subject
from lading.policy.decision import Outcome
from lading.policy.evaluate import MOST_VIOLATIONS, evaluate
from lading.policy.pack import parse_pack
from lading.policy.template import Template

SUBJECT = Subject.parse("image:sha256:" + "a" * 64)
RULE = "id: r\ntitle: t\nstages: [deploy]\nseverity: high\nowner: o\n"


def judged(text: str, document: dict[str, Any], **more: Any) -> Outcome:
    pack = parse_pack({"a.yaml": (RULE + text).encode()})
    return evaluate(pack, "deploy", document, subject=SUBJECT, at=datetime(2026, 1, 1, tzinfo=UTC), **more)


def test_one_item_that_cannot_be_judged_is_refused_and_the_others_are_judged() -> None:
    outcome = judged(
        "message: '{it.id}'\neach: findings\ndeny: it.rank > 3\n",
        {"findings": [{"id": "a", "rank": 4}, {"id": "b"}, {"id": "c", "rank": 1}, "text", {"id": "d", "rank": 5}]},
    )

    assert [(one.failed, one.evidence[0].path) for one in outcome.violations] == [
        (False, "findings[0]"),
        (True, "findings[1]"),
        (True, "findings[3]"),
        (False, "findings[4]"),
    ]
    assert "on findings[1]" in outcome.violations[1].message


def test_a_guard_that_fails_refuses() -> None:
    (violation,) = judged("message: m\nwhen: input.a.b == 1\ndeny: 'false'\n", {}).violations
    assert violation.failed
    assert [(one.path, one.missing) for one in violation.evidence] == [("a.b", True)]


def test_a_warning_that_cannot_be_judged_refuses() -> None:
    outcome = judged("message: m\neffect: warn\ndeny: input.a == 1\n", {})
    assert not outcome.allowed
    assert judged("message: m\neffect: warn\ndeny: input.a == 1\n", {"a": 1}).allowed


def test_rules_that_were_not_judged_in_time_refuse() -> None:
    class Hurrying(ManualClock):
        def monotonic(self) -> float:
            self.sleep(1)
            return super().monotonic()

    outcome = judged("message: m\neach: n\ndeny: it < 0\n", {"n": list(range(5_000))}, clock=Hurrying(), seconds=3.5)
    (violation,) = outcome.violations
    assert violation.failed
    assert "time for this decision was used up" in violation.message


def test_a_rule_that_refuses_without_end_is_cut_off_and_stays_a_refusal() -> None:
    outcome = judged("message: m\neach: n\ndeny: it >= 0\n", {"n": list(range(MOST_VIOLATIONS + 500))})
    assert len(outcome.violations) == MOST_VIOLATIONS


def test_the_severity_may_be_that_of_the_item() -> None:
    text = "message: m\neach: n\ndeny: 'true'\n"
    document = {"n": [{"severity": "critical"}, {"severity": "dreadful"}, {}]}
    pack = parse_pack({"a.yaml": (RULE.replace("high", "'{it.severity}'") + text).encode()})
    outcome = evaluate(pack, "deploy", document, subject=SUBJECT, at=datetime(2026, 1, 1, tzinfo=UTC))
    assert [one.severity for one in outcome.violations] == ["critical", "unknown", "unknown"]


def test_evidence_leaves_out_what_is_inside_of_other_evidence() -> None:
    (violation,) = judged(
        "message: m\nwhen: has(input.image) && has(input.image.user)\ndeny: input.image.user.startsWith('r')\n",
        {"image": {"user": "root", "bulk": "x" * 1_000}},
    ).violations
    assert [(one.path, one.value) for one in violation.evidence] == [("image.user", "root")]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("plain", "plain"),
        ("two\nlines\x1b[31m\u202e", "two�lines�[31m�"),
        ("x" * 500, "x" * 199 + "…"),
        (None, "(none)"),
        ("", "(none)"),
        (True, "true"),
        (["a", "b"], "a, b"),
        ([], "(none)"),
        (list(range(12)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"),
        ({"a": 1}, "a=1"),
        ("{it.secret}", "{it.secret}"),
        (1.5, "1.5"),
    ],
)
def test_values_are_shown_on_one_bounded_line(value: Any, said: str) -> None:
    assert Template.parse("<{it.x}>", items=True).fill({"it": {"x": value, "secret": 1}}) == f"<{said}>"
