"""Every check is asked, each weakness told once, worst first, and bounded; every rule has what documents say of it."""

from datetime import UTC, datetime

import pytest

from lading.kernel.severity import Severity
from lading.supply_chain.checks.catalogue import _EVERY, CATALOGUE
from lading.supply_chain.checks.gathering import gather
from lading.supply_chain.checks.rule import Rule
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import KINDS
from lading.supply_chain.inventory import ImageInventory

RULE = Rule(
    id="image-made-up", kind="misconfiguration", title="Made up", severity=Severity.LOW, why="For a test.",
    remedy="Nothing.", references=("CWE-1",),
)  # fmt: skip
TARGET = Target(
    of="image",
    inventory=ImageInventory(image="sha256:" + "0" * 64, cataloger_version="1", layers=()),
    at=datetime(2026, 1, 2, tzinfo=UTC),
)


def test_what_two_checks_find_is_one_weakness_and_the_worst_comes_first() -> None:
    mild, bad = RULE.found("mild"), RULE.found("bad", file="b", severity=Severity.HIGH)

    assert gather(TARGET, [lambda _: [mild], lambda _: [bad, mild]]) == (bad, mild)


def test_a_rule_that_is_broken_everywhere_is_told_200_times_and_how_often_beyond() -> None:
    found = gather(TARGET, [lambda _: (RULE.found("here", file=f"f{number:03}") for number in range(203))])

    assert len(found) == 201
    assert [one.message for one in found if not one.file] == ["3 more places are not listed"]


def test_what_is_no_image_has_no_weakness_of_one() -> None:
    assert gather(TARGET) == ()


def test_no_two_rules_have_one_id() -> None:
    assert len(CATALOGUE) == sum(len(rules) for rules in _EVERY)


@pytest.mark.parametrize("rule", CATALOGUE.values(), ids=lambda rule: rule.id)
def test_a_rule_says_why_and_what_to_do(rule: Rule) -> None:
    assert rule.kind in KINDS
    assert rule.id == rule.id.lower()
    assert rule.title
    assert not rule.title.endswith(".")
    assert rule.why.endswith(".")
    assert rule.remedy.endswith(".")
    assert rule.severity >= Severity.LOW
