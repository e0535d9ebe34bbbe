"""Reports of every form, as tools wrote them, and hostile ones."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.kernel.severity import Severity
from lading.supply_chain.foreign.errors import ReportInvalid
from lading.supply_chain.foreign.predicate import predicate_of
from lading.supply_chain.foreign.reading import MOST_BYTES, read_report
from lading.supply_chain.foreign.report import ForeignReport

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "reports"


def read(name: str, **more: Any) -> ForeignReport:
    return read_report((FIXTURES / name).read_bytes(), name, **more)


def test_trivy_tells_flaws_of_packages() -> None:
    report = read("trivy-flaws.json")

    assert (report.form, report.kind, report.tool, report.version) == ("trivy", "vulnerability", "trivy", "0.76.0")
    first, second = report.results
    assert (first.id, first.aliases, first.severity, first.score) == (
        "CVE-2024-22195",
        ("GHSA-h5c8-rqwp-cp95",),
        Severity.MEDIUM,
        6.1,
    )
    assert (first.purl, first.fixed) == ("pkg:pypi/jinja2@3.1.2", "3.1.3")
    assert (second.id, second.severity) == ("CVE-2099-0001", Severity.CRITICAL)


def test_trivy_tells_secrets_with_their_place_and_not_their_content() -> None:
    report = read("trivy-secret.json")

    assert report.kind == "secret"
    assert {(one.id, one.file, one.line) for one in report.results} >= {("aws-access-key-id", "secrets.env", 1)}
    assert all("AKIA" not in one.message for one in report.results)


def test_grype_tells_matches_with_their_other_names() -> None:
    report = read("grype.json")

    assert (report.tool, report.version, report.configuration) == (
        "grype",
        "0.90.0",
        'image scope="squashed" only-fixed=false',
    )
    assert [(one.id, one.aliases, one.fixed) for one in report.results] == [
        ("GHSA-h5c8-rqwp-cp95", ("CVE-2024-22195",), "3.1.3"),
        ("CVE-2099-0001", (), ""),
    ]


@pytest.mark.parametrize(("name", "form"), [("trivy.cdx.json", "cyclonedx"), ("trivy.spdx.json", "spdx")])
def test_a_bill_of_materials_is_an_inventory(name: str, form: str) -> None:
    report = read(name)
    assert (report.form, report.kind, report.tool, report.results) == (form, "inventory", "trivy", ())
    assert report.components >= 2


def test_cyclonedx_tells_flaws_unless_they_are_none_here() -> None:
    def flaw(identity: str, **more: Any) -> dict[str, Any]:
        return {"id": identity, "ratings": [{"severity": "high", "score": 7.5}], "affects": [{"ref": "a"}], **more}

    digest = "sha256:" + "1" * 64
    report = read_report(
        json.dumps(
            {
                "bomFormat": "CycloneDX", "specVersion": "1.6",
                "metadata": {"component": {"type": "container", "name": "x", "version": digest}, "tools": [{"name": "scanner", "version": "1"}]},
                "components": [{"name": "a", "version": "1", "purl": "pkg:npm/a@1", "bom-ref": "a"}],
                "vulnerabilities": [flaw("CVE-1"), flaw("CVE-2", analysis={"state": "not_affected"})],
            }
        ).encode(),
        "x",
    )  # fmt: skip

    assert (report.tool, report.kind, report.subjects) == ("scanner", "vulnerability", (digest,))
    assert [(one.id, one.purl, one.severity) for one in report.results] == [("CVE-1", "pkg:npm/a@1", Severity.HIGH)]


def test_sarif_of_a_code_scanner() -> None:
    report = read("bandit.sarif")

    assert (report.form, report.kind, report.tool) == ("sarif", "code", "Bandit")
    shell = next(one for one in report.results if one.id == "B602")
    assert (shell.severity, Path(shell.file).name, shell.line) == (Severity.HIGH, "app.py", 5)
    assert read("bandit.sarif", tool="our-bandit", kind="dynamic").results[0].kind == "dynamic"
    with pytest.raises(ReportInvalid, match="not of the kind test"):
        read("bandit.sarif", kind="test")


def test_sarif_of_secrets_is_known_as_such_and_suppressed_results_do_not_count() -> None:
    assert read("trivy-secret.sarif").kind == "secret"
    document = json.loads((FIXTURES / "bandit.sarif").read_bytes())
    before = len(document["runs"][0]["results"])
    document["runs"][0]["results"][0]["suppressions"] = [{"kind": "external"}]
    assert len(read_report(json.dumps(document).encode(), "x").results) == before - 1


def test_junit_counts_cases_and_not_what_suites_say_of_themselves() -> None:
    tests = read("pytest.xml").tests

    assert tests is not None
    assert (tests.total, tests.failed, tests.errors, tests.skipped) == (4, 1, 1, 1)
    assert tests.failing == ("test_x.test_breaks", "test_x.test_errs")


_BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites><testsuite>&b;</testsuite></testsuites>'


@pytest.mark.parametrize(
    "body",
    [
        b"", b"hello", b"[]", b"{}", b"<html></html>", b"<testsuites>", _BOMB,
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuites/>',
        b"<testsuites>" + b"<testsuite>" * 100,
        b'{"runs": [], "version": "2.1.0"}', b'{"runs": 3, "version": "2.1.0"}', b'{"version": "2.1.0", "version": "2.1.0", "runs": []}',
        b'{"runs": ' + b"[" * 300_000, b'{"matches": [{}]}', b'{"matches": [' + b"9" * 5_000 + b"]}",
        b'{"bomFormat": "CycloneDX", "specVersion": "1.1"}', b'{"spdxVersion": "SPDX-2.1"}', b"\xff\xfe\x00",
        b'{"runs": [{"tool": {"driver": {"name": "x"}}, "invocations": [{"executionSuccessful": false}]}], "version": "2.1.0"}',
    ],
)  # fmt: skip
def test_what_cannot_be_believed_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(ReportInvalid) as refused:
        read_report(body, "report.bin")
    assert "report.bin" in refused.value.what


def test_a_giant_is_refused_before_it_is_read() -> None:
    with pytest.raises(ReportInvalid, match="at most 64 MiB"):
        read_report(b"{" + b" " * MOST_BYTES, "giant.json")


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.[jsx]*")), ids=lambda path: path.name)
def test_the_same_report_is_the_same_statement(path: Path) -> None:
    body = path.read_bytes()
    first, again = (predicate_of(read_report(body, path.name), body) for _ in range(2))
    assert first == again
    assert first[0].startswith("https://")


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tool", "driver", "name", "results", "ruleId", "Results", "id"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(_VALUE, st.sampled_from(["runs", "matches", "Results", "vulnerabilities", "metadata"]))
@settings(max_examples=150, deadline=None)
def test_odd_reports_are_read_or_refused(value: Any, member: str) -> None:
    for head in (
        {"version": "2.1.0", "runs": []},
        {"matches": []},
        {"SchemaVersion": 2, "ArtifactName": "x"},
        {"bomFormat": "CycloneDX", "specVersion": "1.6"},
    ):
        try:
            read_report(json.dumps({**head, member: value}).encode(), "odd")
        except ReportInvalid:
            continue


@given(st.text(alphabet='<>/testcaseuifr "=&;ab', max_size=80))
@settings(max_examples=100, deadline=None)
def test_odd_xml_is_read_or_refused(inner: str) -> None:
    with suppress(ReportInvalid):
        read_report(f"<testsuites>{inner}</testsuites>".encode(), "odd")
