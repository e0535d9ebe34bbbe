"""Findings of several tools about one flaw are one finding."""

from typing import Any

from lading.kernel.severity import Severity
from lading.supply_chain.foreign import Told
from lading.supply_chain.inventory import Package
from lading.supply_chain.match import Finding
from lading.supply_chain.match.joining import join

PURL = "pkg:pypi/jinja2@3.1.2"


def own(identity: str, *aliases: str, purl: str = PURL, path: str = "a") -> Finding:
    return Finding(
        id=identity, aliases=aliases, package="jinja2", version="3.1.2", purl=purl, ecosystem="PyPI",
        severity=Severity.MEDIUM, why="", path=path,
    )  # fmt: skip


def told(identity: str, *aliases: str, **more: Any) -> Told:
    values: dict[str, Any] = {"purl": PURL, "package": "Jinja2", "version": "3.1.2", "severity": Severity.HIGH}
    return Told(kind="vulnerability", id=identity, aliases=aliases, **(values | more))


def rows(*findings: Finding, **tools: list[Told]) -> list[tuple[str, tuple[str, ...]]]:
    found = join(findings, [(tool, one) for tool, some in tools.items() for one in some])
    return sorted((one.finding.id, one.reported_by) for one in found)


def test_the_same_flaw_by_another_name_is_joined() -> None:
    assert rows(own("CVE-1", "GHSA-1"), trivy=[told("CVE-1")], grype=[told("GHSA-1")]) == [
        ("CVE-1", ("lading", "grype", "trivy"))
    ]


def test_a_tool_without_package_urls_means_the_package_of_that_name_and_version() -> None:
    assert rows(own("CVE-1"), trivy=[told("CVE-1", purl="")]) == [("CVE-1", ("lading", "trivy"))]
    assert rows(own("CVE-1"), trivy=[told("CVE-1", purl="", version="3.0")]) == [
        ("CVE-1", ("lading",)),
        ("CVE-1", ("trivy",)),
    ]


def test_what_only_others_know_is_a_finding_of_theirs_joined_through_a_third_name() -> None:
    found = join(
        [],
        [
            ("trivy", told("CVE-9")),
            ("grype", told("GHSA-9", fixed="4")),
            ("osv", told("GHSA-9", "CVE-9", severity=Severity.LOW)),
        ],
    )

    assert [(one.finding.id, one.finding.severity, one.finding.fixed, one.reported_by) for one in found] == [
        ("CVE-9", Severity.HIGH, "4", ("grype", "osv", "trivy"))
    ]


def test_one_flaw_in_two_files_stays_two_findings() -> None:
    assert (
        rows(own("CVE-1", path="a"), own("CVE-1", path="b"), trivy=[told("CVE-1")])
        == [("CVE-1", ("lading", "trivy"))] * 2
    )


def test_a_flaw_that_others_know_comes_with_the_layer_of_its_package() -> None:
    package = Package(purl=PURL, ecosystem="PyPI", name="jinja2", version="3.1.2", path="x/METADATA", layer="sha256:l")
    (found,) = join([], [("trivy", told("CVE-9"))], [package])

    assert (found.finding.layer, found.finding.path, found.finding.ecosystem) == ("sha256:l", "x/METADATA", "PyPI")


def test_without_reports_nothing_changes() -> None:
    assert rows(own("CVE-1"), own("CVE-2")) == [("CVE-1", ("lading",)), ("CVE-2", ("lading",))]


def test_debs_are_the_same_whatever_their_package_url_says_beside() -> None:
    ours = own("CVE-1", purl="pkg:deb/debian/libc6@2.36?arch=amd64&distro=debian-12")
    theirs = told(
        "CVE-1", purl="pkg:deb/debian/libc6@2.36?arch=amd64&distro=debian-12.5", package="libc6", version="2.36"
    )
    assert rows(ours, trivy=[theirs]) == [("CVE-1", ("lading", "trivy"))]
