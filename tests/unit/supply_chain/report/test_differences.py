"""What changed from one scan to another, and several documents as one."""

import json
from typing import Any
from xml.etree import ElementTree

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.inventory import ImageInventory, Package
from lading.supply_chain.match import Finding
from lading.supply_chain.report.difference import compare
from lading.supply_chain.report.forms import write
from lading.supply_chain.report.merging import merge_junit, merge_sarif
from lading.supply_chain.report.result import Layer, ScanResult


def package(name: str, version: str, ecosystem: str = "PyPI") -> Package:
    return Package(purl=f"pkg:pypi/{name}@{version}", ecosystem=ecosystem, name=name, version=version, path=name)


def flaw(identity: str, of: Package) -> Finding:
    return Finding(
        id=identity, package=of.name, version=of.version, purl=of.purl, ecosystem=of.ecosystem,
        severity=Severity.HIGH, why="", path=of.path,
    )  # fmt: skip


def scan(*packages: Package, findings: tuple[Finding, ...] = (), layers: str = "", **settings: Any) -> ScanResult:
    digest = "sha256:" + "0" * 64
    return ScanResult(
        name="x", kind="archive", digest=digest, made="2026-01-01T00:00:00Z", lading="1",
        inventory=ImageInventory(image=digest, cataloger_version="1", layers=(), packages=packages),
        findings=findings, layers=tuple(Layer(digest=one, size=10) for one in layers), size=10 * len(layers),
        configuration=settings,
    )  # fmt: skip


OLD, NEW = package("jinja2", "3.1.2"), package("jinja2", "3.1.6")


def test_packages_are_added_removed_and_changed() -> None:
    found = compare(scan(OLD, package("gone", "1")), scan(NEW, package("fresh", "2"))).packages

    assert [(one.name, one.before, one.after) for one in found] == [
        ("fresh", "", "2"), ("gone", "1", ""), ("jinja2", "3.1.2", "3.1.6")
    ]  # fmt: skip


def test_a_new_release_of_the_distribution_is_one_change_a_package() -> None:
    found = compare(scan(package("libc6", "2.36", "Debian:12")), scan(package("libc6", "2.41", "Debian:13"))).packages
    assert [(one.ecosystem, one.before, one.after) for one in found] == [("Debian", "2.36", "2.41")]


def test_a_finding_that_an_update_did_not_mend_is_neither_opened_nor_closed() -> None:
    before = scan(OLD, findings=(flaw("CVE-1", OLD), flaw("CVE-2", OLD)))
    after = scan(NEW, findings=(flaw("CVE-2", NEW), flaw("CVE-3", NEW)))

    found = compare(before, after)
    assert ([one.id for one in found.opened], [one.id for one in found.closed]) == (["CVE-3"], ["CVE-1"])


def test_layers_and_settings() -> None:
    found = compare(
        scan(layers="ab", user="root", ports=["80/tcp"]), scan(layers="acd", user="10001", ports=["80/tcp"])
    )

    assert (
        found.layers_shared,
        [one.digest for one in found.layers_added],
        [one.digest for one in found.layers_removed],
    ) == (1, ["c", "d"], ["b"])
    assert [(one.key, one.before, one.after) for one in found.settings] == [("user", "root", "10001")]
    assert found.after.size - found.before.size == 10


def test_the_same_twice_is_no_difference() -> None:
    one = scan(OLD, findings=(flaw("CVE-1", OLD),), layers="ab", user="1")
    assert compare(one, msgspec.structs.replace(one, name="y")).same


def test_documents_of_several_images_become_one() -> None:
    results = [scan(OLD, findings=(flaw("CVE-1", OLD),)), scan(NEW)]

    assert len(json.loads(merge_sarif([write(one, "sarif") for one in results]))["runs"]) == 2
    merged = ElementTree.fromstring(merge_junit([write(one, "junit") for one in results]))
    assert (len(merged), merged.get("tests"), merged.get("failures")) == (8, "6", "0")
