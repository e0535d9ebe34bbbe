from datetime import UTC, datetime, timedelta, timezone

import pytest

from lading.kernel.clock import ManualClock, parse_timestamp, timestamp
from lading.kernel.errors import InvalidInput
from lading.kernel.ids import new_id
from lading.kernel.severity import Severity
from lading.kernel.subject import Subject, SubjectKind


def test_subjects_read_back_what_they_write() -> None:
    assert Subject.parse("workload:shop/web") == Subject(SubjectKind.WORKLOAD, "shop/web")


@pytest.mark.parametrize("text", ["", "workload", "workload:", "ship:1"])
def test_unknown_subjects_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Subject.parse(text)


def test_severities_are_ordered_and_read_by_every_name_in_use() -> None:
    assert max(Severity.LOW, Severity.CRITICAL, Severity.UNKNOWN) is Severity.CRITICAL
    assert [Severity.parse(name) for name in ("moderate", "IMPORTANT", "what")] == [
        Severity.MEDIUM,
        Severity.HIGH,
        Severity.UNKNOWN,
    ]


@pytest.mark.parametrize(
    ("score", "level"),
    [(0.0, Severity.NONE), (0.1, Severity.LOW), (4.0, Severity.MEDIUM), (8.9, Severity.HIGH), (9.0, Severity.CRITICAL)],
)
def test_scores_have_levels(score: float, level: Severity) -> None:
    assert Severity.of_score(score) is level


def test_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(20_000)]

    assert len(set(ids)) == 20_000
    assert sorted(ids) == ids


def test_moments_are_written_in_utc() -> None:
    noon_in_berlin = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))

    assert timestamp(noon_in_berlin) == "2026-01-01T11:00:00.000000Z"
    assert parse_timestamp("2026-01-01T11:00:00Z") == noon_in_berlin


def test_a_manual_clock_going_backwards_keeps_its_monotonic_time() -> None:
    clock = ManualClock()
    clock.sleep(5)
    clock.set(datetime(2020, 1, 1, tzinfo=UTC))

    assert clock.monotonic() == 5
