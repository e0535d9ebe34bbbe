"""The contract of TelemetryStore, run over every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.observability.store import LogLine, LogQuery, Position, Sample, SampleQuery, StreamState, TelemetryStore
from lading.observability.store.memory import MemoryTelemetryStore
from lading.observability.store.parquet import ParquetTelemetryStore

NOON = 1_790_000_000_000_000
DAY = 86_400_000_000
A, B = "a" * 64, "b" * 64


def line(text: str, at: int, *, container: str = A, stream: str = "stdout", seq: int = 0, **more: object) -> LogLine:
    workload = "shop/web" if container == A else "shop/store"
    name = workload.replace("/", "-") + "-1"
    return LogLine(container, name, workload, "shop", stream, at, seq, text)._replace(**more)


def sample(at: int, *, container: str = A, **more: object) -> Sample:
    workload = "shop/web" if container == A else "shop/store"
    return Sample(container, workload.replace("/", "-") + "-1", workload, "shop", at)._replace(**more)


@pytest.fixture(params=["memory", "parquet", "parquet-compacted"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TelemetryStore]:
    if request.param == "memory":
        yield MemoryTelemetryStore()
        return
    made = ParquetTelemetryStore(tmp_path / "telemetry")
    if request.param == "parquet-compacted":
        for number in range(30):  # compaction has happened before the test begins
            made.append(
                [line("before", NOON - DAY + number, container="f" * 64, name="", workload="", application="")], []
            )
        assert made.compact() > 0
    yield made
    made.close()


def test_what_was_appended_is_visible_at_once(store: TelemetryStore) -> None:
    kept = [line("one", NOON), line("two", NOON + 1, stream="stderr"), line("cut", NOON + 2, truncated=True)]
    store.append(kept, [])
    assert store.logs(LogQuery("shop/web")) == kept


def test_lines_come_by_time_and_sequence_however_they_were_appended(store: TelemetryStore) -> None:
    lines = [line(str(n), NOON + n // 3, seq=n % 3) for n in range(9)]
    store.append(lines[5:], [])
    store.append(lines[:5], [])
    assert [one.line for one in store.logs(LogQuery("shop"))] == [str(n) for n in range(9)]


def test_the_youngest_or_the_oldest_lines_are_taken_and_shown_oldest_first(store: TelemetryStore) -> None:
    store.append([line(str(n), NOON + n * DAY) for n in range(5)], [])
    assert [one.line for one in store.logs(LogQuery("shop", limit=2))] == ["3", "4"]
    assert [one.line for one in store.logs(LogQuery("shop", limit=2, newest=False))] == ["0", "1"]


def test_since_is_inclusive_and_until_exclusive(store: TelemetryStore) -> None:
    store.append([line(str(n), NOON + n) for n in range(5)], [])
    assert [one.line for one in store.logs(LogQuery("shop", since=NOON + 1, until=NOON + 3))] == ["1", "2"]


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("shop", 2),
        ("shop/web", 1),
        ("shop-store-1", 1),
        (A[:8], 1),
        (A, 1),
        (A[:7], 0),
        ("shop/we", 0),
        ("' OR 1=1", 0),
    ],
)
def test_a_subject_is_an_application_a_workload_a_name_or_an_id(
    store: TelemetryStore, subject: str, found: int
) -> None:
    store.append([line("x", NOON), line("x", NOON, container=B)], [sample(NOON), sample(NOON, container=B)])
    assert len(store.logs(LogQuery(subject))) == found
    assert len(store.samples(SampleQuery(subject))) == found


@pytest.mark.parametrize("text", ["100%", "_under", "'; DROP", "é ✓", ".*", "\\n"])
def test_grep_is_plain_text(store: TelemetryStore, text: str) -> None:
    store.append([line(f"before {text} after", NOON), line("other", NOON + 1)], [])
    assert [one.line for one in store.logs(LogQuery("shop", grep=text))] == [f"before {text} after"]


def test_missing_values_stay_missing(store: TelemetryStore) -> None:
    store.append([], [sample(NOON, memory_bytes=5), sample(NOON + 1, cpu_seconds_total=0.0, pids=0)])
    first, second = store.samples(SampleQuery("shop"))
    assert (first.memory_bytes, first.cpu_seconds_total, first.pids) == (5, None, None)
    assert (second.memory_bytes, second.cpu_seconds_total, second.pids) == (None, 0.0, 0)


def test_a_step_gives_the_last_sample_of_each_container_in_it(store: TelemetryStore) -> None:
    samples = [sample(NOON + n, pids=n, container=who) for who in (A, B) for n in range(10)]
    store.append([], samples)
    found = store.samples(SampleQuery("shop", step=5))
    assert [(one.container, one.pids) for one in found] == [(A, 4), (A, 9), (B, 4), (B, 9)]


def test_only_the_youngest_samples_are_given_when_there_are_too_many(store: TelemetryStore) -> None:
    store.append([], [sample(NOON + n, pids=n) for n in range(10)])
    assert [one.pids for one in store.samples(SampleQuery("shop", limit=3))] == [7, 8, 9]


def test_streams_say_how_much_is_kept_and_where_to_read_on(store: TelemetryStore) -> None:
    store.append([line("é", NOON), line("b", NOON + 5, seq=0), line("c", NOON + 5, seq=1)], [sample(NOON + 9)])
    store.append([line("e", NOON + 3, stream="stderr"), line("other", NOON, container=B)], [])
    assert store.streams([A]) == [
        StreamState(A, "samples", Position(NOON + 9, 0), 1, 0),
        StreamState(A, "stderr", Position(NOON + 3, 0), 1, 1),
        StreamState(A, "stdout", Position(NOON + 5, 1), 3, 4),
    ]
    assert store.streams([]) == []
    assert store.streams(["0" * 64]) == []


def test_an_empty_store_answers(tmp_path: Path) -> None:
    for store in (MemoryTelemetryStore(), ParquetTelemetryStore(tmp_path / "t")):
        assert store.logs(LogQuery()) == []
        assert store.samples(SampleQuery()) == []
        store.append([], [])
