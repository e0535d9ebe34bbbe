"""Every form is valid by its official schema, and stays as it is: compared with the files in tests/golden/reports."""

import json
import os
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft7Validator

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.severity import Severity
from lading.policy.decision import Evidence, Violation
from lading.supply_chain.checks.image.rules import NO_HEALTH_CHECK, RUNS_AS_ROOT
from lading.supply_chain.inventory import ImageInventory, Note, Package
from lading.supply_chain.match import Finding
from lading.supply_chain.report.as_json import from_json, is_scan
from lading.supply_chain.report.forms import write
from lading.supply_chain.report.result import Feed, Layer, ScanResult
from lading.supply_chain.scan.gate import Gate, judge
from lading.supply_chain.scan.ignoring import Ignored, sort_out, sort_out_weaknesses

TESTS = Path(__file__).resolve().parents[3]
GOLDEN = TESTS / "golden" / "reports"
LAYER = str(Digest.of(b"layer"))
FORMS = {
    "json": "scan.json",
    "sarif": "scan.sarif",
    "cyclonedx": "scan.cdx.json",
    "spdx": "scan.spdx.json",
    "junit": "scan.xml",
}


def package(name: str, version: str, ecosystem: str = "PyPI", **more: Any) -> Package:
    purl = f"pkg:{'deb/debian' if ecosystem.startswith('Debian') else 'pypi'}/{name}@{version}"
    return Package(
        purl=purl, ecosystem=ecosystem, name=name, version=version, path=f"usr/lib/{name}", layer=LAYER, **more
    )


def finding(identity: str, of: Package, severity: Severity, **more: Any) -> Finding:
    return Finding(
        id=identity, package=of.name, version=of.version, purl=of.purl, ecosystem=of.ecosystem, severity=severity,
        why=f"{identity}: < 9", layer=LAYER, path=of.path, **more,
    )  # fmt: skip


JINJA = package("jinja2", "2.10", licenses=("BSD-3-Clause",))
ZLIB = package(
    "zlib1g", "1:1.2.13", "Debian:12", source="zlib", source_version="1:1.2.13", licenses=("Zlib", "a word <of> ours")
)
FLAWS = (
    finding("CVE-2019-10906", JINJA, Severity.HIGH, fixed="2.10.1", score=8.6, kev=True, aliases=("GHSA-462w-v97r-4m45",), summary="Sandbox escape"),
    finding("CVE-2023-45853", ZLIB, Severity.CRITICAL, source="zlib"),
    finding("CVE-2020-1", JINJA, Severity.LOW, fixed="2.11"),
    finding("CVE-2020-2", JINJA, Severity.MEDIUM, fixed="2.12"),
)  # fmt: skip


ROOT = RUNS_AS_ROOT.found("USER is root")
UNHEALTHY = NO_HEALTH_CHECK.found("there is no HEALTHCHECK")
OPEN = RUNS_AS_ROOT.found("as in a file", file="srv/a b/Dockerfile", line=3, layer=LAYER, severity=Severity.HIGH)


def result(gaps: tuple[str, ...] = ("package-database-unreadable: var/lib/rpm",)) -> ScanResult:
    stay, accepted, lapsed = sort_out(
        FLAWS,
        [
            Ignored(id="CVE-2020-2", reason="templates are ours", until=date(2026, 6, 1)),
            Ignored(id="GHSA-462w-v97r-4m45", reason="was mended by hand", until=date(2025, 1, 1)),
        ],
        date(2026, 1, 2),
    )
    weak, tolerated, _ = sort_out_weaknesses(
        (OPEN, ROOT, UNHEALTHY),
        [Ignored(id="image-without-health-check", reason="Compose has it", until=date(2026, 6, 1))],
        date(2026, 1, 2),
    )
    image = str(Digest.of(b"image"))
    refused = Violation(
        rule="image-attributed", title="An image belongs to a team", severity="medium", owner="platform",
        message="nobody owns the image", evidence=(Evidence("image.team", ""),), remedy="Push it as a team.",
    )  # fmt: skip
    made = ScanResult(
        name="registry.example/shop/web:1", kind="registry", digest=image, made="2026-01-02T03:04:05.678901Z",
        lading="0.1.0", platform="linux/amd64", configuration={"user": "10001", "ports": ["8080/tcp"]},
        inventory=ImageInventory(
            image=image, cataloger_version="1", layers=(LAYER,), packages=(ZLIB, JINJA), distribution="debian",
            release="12", files=12, gaps=tuple(Note(*gap.split(": ")) for gap in gaps),
        ),
        layers=(Layer(digest=LAYER, size=1_234),), size=1_234, findings=stay, accepted=accepted, lapsed=lapsed,
        weaknesses=weak, accepted_weaknesses=tolerated, violations=(refused,), warnings=(msgspec.structs.replace(refused, rule="image-user-not-root", effect="warn"),),
        gaps=gaps, feeds=(Feed(source="pypi", records=12, newest="2026-01-01T00:00:00Z", age_days=1.1),),
    )  # fmt: skip
    return judge(made, Gate(fail_on=Severity.HIGH))


def schema(name: str) -> Any:
    return json.loads((TESTS / "schemas" / name).read_bytes())


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_as_it_was(form: Any) -> None:
    path = GOLDEN / FORMS[form]
    # The version in it is that of the installed Lading.
    written = write(result(), form).replace(b'"version": "0.1.0"', b'"version": "0"')
    if os.environ.get("WRITE_GOLDEN"):
        path.write_bytes(written)
    assert path.read_bytes() == written


def test_sarif_is_valid() -> None:
    document = json.loads(write(result(), "sarif"))

    Draft4Validator(schema("sarif-2.1.0.json"), format_checker=Draft4Validator.FORMAT_CHECKER).validate(document)
    run = document["runs"][0]
    assert all(run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
    assert [one["ruleId"] for one in run["results"] if "suppressions" in one] == [
        "CVE-2020-2",
        "image-without-health-check",
    ]
    assert run["invocations"][0]["toolExecutionNotifications"][0]["level"] == "error"


def test_a_fingerprint_survives_an_update_that_mends_nothing() -> None:
    newer = package("jinja2", "2.10.9")
    changed = msgspec.structs.replace(result(), findings=(finding("CVE-2020-1", newer, Severity.LOW),), accepted=())

    def prints(one: ScanResult) -> dict[str, str]:
        found = json.loads(write(one, "sarif"))["runs"][0]["results"]
        return {
            row["ruleId"]: row["partialFingerprints"]["ladingFinding/v1"]
            for row in found
            if "ladingFinding/v1" in row.get("partialFingerprints", {})
        }

    assert prints(changed)["CVE-2020-1"] == prints(result())["CVE-2020-1"]


def test_cyclonedx_is_valid() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(write(result(), "cyclonedx").decode()) is None


def test_spdx_is_valid_and_names_every_package_once() -> None:
    document = json.loads(write(result(), "spdx"))

    Draft7Validator(schema("spdx-2.3.json")).validate(document)
    identities = [one["SPDXID"] for one in document["packages"]]
    assert len(set(identities)) == len(identities)
    assert {one["relatedSpdxElement"] for one in document["relationships"]} == set(identities)
    declared = next(one["licenseDeclared"] for one in document["packages"] if one["name"] == "zlib1g")
    assert declared == "Zlib AND LicenseRef-a-word-of-ours"


def test_a_junit_test_fails_exactly_where_the_scan_is_refused() -> None:
    root = ElementTree.fromstring(write(result(), "junit"))

    failed = [case.get("name", "") for case in root.iter("testcase") if case.find("failure") is not None]
    assert [name.split(" ")[0] for name in failed] == [
        "CVE-2019-10906",
        "CVE-2023-45853",
        "as",
        "nobody",
        "package-database-unreadable:",
    ]
    assert root.get("failures") == "5"
    assert root.get("tests") == str(len(list(root.iter("testcase"))))
    assert [suite.get("failures") for suite in root] == ["2", "1", "1", "1"]


def test_what_json_says_can_be_read_again() -> None:
    written = write(result(), "json")

    assert is_scan(written)
    assert from_json(written, "scan.json") == result()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"form": "lading-scan-1"}', b'{"form": "lading-scan-1", "form": "x"}', b"[" * 100_000]
)
def test_what_is_no_scan_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        from_json(body, "scan.json")


@given(st.text(max_size=60), st.text(min_size=1, max_size=30))
@settings(max_examples=8, deadline=None)
def test_no_text_breaks_a_form(name: str, gap: str) -> None:
    odd = msgspec.structs.replace(result(), name=name, gaps=(gap,))

    ElementTree.fromstring(write(odd, "junit"))
    Draft4Validator(schema_of_sarif()).validate(json.loads(write(odd, "sarif")))
    Draft7Validator(schema("spdx-2.3.json")).validate(json.loads(write(odd, "spdx")))


_SARIF: dict[str, Any] = {}


def schema_of_sarif() -> Any:
    return _SARIF or _SARIF.update(schema("sarif-2.1.0.json")) or _SARIF
