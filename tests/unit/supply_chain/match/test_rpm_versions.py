"""RPM's order against rpm itself, where it is installed, and against orders that matter."""

import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.supply_chain.match.versions import VersionInvalid, key_for, rpm

PART = st.lists(
    st.sampled_from(["0", "1", "01", "2", "10", "a", "b", "rc", "A", ".", "_", "+", "~", "^", "el9", "1.0"]), max_size=6
).map("".join)
VERSION = st.builds(
    lambda epoch, version, release: f"{epoch}1{version}-1{release}", st.sampled_from(["", "0:", "1:"]), PART, PART
)
PAIRS = st.lists(st.tuples(VERSION, VERSION), min_size=100, max_size=400)


def order(left: str, right: str) -> int:
    mine, other = rpm.key(left), rpm.key(right)
    return (mine > other) - (mine < other)


@pytest.mark.skipif(shutil.which("rpm") is None, reason="rpm is not installed")
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
@given(PAIRS)
def test_keys_order_as_rpm_does(pairs: list[tuple[str, str]]) -> None:
    script = "".join(f'print(rpm.vercmp("{left}","{right}"), "");' for left, right in pairs)
    said = subprocess.run(["rpm", "--eval", f"%{{lua:{script}}}"], capture_output=True, text=True, check=True).stdout

    assert [order(*pair) for pair in pairs] == [int(word) for word in said.split()]


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.0~rc1", "1.0", "1.0^git1", "1.0a", "1.0.1", "1.1"],
        ["1.2-3.el9", "1.2-3.el9_4.1", "1.2-10.el9", "1:0.1-1.el9"],
        ["1.0-1.module_el8.5.0+1", "1.0-1.module_el8.10.0+1"],
        ["2.0", "2.0-1"],
    ],
)
def test_orders_that_matter(ordered: list[str]) -> None:
    shuffled = ordered[::-1]
    assert sorted(shuffled, key=rpm.key) == ordered


@pytest.mark.parametrize(
    ("left", "right"), [("0:1-1", "1-1"), ("1.00-1", "1.0-1"), ("1_0-1", "1.0-1"), ("1.0.-1", "1.0-1")]
)
def test_versions_that_are_equal(left: str, right: str) -> None:
    assert rpm.key(left) == rpm.key(right)


@pytest.mark.parametrize("text", ["", "1 0", "é", "x:1", "1:2:3", "1" * 600, "\x00"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(VersionInvalid):
        key_for("AlmaLinux:9")(text)
