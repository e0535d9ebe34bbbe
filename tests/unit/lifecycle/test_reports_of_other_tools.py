"""A report is attested, joined, judged by and kept once; the same work twice is waste."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lading.facts import follow
from lading.facts.kinds.reports import ReportAttached, ReportRepeated
from lading.kernel.digest import Digest
from lading.policy.examples import run_examples
from lading.policy.pack import load_pack
from lading.strategy.analyse.coverage import report as strategy_report
from lading.strategy.evidence.follower import EvidenceFollower
from lading.supply_chain.foreign import KeptReport
from lading.supply_chain.foreign.errors import ReportInvalid, ReportMismatch
from lading.supply_chain.foreign.predicate import TEST_RESULT
from lading.supply_chain.registry.states import State
from unit.lifecycle.conftest import House

REPOSITORY = Path(__file__).resolve().parents[3]
FIXTURES = REPOSITORY / "tests" / "fixtures" / "reports"
PASSED = b'<testsuites><testsuite name="unit"><testcase name="a" time="1.5"/></testsuite></testsuites>'
FAILED = (
    b'<testsuites><testsuite name="unit"><testcase name="a" time="2"><failure/></testcase></testsuite></testsuites>'
)


def shipped(house: House) -> Digest:
    return Digest.parse(house.ship("jinja2==3.1.2").images["shop/web"])


def take(house: House, image: Digest, body: bytes, **more: Any) -> KeptReport:
    return house.testimony.take(image, "shop/web", body, name="report", actor="robot:shop/ci", **more)


def state(house: House, image: Digest) -> tuple[State, str]:
    found = house.states.state(image)
    assert found is not None
    return found.state, found.why


def test_a_report_is_a_signed_referrer_of_the_image(house: House) -> None:
    image = shipped(house)
    kept = take(house, image, PASSED)

    found = {str(one.digest): one for one in house.attestations.verify(image, "shop/web")}
    assert (found[kept.attestation].predicate_type, found[kept.attestation].problem) == (TEST_RESULT, "")
    assert found[kept.attestation].predicate["result"] == "PASSED"
    assert state(house, image)[0] is State.APPROVED


def test_failed_tests_end_an_approval_and_a_later_success_brings_it_back(house: House) -> None:
    image = shipped(house)

    take(house, image, FAILED)
    assert state(house, image) == (State.QUARANTINED, "refused by reported-tests-passed")
    take(house, image, PASSED)
    assert state(house, image)[0] is State.APPROVED


def test_a_secret_that_a_tool_found_refuses_the_image(house: House) -> None:
    image = shipped(house)
    take(house, image, (FIXTURES / "trivy-secret.json").read_bytes())
    assert state(house, image) == (State.QUARANTINED, "refused by no-reported-secret")


def test_flaws_by_others_join_ours_and_gate(house: House) -> None:
    image = shipped(house)
    house.learn("CVE-2024-22195", "jinja2", "3.1.3", severity="MODERATE")
    assert state(house, image)[0] is State.APPROVED

    take(house, image, (FIXTURES / "trivy-flaws.json").read_bytes())
    take(house, image, (FIXTURES / "grype.json").read_bytes())

    found = {one["id"]: one for one in house.admission._documents.findings(image)}
    assert {key: one["reported_by"] for key, one in found.items()} == {
        "CVE-2024-22195": ["lading", "grype", "trivy"],
        "CVE-2099-0001": ["grype", "trivy"],
    }
    assert found["CVE-2099-0001"]["layer"] == found["CVE-2024-22195"]["layer"] != ""
    assert state(house, image) == (State.QUARANTINED, "refused by no-fixable-severe-flaw")
    assert house.reports.images_with(["CVE-2099-0001"]) == [str(image)]


def test_the_same_report_again_changes_nothing(house: House) -> None:
    image = shipped(house)
    first, again = take(house, image, PASSED), take(house, image, PASSED)

    assert (first.fresh, again.fresh, again.attestation) == (True, False, first.attestation)
    assert len(house.told(ReportAttached)) == 1
    assert house.told(ReportRepeated) == []


def test_the_same_tool_set_the_same_way_twice_is_waste(house: House) -> None:
    image = shipped(house)
    take(house, image, FAILED)
    take(house, image, PASSED)

    assert [(fact.tool, fact.times, fact.seconds) for fact in house.told(ReportRepeated)] == [("unit", 2, 1.5)]
    assert [kept.current for kept in house.reports.of(image)] == [False, True]
    follow(house.database, house.ledger, EvidenceFollower())
    waste = strategy_report(house.database, house.admission._clock).waste
    assert [(one.tool, one.times, one.seconds) for one in waste] == [("unit", 1, 1.5)]


def test_another_configuration_of_the_same_tool_is_no_waste(house: House) -> None:
    image = shipped(house)
    take(house, image, PASSED, configuration="python 3.11")
    take(house, image, PASSED.replace(b"1.5", b"1.6"), configuration="python 3.12")

    assert house.told(ReportRepeated) == []
    assert house.reports.document(image)["tests"] == 2


def test_a_report_about_another_image_is_refused(house: House) -> None:
    image = shipped(house)
    other = "sha256:" + "1" * 64
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "container", "name": "x", "version": other}},
    }

    with pytest.raises(ReportMismatch, match=other):
        take(house, image, json.dumps(document).encode())
    document["metadata"]["component"]["version"] = str(image)  # type: ignore[index]
    assert take(house, image, json.dumps(document).encode()).report.kind == "inventory"


def test_a_malformed_report_leaves_nothing_behind(house: House) -> None:
    image = shipped(house)
    with pytest.raises(ReportInvalid):
        take(house, image, b"{}")
    assert (house.reports.of(image), house.told(ReportAttached)) == ([], [])


def test_a_kill_between_statement_and_record_leaves_one_statement(house: House) -> None:
    image = shipped(house)
    body = (FIXTURES / "bandit.sarif").read_bytes()
    first = take(house, image, body)
    with house.database.write() as tx:
        tx.exec_driver_sql("DELETE FROM foreign_reports")

    assert take(house, image, body).attestation == first.attestation


def test_the_example_rules_ask_for_tools_and_tests(house: House) -> None:
    assert all(item.passed for item in run_examples(load_pack(REPOSITORY / "examples" / "policies")))
