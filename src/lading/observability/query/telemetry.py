"""What people and the bill ask: recent lines, figures over time, one summary. Works for containers that are gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from lading.kernel.clock import timestamp
from lading.kernel.errors import InvalidInput
from lading.observability.store import LogLine, LogQuery, Sample, SampleQuery, TelemetryReader

MOST_LINES: Final = 10_000
MOST_POINTS: Final = 50_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LogRow(NamedTuple):
    """A line for people. `at` is RFC 3339."""

    at: str
    container: str
    name: str
    workload: str
    application: str
    stream: str
    line: str
    truncated: bool


class MetricRow(NamedTuple):
    """What one container used during one step that began at `at`; None where nobody knows.

    CPU is percent of one core, memory MB (10^6 bytes), network kB (10^3 bytes) per second.
    """

    at: str
    container: str
    name: str
    workload: str
    cpu_percent: float | None
    memory_mb: float | None
    memory_limit_mb: float | None
    rx_kb_s: float | None
    tx_kb_s: float | None
    pids: int | None
    restarts: int | None


class TelemetrySummary(NamedTuple):
    """What the bill shows: the last lines, the last figures of each container, and how often they restarted."""

    logs: list[LogRow]
    metrics: list[MetricRow]
    restarts: int | None


class Telemetry:
    """Reads what was kept.

    A subject is an application, a workload (`shop/web`), the name of a container or at least 8 digits of its id; empty
    means everything.
    """

    def __init__(self, store: TelemetryReader) -> None:
        self._store = store

    def logs(
        self,
        subject: str = "",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        grep: str = "",
        limit: int = 200,
        newest: bool = True,
    ) -> list[LogRow]:
        """At most `limit` lines (up to 10,000), oldest first; the youngest ones unless `newest` is false.

        Raises:
            InvalidInput: `limit` is out of bounds.
            StoreUnavailable: the store cannot be read.
        """
        if not 0 < limit <= MOST_LINES:
            raise InvalidInput(f"{limit} lines cannot be shown at once.", remedy=f"Ask for 1 to {MOST_LINES}.")
        query = LogQuery(subject, *_bounds(since, until), grep, limit, newest)
        return [_log_row(line) for line in self._store.logs(query)]

    def metrics(
        self,
        subject: str = "",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        step: timedelta = timedelta(seconds=30),
    ) -> list[MetricRow]:
        """One row for each container and step in which there was a sample, by time.

        CPU and network are computed from the cumulative counters between the last samples of neighbouring steps, so no
        use between two samples is missed; the first step of a series has the CPU of its last sample and no network.

        Raises:
            InvalidInput: `step` is shorter than a second.
            StoreUnavailable: the store cannot be read.
        """
        if step < timedelta(seconds=1):
            raise InvalidInput("A step is at least one second.", remedy="Ask for a step of 1 or more.")
        width = step // timedelta(microseconds=1)
        query = SampleQuery(subject, *_bounds(since, until), width, MOST_POINTS)
        rows: list[MetricRow] = []
        before: Sample | None = None
        for sample in self._store.samples(query):
            earlier = before if before is not None and before.container == sample.container else None
            rows.append(_metric_row(earlier, sample, sample.at // width * width))
            before = sample
        return sorted(rows, key=lambda row: (row.at, row.container))

    def summary(self, subject: str, *, now: datetime, lines: int = 20) -> TelemetrySummary:
        """The last lines and figures of the past hour, or of the last hour there was, if it is gone longer."""
        logs = self.logs(subject, limit=lines)
        recent = self.metrics(subject, since=now - timedelta(hours=1), until=now + timedelta(minutes=1))
        if not recent:
            recent = self._last_hour(subject)
        last = list({row.container: row for row in recent}.values())
        known = [row.restarts for row in last if row.restarts is not None]
        return TelemetrySummary(logs, last, sum(known) if known else None)

    def _last_hour(self, subject: str) -> list[MetricRow]:
        youngest = self._store.samples(SampleQuery(subject, limit=1))
        if not youngest:
            return []
        end = _moment(youngest[-1].at)
        return self.metrics(subject, since=end - timedelta(hours=1), until=end + timedelta(seconds=1))


def _bounds(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    return (0 if since is None else _micros(since)), (1 << 62 if until is None else _micros(until))


def _log_row(line: LogLine) -> LogRow:
    at = timestamp(_moment(line.at))
    return LogRow(
        at, line.container, line.name, line.workload, line.application, line.stream, line.line, line.truncated
    )


def _metric_row(before: Sample | None, sample: Sample, at: int) -> MetricRow:
    seconds = (sample.at - before.at) / 1e6 if before is not None else 0.0
    cpu = sample.cpu_percent
    if before is not None and (used := _rate(before.cpu_seconds_total, sample.cpu_seconds_total, seconds)) is not None:
        cpu = 100 * used
    return MetricRow(
        at=timestamp(_moment(at)),
        container=sample.container,
        name=sample.name,
        workload=sample.workload,
        cpu_percent=_scaled(cpu, 1),
        memory_mb=_scaled(sample.memory_bytes, 1e6),
        memory_limit_mb=_scaled(sample.memory_limit, 1e6),
        rx_kb_s=_scaled(_rate(before.rx_bytes, sample.rx_bytes, seconds) if before else None, 1e3),
        tx_kb_s=_scaled(_rate(before.tx_bytes, sample.tx_bytes, seconds) if before else None, 1e3),
        pids=sample.pids,
        restarts=sample.restarts,
    )


def _rate(before: float | None, after: float | None, seconds: float) -> float | None:
    """Per second; None when a counter is not known or began anew."""
    if before is None or after is None or seconds <= 0 or after < before:
        return None
    return (after - before) / seconds


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else round(value / unit, 2)


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
