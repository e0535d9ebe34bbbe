"""What only the Parquet store promises: compaction, retention, crash safety, one writer."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lading.observability.errors import StoreUnavailable
from lading.observability.store import LogLine, LogQuery, Sample, SampleQuery, parts
from lading.observability.store.parquet import ParquetTelemetryReader, ParquetTelemetryStore

START = datetime(2026, 9, 21, 12, tzinfo=UTC)
AT = int(START.timestamp()) * 1_000_000
DAY = 86_400_000_000


def line(number: int, at: int | None = None, text: str = "") -> LogLine:
    return LogLine("a" * 64, "web-1", "shop/web", "shop", "stdout", at or AT + number, 0, text or str(number))


def numbers(store: ParquetTelemetryReader) -> list[int]:
    return [int(one.line) for one in store.logs(LogQuery("shop", limit=10_000))]


def part_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*/*/*.parquet"))


def filled(directory: Path, count: int = 30) -> ParquetTelemetryStore:
    store = ParquetTelemetryStore(directory)
    for number in range(count):
        store.append([line(number)], [])
    return store


def test_compaction_makes_one_part_of_many_and_keeps_every_line(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert store.compact() == 29
    assert [path.name for path in part_files(tmp_path)] == [parts.name_of(1, 30)]
    assert numbers(store) == list(range(30))
    store.append([line(30)], [])
    assert numbers(store) == list(range(31))


def test_a_crash_between_compaction_and_clean_up_shows_no_line_twice(tmp_path: Path) -> None:
    store = filled(tmp_path)
    small = {path: path.read_bytes() for path in part_files(tmp_path)}
    store.compact()
    for path, content in small.items():
        path.write_bytes(content)
    assert numbers(store) == list(range(30))
    store.close()
    again = ParquetTelemetryStore(tmp_path)
    assert len(part_files(tmp_path)) == 1
    again.append([line(30)], [])
    assert numbers(again) == list(range(31))


def test_half_written_files_are_not_seen_and_are_removed(tmp_path: Path) -> None:
    store = filled(tmp_path, 1)
    (day,) = (tmp_path / "logs").iterdir()
    half = day / ".incoming-000000000002-000000000002.parquet"
    half.write_bytes(b"PAR1 half")
    assert numbers(store) == [0]
    store.close()
    ParquetTelemetryStore(tmp_path).close()
    assert not half.exists()


def test_readers_see_every_line_once_while_parts_are_compacted(tmp_path: Path) -> None:
    store = ParquetTelemetryStore(tmp_path)
    reader = ParquetTelemetryReader(tmp_path)
    done = threading.Event()
    failures: list[str] = []

    def read() -> None:
        seen = 0
        while not done.is_set():
            found = numbers(reader)
            if found != list(range(len(found))) or len(found) < seen:
                failures.append(f"{len(found)} lines after {seen}: {found[:5]}")
            seen = len(found)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(120):
        store.append([line(number)], [])
        store.compact()
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert numbers(reader) == list(range(120))


def test_what_is_too_old_goes_and_is_said(tmp_path: Path) -> None:
    store = ParquetTelemetryStore(tmp_path, keep=timedelta(days=7))
    store.append([line(0, AT - 8 * DAY), line(1, AT - 7 * DAY), line(2)], [])
    expired = store.expire(START)
    assert expired is not None
    assert (expired.parts, expired.before) == (1, datetime(2026, 9, 14, tzinfo=UTC))
    assert numbers(store) == [1, 2]
    assert store.floor() == int(expired.before.timestamp()) * 1_000_000
    assert store.expire(START) is None


def test_more_than_the_limit_goes_oldest_first(tmp_path: Path) -> None:
    filled(tmp_path, 20).close()
    sizes = [path.stat().st_size for path in part_files(tmp_path)]
    store = ParquetTelemetryStore(tmp_path, most_bytes=sum(sizes[-5:]))
    expired = store.expire(START)
    assert expired is not None
    assert expired.parts == 15
    assert numbers(store) == list(range(15, 20))
    assert sum(path.stat().st_size for path in part_files(tmp_path)) <= sum(sizes[-5:])
    assert store.floor() == AT + 15


def test_samples_count_for_the_limit_too(tmp_path: Path) -> None:
    store = ParquetTelemetryStore(tmp_path, most_bytes=1)
    store.append([line(0)], [Sample("a" * 64, "web-1", "shop/web", "shop", AT)])
    expired = store.expire(START)
    assert expired is not None
    assert expired.parts == 2
    assert store.samples(SampleQuery()) == []


def test_a_second_writer_is_refused_until_the_first_one_is_gone(tmp_path: Path) -> None:
    first = ParquetTelemetryStore(tmp_path)
    with pytest.raises(StoreUnavailable, match="Another process writes"):
        ParquetTelemetryStore(tmp_path)
    first.close()
    ParquetTelemetryStore(tmp_path).close()


def test_a_part_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    store = filled(tmp_path, 1)
    (path,) = part_files(tmp_path)
    path.write_bytes(b"rubbish" * 100)
    with pytest.raises(StoreUnavailable, match=path.name):
        store.logs(LogQuery())


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        ParquetTelemetryStore(tmp_path / "file" / "telemetry")


def test_one_append_over_midnight_lands_in_two_days(tmp_path: Path) -> None:
    store = ParquetTelemetryStore(tmp_path)
    store.append([line(0, AT - DAY), line(1)], [])
    assert [path.parent.name for path in part_files(tmp_path)] == ["2026-09-20", "2026-09-21"]
    assert numbers(store) == [0, 1]
