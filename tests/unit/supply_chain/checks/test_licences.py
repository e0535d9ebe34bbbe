"""Licences judged by an organisation's policy: ids before kinds, choices mildly, what is unknown in one sentence."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lading.kernel.errors import InvalidInput
from lading.supply_chain.checks.gathering import checks_with, gather
from lading.supply_chain.checks.licences import carried, licence_documents, read_licence_policy
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.inventory import ImageInventory, Package

USUAL = """
allow = ["permissive", "weak-copyleft", "GPL-2.0-only", "AGPL-3.0-only WITH Classpath-exception-2.0"]
review = ["strong-copyleft", "unknown"]
deny = ["network-copyleft", "proprietary", "MPL-1.1"]
"""


def package(name: str, *licences: str, ecosystem: str = "PyPI") -> Package:
    return Package(
        purl=f"pkg:pypi/{name}@1", ecosystem=ecosystem, name=name, version="1", path=f"lib/{name}", layer="sha256:l",
        licenses=licences,
    )  # fmt: skip


def inventory(*packages: Package) -> ImageInventory:
    return ImageInventory(image="sha256:" + "0" * 64, cataloger_version="1", layers=(), packages=packages)


def judged(tmp_path: Path, text: str, *packages: Package, day: int = 1) -> list[Weakness]:
    file = tmp_path / "licences.toml"
    file.write_text(text)
    target = Target(of="image", inventory=inventory(*packages), at=datetime(2026, 6, day, 12, tzinfo=UTC))
    return [one for one in gather(target, checks_with(licences=file)) if one.kind == "licence"]


@pytest.mark.parametrize(
    ("licence", "rule"),
    [
        ("MIT", ""),
        ("GPLv2", ""),
        ("GPL-3.0-only", "licence-to-review"),
        # Version 2 may be chosen, and is allowed.
        ("GPL-2.0-or-later", ""),
        ("MPL-1.1", "licence-denied"),
        ("MPL-1.1 OR GPL-3.0-only", "licence-to-review"),
        ("AGPL-3.0-only OR MIT", ""),
        ("AGPL-3.0-only AND MIT", "licence-denied"),
        ("AGPL-3.0-only WITH Classpath-exception-2.0", ""),
        ("Commercial", "licence-denied"),
        ("whatever we say", "licence-unknown"),
        ("MIT OR Foo-1", ""),
        ("MIT AND Foo-1", "licence-unknown"),
        ("MPL-1.1 AND Foo-1", "licence-denied"),
        ("", "licence-unknown"),
    ],
)
def test_a_licence_is_judged(tmp_path: Path, licence: str, rule: str) -> None:
    found = judged(tmp_path, USUAL, package("a", *filter(None, [licence])))

    assert [one.rule for one in found] == ([rule] if rule else [])


def test_a_weakness_names_packages_and_where_the_first_is(tmp_path: Path) -> None:
    found = judged(tmp_path, USUAL, *(package(f"p{n}", "AGPLv3+") for n in range(7)), package("x"), package("y", "??"))

    assert [(one.rule, one.severity.label, one.message, one.file, one.layer) for one in found] == [
        ("licence-denied", "high",
         "AGPL-3.0-or-later of p0, p1, p2, p3, p4 and 2 more packages is denied by the licence policy", "lib/p0", "sha256:l"),
        ("licence-unknown", "low", "it is not known under which licence x, y is", "", ""),
    ]  # fmt: skip


def test_what_is_unknown_can_be_denied(tmp_path: Path) -> None:
    assert [one.severity.label for one in judged(tmp_path, 'deny = ["unknown"]', package("x"))] == ["high"]


def test_a_package_is_spoken_of_by_itself_with_a_reason_until_a_day(tmp_path: Path) -> None:
    text = 'deny = ["AGPL-3.0-only"]\nunlisted = "allow"\n[[package]]\nname = "gs"\nlicence = "AGPLv3"\nverdict = "allow"\n'
    text += 'reason = "a program of its own"\nuntil = 2026-06-02\n'
    some = (package("gs", "AGPL-3.0-only"), package("other", "AGPL-3.0-only"))

    assert [one.message[:22] for one in judged(tmp_path, text, *some, day=2)] == ["AGPL-3.0-only of other"]
    assert [one.message[:19] for one in judged(tmp_path, text, *some, day=3)] == ["AGPL-3.0-only of gs"]


def test_without_a_policy_no_licence_is_weak() -> None:
    target = Target(of="image", inventory=inventory(package("a", "AGPL-3.0-only")), at=datetime(2026, 6, 1, tzinfo=UTC))

    assert [one for one in gather(target, checks_with()) if one.kind == "licence"] == []


@pytest.mark.parametrize(
    "text",
    ["allow = [", 'allow = ["Foo-1"]', 'deny = ["MIT OR ISC"]', 'forbid = ["MIT"]', 'unlisted = "maybe"',
     '[[package]]\nname = "a"\nverdict = "allow"\nreason = " "', "allow = 3", "\x00"],
)  # fmt: skip
def test_a_malformed_policy_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput):
        judged(tmp_path, text)


def test_a_policy_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        read_licence_policy(tmp_path / "none")
    with pytest.raises(InvalidInput, match="more than"):
        judged(tmp_path, "#" * (1 << 20) + "#")


def test_rules_see_licences_with_their_packages() -> None:
    some = inventory(package("b", "MIT"), package("a", "MIT License"), package("c"), package("d", "GPLv3+", "MIT"))

    assert licence_documents(some) == [
        {"expression": "", "declared": "", "packages": ["c"], "count": 1, "known": False, "ids": [], "category": "unknown"},
        {"expression": "GPL-3.0-or-later AND MIT", "declared": "GPLv3+; MIT", "packages": ["d"], "count": 1, "known": True,
         "ids": ["GPL-3.0-or-later", "MIT"], "category": "strong-copyleft"},
        {"expression": "MIT", "declared": "MIT", "packages": ["a", "b"], "count": 2, "known": True, "ids": ["MIT"],
         "category": "permissive"},
    ]  # fmt: skip
    assert [len(one.packages) for one in carried(some)] == [1, 1, 2]


def test_at_most_a_hundred_packages_of_a_licence_are_named() -> None:
    (found,) = licence_documents(inventory(*(package(f"p{n}", "MIT") for n in range(150))))

    assert (len(found["packages"]), found["count"]) == (100, 150)
