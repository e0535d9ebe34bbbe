"""Keys against the comparers that the ecosystems themselves use."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from univers.versions import DebianVersion, SemverVersion

from lading.supply_chain.match.versions import VersionInvalid, debian, key_for, pep440, semver

DEBIAN = st.from_regex(r"\A(?:[0-9]{1,2}:)?[0-9][0-9a-zA-Z.+~]{0,8}(?:-[0-9a-zA-Z.+~]{1,6})?\Z")
NUMBER = st.integers(0, 30).map(str)
IDENTIFIER = st.one_of(NUMBER, st.sampled_from(["alpha", "beta", "rc", "x-y", "a1"]))
SEMVER = st.builds(
    lambda core, pre: ".".join(core) + ("-" + ".".join(pre) if pre else ""),
    st.lists(NUMBER, min_size=3, max_size=3),
    st.lists(IDENTIFIER, max_size=3),
)
PEP440 = st.builds(
    lambda core, pre, post, dev: ".".join(core) + pre + post + dev,
    st.lists(NUMBER, min_size=1, max_size=3),
    st.sampled_from(["", "a1", "b2", "rc1"]),
    st.sampled_from(["", ".post1"]),
    st.sampled_from(["", ".dev0"]),
)


def order(left: object, right: object) -> int:
    return (left > right) - (left < right)  # type: ignore[operator]


@given(DEBIAN, DEBIAN)
def test_debian_keys_order_as_univers_does(left: str, right: str) -> None:
    assert order(debian.key(left), debian.key(right)) == order(DebianVersion(left), DebianVersion(right))


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@settings(max_examples=150, deadline=None)
@given(DEBIAN, DEBIAN)
def test_debian_keys_order_as_dpkg_does(left: str, right: str) -> None:
    expected = order(debian.key(left), debian.key(right))
    relation = {-1: "lt", 0: "eq", 1: "gt"}[expected]

    assert subprocess.run(["dpkg", "--compare-versions", left, relation, right]).returncode == 0


@pytest.mark.parametrize(
    ("ordered"),
    [
        [
            "1.0~rc1-1",
            "1.0-1",
            "1.0-1+deb12u1",
            "1.0-1+deb12u2",
            "1.0-1.1",
            "1.0-2",
            "1.0a-1",
            "1.0+b",
            "1.0.1-1",
            "1:0.1",
        ],
        ["0~~", "0~~a", "0~", "0", "0a", "0+"],
        ["2.36-9+deb12u3~bpo11+1", "2.36-9+deb12u3", "2.36-9+deb12u10"],
    ],
)
def test_debian_orders_that_matter(ordered: list[str]) -> None:
    shuffled = ordered[::-1]
    assert sorted(shuffled, key=debian.key) == ordered


@pytest.mark.parametrize(
    ("left", "right"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.00", "1.0"), ("1a0", "1a"), ("1.", "1.0")]
)
def test_debian_versions_that_are_equal(left: str, right: str) -> None:
    assert debian.key(left) == debian.key(right)


@given(SEMVER, SEMVER)
def test_semver_keys_order_as_univers_does(left: str, right: str) -> None:
    assert order(semver.key(left), semver.key(right)) == order(SemverVersion(left), SemverVersion(right))


def test_semver_orders_as_the_specification_shows() -> None:
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ]

    shuffled = ordered[::-1]
    assert sorted(shuffled, key=semver.key) == ordered
    assert semver.key("v1.2") == semver.key("1.2.0") == semver.key("=1.2.0+build")


@given(PEP440, PEP440)
def test_python_keys_order_as_packaging_does(left: str, right: str) -> None:
    assert order(pep440.key(left), pep440.key(right)) == order(Version(left), Version(right))


@pytest.mark.parametrize("text", ["", "a b", "é", "1" * 1000, "1.0_x/", "\x00"])
@pytest.mark.parametrize(
    "ecosystem", ["Debian:12", "PyPI", "npm", "Maven", "Go", "RubyGems", "NuGet", "Packagist", "Pub"]
)
def test_what_is_no_version_is_refused(ecosystem: str, text: str) -> None:
    with pytest.raises(VersionInvalid):
        key_for(ecosystem)(text)


def test_an_ecosystem_that_is_not_known_is_refused() -> None:
    with pytest.raises(VersionInvalid):
        key_for("CPAN")
