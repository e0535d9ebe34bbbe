"""Decisions of the server come in the forms that pipelines read."""

from __future__ import annotations

import json

import pytest

from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound, Refused
from lading.kernel.subject import Subject
from lading.lifecycle.known import KnownImages
from lading.lifecycle.ship import DECISION
from lading.supply_chain.report.as_json import from_json
from lading.supply_chain.report.forms import write
from unit.lifecycle.conftest import House


@pytest.fixture
def known(house: House, clock: ManualClock) -> KnownImages:
    return KnownImages(
        registry=house.registry, inventories=house.inventories, documents=house.admission._documents,
        advisories=house.advisories, policy=house.policy, clock=clock, version="1",
    )  # fmt: skip


def test_an_approved_image_passes_and_can_be_read_again(house: House, known: KnownImages) -> None:
    image = Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])
    result = known.of(image, "shop/web:1")

    assert (result.verdict.passed, result.violations, result.gaps) == (True, (), ())
    assert result.configuration["user"] == "10001"
    assert {one.name for one in result.inventory.packages} >= {"jinja2"}
    assert from_json(write(result, "json"), "x") == result


def test_a_refused_ship_names_its_decision_and_that_comes_as_sarif(house: House, known: KnownImages) -> None:
    house.learn("CVE-1", "jinja2", "3.1.3")
    with pytest.raises(Refused) as refused:
        house.ship("jinja2==3.1.2")
    (decision,) = [one.removeprefix(DECISION) for one in refused.value.details]

    result = known.of_decision(decision)
    run = json.loads(write(result, "sarif"))["runs"][0]

    assert not result.verdict.passed
    assert [one["ruleId"] for one in run["results"] if one["level"] == "error"] == [
        "lading-policy/no-fixable-severe-flaw", "CVE-1"
    ]  # fmt: skip
    assert [one["properties"]["refuses"] for one in run["results"] if one["ruleId"] == "CVE-1"] == [True]
    assert write(result, "junit").count(b"<failure") == 2


def test_a_decision_about_no_image_has_no_report(house: House, known: KnownImages) -> None:
    decision = house.policy.decide(
        "run", Subject.workload("shop/web"), {"environment": "production"}, actor="person:anna"
    )
    with pytest.raises(NotFound, match="about no image"):
        known.of_decision(decision.id)
