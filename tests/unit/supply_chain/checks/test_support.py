"""Distributions and runtimes past their end, or close to it, on a given day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lading.kernel.errors import InvalidInput
from lading.supply_chain.checks.support import SupportCheck, read_calendar
from lading.supply_chain.checks.target import Target
from lading.supply_chain.inventory.values import ImageInventory, Package


def target(day: str, distribution: str = "", release: str = "", *packages: Package) -> Target:
    inventory = ImageInventory(
        image="", cataloger_version="", layers=(), distribution=distribution, release=release, packages=packages
    )
    return Target(of="image", inventory=inventory, at=datetime.fromisoformat(day).replace(tzinfo=UTC))


def program(name: str, version: str, *, ecosystem: str = "generic", provided_by: str = "") -> Package:
    return Package(
        name=name, version=version, purl=f"pkg:generic/{name}@{version}", ecosystem=ecosystem,
        path=f"usr/local/bin/{name}", provided_by=provided_by,
    )  # fmt: skip


def rules(of: Target, calendar: Path | None = None) -> list[str]:
    return [one.rule for one in SupportCheck(read_calendar(calendar))(of)]


@pytest.mark.parametrize(
    ("day", "found"),
    [
        ("2026-05-01", []), ("2026-06-03", ["support-distribution-ends-soon"]),
        ("2026-08-31", ["support-distribution-ends-soon"]), ("2026-09-01", ["support-distribution-ended"]),
    ],
)  # fmt: skip
def test_the_day_decides(day: str, found: list[str]) -> None:
    assert rules(target(day, "debian", "11")) == found


@pytest.mark.parametrize(
    ("name", "release"), [("alpine", "3.18.4"), ("ubuntu", "20.04"), ("centos", "7"), ("rhel", "7.9"), ("amzn", "2")]
)
def test_releases_are_known_by_their_first_numbers(name: str, release: str) -> None:
    assert rules(target("2026-11-26", name, release)) == ["support-distribution-ended"]


@pytest.mark.parametrize(("name", "release"), [("debian", ""), ("debian", "99"), ("wolfi", "20230201"), ("", "11")])
def test_what_nobody_knows_is_not_judged(name: str, release: str) -> None:
    assert rules(target("2026-11-26", name, release)) == []


def test_runtimes_are_told_once_and_only_where_no_distribution_mends_them() -> None:
    packages = (
        program("node", "16.20.2"), program("node", "16.13.0"), program("python", "3.8.20", provided_by="python3.8"),
        program("stdlib", "1.20.1", ecosystem="Go"), program("nginx", "1.10.0"), program("openssl", "1.1.1w"),
    )  # fmt: skip
    found = list(SupportCheck(read_calendar())(target("2026-11-26", "", "", *packages)))
    assert [one.message.partition(" (")[0] for one in found] == ["node 16", "go 1.20", "openssl 1.1.1"]
    assert found[0].file == "usr/local/bin/node"


def test_an_organisation_knows_better(tmp_path: Path) -> None:
    own = tmp_path / "support.yaml"
    own.write_text('as_of: 2026-12-01\ndistributions: {debian: {"11": 2031-06-30}, own: {"1": 2020-01-01}}\n')
    assert rules(target("2026-11-26", "debian", "11"), own) == []
    assert rules(target("2026-11-26", "debian", "10"), own) == ["support-distribution-ended"]
    assert rules(target("2026-11-26", "own", "1.5"), own) == ["support-distribution-ended"]
    assert read_calendar(own).as_of == date(2026, 12, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"as_of: soon", b"as_of: 2026-01-01\nmore: 1", b"\xff", b"a: &a [1]\nb: *a", b"[" * 20_000,
        b"as_of: 2026-01-01\ndistributions: {debian: {11: 2020-01-01}}", b"#" * (1 << 21),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_an_error(tmp_path: Path, content: bytes) -> None:
    own = tmp_path / "support.yaml"
    own.write_bytes(content)
    with pytest.raises(InvalidInput, match="calendar of support"):
        read_calendar(own)
