"""What every order of versions must do. The matching room's own joins the list through wiring's adapter."""

from __future__ import annotations

import itertools

import pytest

from lading.policy.versions import SimpleOrder, VersionOrder

ORDERS: list[VersionOrder] = [SimpleOrder()]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
@pytest.mark.parametrize(
    ("ecosystem", "ascending"),
    [
        ("pypi", ["1.9", "1.10rc1", "1.10", "2.0"]),
        ("pypi", ["3.1.3", "3.1.4", "3.1.6"]),
        ("npm", ["1.0.0-alpha", "1.0.0-beta", "1.0.0", "1.0.1"]),
        ("Debian", ["1.2.13~rc1-1", "1.2.13-1", "1.2.13-1+deb12u1", "1:0.1-1"]),
        ("Debian", ["3.0.9-1", "3.0.15-1~deb12u1", "3.0.15-1"]),
    ],
)
def test_the_newest_is_found_in_any_order(order: VersionOrder, ecosystem: str, ascending: list[str]) -> None:
    for count in range(1, len(ascending) + 1):
        for permuted in itertools.permutations(ascending[:count]):
            assert order.newest(ecosystem, permuted) == ascending[count - 1]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
@pytest.mark.parametrize("version", ["", "x", "::", "٣.٤", "9" * 5_000, "1" + ".1" * 5_000, "\ud800", "~~~"])
def test_a_version_that_is_none_raises_nothing(order: VersionOrder, version: str) -> None:
    assert order.newest("pypi", [version]) == version
    assert order.newest("pypi", ["1.0", version]) in ("1.0", version)
