"""Which backups stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lading.continuity.keeping import Keep, unneeded
from lading.continuity.point import Point
from lading.continuity.repository import Snapshot
from lading.kernel.clock import timestamp
from lading.kernel.errors import InvalidInput

NOW = datetime(2026, 6, 30, 12, 30, tzinfo=UTC)


def point(hours: float) -> Point:
    at = timestamp(NOW - timedelta(hours=hours))
    return Point(backup=at, at=at, snapshot=at, entries=0, items=0, bytes=0)


def ages(keep: str, hours: list[float]) -> list[float]:
    kept = Keep.parse(keep).kept([point(age) for age in hours])
    return [age for age in hours if timestamp(NOW - timedelta(hours=age)) in kept]


def test_the_last_ones_stay() -> None:
    assert ages("last=2", [0, 1, 2, 3]) == [0, 1]


def test_the_youngest_of_each_period_stays() -> None:
    assert ages("daily=3", [0, 1, 2, 24, 25, 48, 72, 96]) == [0, 24, 48]
    assert ages("hourly=2", [0, 0.1, 1, 1.2, 2]) == [0, 1]
    assert ages("monthly=2", [0, 24 * 29, 24 * 31, 24 * 40]) == [0, 24 * 31]


def test_days_without_a_backup_do_not_count() -> None:
    assert ages("daily=2", [0, 24 * 50]) == [0, 24 * 50]


def test_the_youngest_stays_whatever_is_said() -> None:
    assert ages("monthly=1,last=0", [0, 1]) == [0]


@pytest.mark.parametrize("text", ["", "last=0", "last", "yearly=1", "last=-1", "last=1;daily=1"])
def test_a_rule_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Keep.parse(text)


def test_a_set_goes_when_no_point_that_stays_needs_it_and_it_is_old() -> None:
    def snapshot(name: str, hours: float, **tags: str) -> Snapshot:
        return Snapshot(name, {"at": timestamp(NOW - timedelta(hours=hours)), **tags})

    old, young = 24 * 9, 1.0
    found = [
        snapshot("a" * 20, old, kind="set", items="1", bytes="1"),
        snapshot("b" * 20, old, kind="set", items="1", bytes="1"),
        snapshot("c" * 20, young, kind="set", items="1", bytes="1"),
        snapshot("p1", old, kind="point", sets="a" * 12),
        snapshot("p2", young, kind="point", sets="b" * 12),
        snapshot("x", old, kind="of somebody else"),
    ]
    assert unneeded(found, Keep.parse("last=1"), NOW) == ["p1", "a" * 20]
    assert unneeded(found, Keep.parse("last=2"), NOW) == []
