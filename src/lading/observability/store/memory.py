"""A telemetry store in memory: for trying things out and for tests; nothing outlives the process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from lading.observability.store.records import (
    SAMPLES_STREAM,
    LogLine,
    LogQuery,
    Position,
    Sample,
    SampleQuery,
    StreamState,
    matches,
)
from lading.observability.store.telemetry_store import Expired


class MemoryTelemetryStore:
    """Keeps lines and samples for `keep`, at most `most_lines` lines."""

    def __init__(self, *, keep: timedelta = timedelta(days=14), most_lines: int = 1_000_000) -> None:
        self._lock = threading.Lock()
        self._lines: list[LogLine] = []
        self._samples: list[Sample] = []
        self._keep = keep
        self._most_lines = most_lines
        self._floor = 0

    def append(self, lines: Sequence[LogLine], samples: Sequence[Sample]) -> None:
        with self._lock:
            self._lines.extend(lines)
            self._samples.extend(samples)

    def logs(self, query: LogQuery) -> list[LogLine]:
        with self._lock:
            found = [
                one
                for one in self._lines
                if query.since <= one.at < query.until and query.grep in one.line and matches(query.subject, one)
            ]
        found.sort(key=lambda one: (one.at, one.seq, one.container, one.stream))
        return found[-query.limit :] if query.newest else found[: query.limit]

    def samples(self, query: SampleQuery) -> list[Sample]:
        with self._lock:
            found = [
                one for one in self._samples if query.since <= one.at < query.until and matches(query.subject, one)
            ]
        found.sort(key=lambda one: one.at)
        if query.step:
            found = list({(one.container, one.at // query.step): one for one in found}.values())
            found.sort(key=lambda one: one.at)
        return sorted(found[-query.limit :], key=lambda one: (one.container, one.at))

    def streams(self, containers: Sequence[str]) -> list[StreamState]:
        wanted = set(containers)
        states: dict[tuple[str, str], StreamState] = {}
        with self._lock:
            kept = [
                (one.container, one.stream, Position(one.at, one.seq), len(one.line.encode())) for one in self._lines
            ]
            kept += [(one.container, SAMPLES_STREAM, Position(one.at, 0), 0) for one in self._samples]
        for container, stream, here, size in kept:
            if container in wanted:
                before = states.get((container, stream), StreamState(container, stream, here, 0, 0))
                states[container, stream] = StreamState(
                    container, stream, max(before.position, here), before.lines + 1, before.bytes + size
                )
        return sorted(states.values())

    def compact(self) -> int:
        return 0

    def expire(self, now: datetime) -> Expired | None:
        with self._lock:
            oldest = int((now - self._keep).timestamp()) * 1_000_000
            self._lines.sort(key=lambda one: one.at)
            if len(self._lines) > self._most_lines:
                oldest = max(oldest, self._lines[-self._most_lines].at)
            kept = [one for one in self._lines if one.at >= oldest]
            gone = self._lines[: len(self._lines) - len(kept)]
            samples = [one for one in self._samples if one.at >= oldest]
            if not gone and len(samples) == len(self._samples):
                return None
            self._lines, self._samples, self._floor = kept, samples, oldest
        size = sum(len(one.line) for one in gone)
        return Expired(1, size, datetime.fromtimestamp(oldest / 1_000_000, now.tzinfo))

    def floor(self) -> int:
        with self._lock:
            return self._floor
