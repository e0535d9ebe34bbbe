"""What containers use, read a few at a time; the share of CPU is computed from one reading to the next."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final, NamedTuple

from lading.facts.kinds.observability import TelemetryGap
from lading.kernel.clock import Clock, timestamp
from lading.observability.collect.sources import StatsSource, Usage, Watched
from lading.observability.errors import SourceGone, SourceUnavailable
from lading.observability.store import Sample

log = logging.getLogger(__name__)
_AT_ONCE: Final = 4


class _Reading(NamedTuple):
    monotonic: float
    cpu_seconds: float | None


class Sampler:
    """Samples containers; a stretch that could not be sampled becomes a gap once sampling works again."""

    def __init__(self, source: StatsSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._pool: ThreadPoolExecutor | None = None
        self._before: dict[str, _Reading] = {}
        self._failing: dict[str, tuple[datetime, str]] = {}

    def sample(self, running: Sequence[Watched]) -> tuple[list[Sample], list[TelemetryGap]]:
        """One sample of each container that answers, and the gaps that ended with it."""
        samples: list[Sample] = []
        gaps: list[TelemetryGap] = []
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="sample")
        for watched, usage in zip(running, self._pool.map(self._usage, running), strict=True):
            if usage is None:
                continue
            samples.append(self._sample(watched, usage))
            if (failed := self._failing.pop(watched.id, None)) is not None:
                gaps.append(self._gap(watched.id, *failed))
        self._forget({one.id for one in running})
        return samples, gaps

    def close(self) -> None:
        """Let the threads go; sampling again starts new ones."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _usage(self, watched: Watched) -> Usage | None:
        try:
            return self._source.usage(watched.id)
        except SourceGone:
            return None
        except SourceUnavailable as error:
            if watched.id not in self._failing:
                self._failing[watched.id] = (self._clock.now(), error.what)
                log.warning("container cannot be sampled", extra={"container": watched.id, "reason": error.what})
            return None

    def _sample(self, watched: Watched, usage: Usage) -> Sample:
        here = _Reading(self._clock.monotonic(), usage.cpu_seconds_total)
        before = self._before.get(watched.id)
        self._before[watched.id] = here
        return Sample(
            container=watched.id,
            name=watched.name,
            workload=watched.workload,
            application=watched.application,
            at=int(self._clock.now().timestamp() * 1_000_000),
            cpu_seconds_total=usage.cpu_seconds_total,
            cpu_percent=_cpu_percent(before, here),
            memory_bytes=usage.memory_bytes,
            memory_limit=usage.memory_limit,
            rx_bytes=usage.rx_bytes,
            tx_bytes=usage.tx_bytes,
            pids=usage.pids,
            restarts=usage.restarts,
        )

    def _gap(self, container: str, since: datetime, reason: str) -> TelemetryGap:
        return TelemetryGap(
            container=container,
            stream="samples",
            since=timestamp(since),
            until=timestamp(self._clock.now()),
            reason=reason[:300],
        )

    def _forget(self, running: set[str]) -> None:
        for gone in self._before.keys() - running:
            del self._before[gone]


def _cpu_percent(before: _Reading | None, here: _Reading) -> float | None:
    """The share of one CPU since the reading before; None after a restart, when the counter began anew."""
    if before is None or before.cpu_seconds is None or here.cpu_seconds is None:
        return None
    passed, used = here.monotonic - before.monotonic, here.cpu_seconds - before.cpu_seconds
    return round(100 * used / passed, 2) if passed > 0 and used >= 0 else None
