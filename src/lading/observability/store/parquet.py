"""The telemetry store on disk: this process appends Parquet parts, DuckDB reads them in this and other processes.

append -> one part per kind and day, durable -> compact -> expire by age and by size
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from lading.observability.errors import StoreUnavailable
from lading.observability.store import columns, parts
from lading.observability.store.duck import DuckReader
from lading.observability.store.records import LogLine, LogQuery, Sample, SampleQuery, StreamState
from lading.observability.store.telemetry_store import Expired

_SMALL_BYTES: Final = 4 << 20
_SMALL_PARTS: Final = 24
_MERGED_BYTES: Final = 16 << 20


class ParquetTelemetryReader:
    """The reading side, for every process but the one that appends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._reader = DuckReader(directory)

    def logs(self, query: LogQuery) -> list[LogLine]:
        return self._reader.logs(query)

    def samples(self, query: SampleQuery) -> list[Sample]:
        return self._reader.samples(query)

    def streams(self, containers: Sequence[str]) -> list[StreamState]:
        return self._reader.streams(containers)


class ParquetTelemetryStore(ParquetTelemetryReader):
    """The writing side; a second one on the same directory is refused.

    Args:
        directory: made when absent.
        keep: how long records are kept.
        most_bytes: how much space all parts together may take.

    Raises:
        StoreUnavailable: another process writes here, or the directory cannot be made.
    """

    def __init__(self, directory: Path, *, keep: timedelta = timedelta(days=14), most_bytes: int = 2 << 30) -> None:
        super().__init__(directory)
        self._keep = keep
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        with self._translated():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._held = self._take_lock()
            for kind in (parts.LOGS, parts.SAMPLES):
                for _path in parts.remove_leftovers(directory / kind):
                    pass
        self._next = 1 + max((part.last for _kind, part in self._all_parts()), default=0)

    def append(self, lines: Sequence[LogLine], samples: Sequence[Sample]) -> None:
        with self._lock, self._translated():
            number = self._next
            name = parts.name_of(number, number)
            files: list[tuple[Path, Callable[[Path], None]]] = []
            for day, of_day in _by_day(lines):
                files.append((self._directory / parts.LOGS / day / name, _writer(columns.log_table(of_day))))
            for day, sampled in _by_day(samples):
                files.append((self._directory / parts.SAMPLES / day / name, _writer(columns.sample_table(sampled))))
            if files:
                parts.publish(files)
                self._next += 1

    def compact(self) -> int:
        """Merge runs of at least 24 parts below 4 MB within a day, up to 16 MB at once."""
        gone = 0
        for kind in (parts.LOGS, parts.SAMPLES):
            for day in parts.days(self._directory / kind):
                while run := _small_run(parts.live_parts(self._directory / kind, day)):
                    gone += self._merge(run)
        return gone

    def expire(self, now: datetime) -> Expired | None:
        with self._lock, self._translated():
            doomed, floor = self._doomed(now)
            if not doomed:
                return None
            # The floor is durable before anything goes, so that no restart reads the lines from the engine again.
            self._set_floor(max(floor, self.floor()))
            for part in doomed:
                part.path.unlink(missing_ok=True)
            self._remove_empty_days()
        before = datetime.fromtimestamp(floor / 1_000_000, UTC)
        return Expired(len(doomed), sum(part.size for part in doomed), before)

    def floor(self) -> int:
        try:
            return int((self._directory / "floor").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def close(self) -> None:
        """Let another process write."""
        os.close(self._held)

    def _merge(self, run: list[parts.Part]) -> int:
        with self._lock, self._translated():
            target = run[0].path.parent / parts.name_of(run[0].first, run[-1].last)
            table = columns.merged([part.path for part in run])
            parts.publish([(target, _writer(table, columns.SMALL))])
            for part in run:
                part.path.unlink(missing_ok=True)
        return len(run) - 1

    def _doomed(self, now: datetime) -> tuple[list[parts.Part], int]:
        """The parts to remove, and the moment up to which they reach."""
        every = sorted((part for _kind, part in self._all_parts()), key=lambda part: (part.day, part.first))
        oldest_day = (now - self._keep).strftime("%Y-%m-%d")
        excess = sum(part.size for part in every) - self._most_bytes
        doomed: list[parts.Part] = []
        for part in every:
            if part.day >= oldest_day and excess <= 0:
                break
            doomed.append(part)
            excess -= part.size
        if not doomed:
            return [], 0
        if doomed[-1].day < oldest_day:
            return doomed, parts.day_starts(oldest_day)
        return doomed, max(self._reader.newest(part.path) for part in doomed if part.day == doomed[-1].day) + 1

    def _set_floor(self, floor: int) -> None:
        parts.publish([(self._directory / "floor", lambda path: _write_text(path, str(floor)))])

    def _remove_empty_days(self) -> None:
        for kind in (parts.LOGS, parts.SAMPLES):
            for day in parts.days(self._directory / kind):
                with suppress(OSError):  # a day that still has parts stays
                    (self._directory / kind / day).rmdir()

    def _all_parts(self) -> Iterator[tuple[str, parts.Part]]:
        for kind in (parts.LOGS, parts.SAMPLES):
            for day in parts.days(self._directory / kind):
                for part in parts.every_part(self._directory / kind, day):
                    yield kind, part

    def _take_lock(self) -> int:
        descriptor = os.open(self._directory / "writer.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StoreUnavailable(
                f"Another process writes to the telemetry store {self._directory}.",
                remedy="One worker collects for one data directory; stop the other one.",
            ) from error
        return descriptor

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = "Free some space, or lower LADING_TELEMETRY_MEGABYTES." if full else "Check its owner and disk."
            raise StoreUnavailable(
                f"The telemetry store {self._directory} cannot be written: {error.strerror or error}.", remedy=remedy
            ) from error
        except pa.ArrowException as error:
            raise StoreUnavailable(
                f"A part of the telemetry store {self._directory} cannot be read: {str(error)[:200]}.",
                remedy="Move the named file away; the others stay readable.",
            ) from error


def _small_run(live: list[parts.Part]) -> list[parts.Part]:
    """The first run of neighbours worth merging, or nothing."""
    for small, group in itertools.groupby(live, key=lambda part: part.size < _SMALL_BYTES):
        run = list(group)
        if not small or len(run) < _SMALL_PARTS:
            continue
        sizes = list(itertools.accumulate(part.size for part in run))
        return [part for part, total in zip(run, sizes, strict=True) if total <= _MERGED_BYTES]
    return []


def _by_day(records: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    days: dict[int, list[Any]] = {}
    for record in records:
        days.setdefault(record.at // 86_400_000_000, []).append(record)
    return [(parts.day_of(number * 86_400_000_000), days[number]) for number in sorted(days)]


def _writer(table: Any, level: int = columns.FAST) -> Callable[[Path], None]:
    return lambda path: columns.write_part(table, path, level=level)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")
