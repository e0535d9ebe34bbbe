"""The centre of collecting.

    look: who runs? -> a tail per container -> intake -> flush: append to the store
    sample: what do they use? ----------------------------^
    drain: a container is about to be removed -> read to the end -> append -> telemetry.closed

Each step may be called by hand; `start` runs them in threads. A container that is gone is closed with what was kept of
it; what could not be read is a `telemetry.gap`, also when it happened while no collector ran.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from lading.facts import Fact, Ledger
from lading.facts.kinds.observability import TelemetryClosed, TelemetryExpired, TelemetryGap
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import LadingError
from lading.observability.collect.intake import Intake
from lading.observability.collect.resume import Resume
from lading.observability.collect.sampler import Sampler
from lading.observability.collect.sources import LogSource, StatsSource, Watched
from lading.observability.collect.sql import OpenContainers
from lading.observability.collect.tail import Tail
from lading.observability.errors import SourceUnavailable
from lading.observability.store import Expiring, LogLine, Position, Sample, TelemetryStore
from lading.observability.store.records import SAMPLES_STREAM
from lading.state import Database

log = logging.getLogger(__name__)
ACTOR: Final = "system:observability"
_LOOK_SECONDS: Final = 1.0
_LEAST_FLUSH_SECONDS: Final = 0.25
_TIDY_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 0.4
_REMEMBERED: Final = 10_000
_LONGEST_BACKOFF: Final = 60.0
_MOST_SAMPLES: Final = 20_000


class KeepingStore(TelemetryStore, Expiring, Protocol):
    """A store that also keeps its own size."""


class Kept(NamedTuple):
    """What is kept of a container that was closed."""

    log_lines: int
    log_bytes: int
    samples: int
    lost_lines: int


class Collector:
    """Collects from one engine into one store.

    Args:
        logs: where containers and their lines come from.
        stats: where their usage comes from.
        store: where both go; this process is its only writer.
        sample_seconds: between two samples of a container.
        flush_seconds: how long a line may wait before readers see it.
    """

    def __init__(
        self,
        *,
        logs: LogSource,
        stats: StatsSource,
        store: KeepingStore,
        database: Database,
        ledger: Ledger,
        clock: Clock | None = None,
        sample_seconds: float = 2.0,
        flush_seconds: float = 2.0,
    ) -> None:
        self._source = logs
        self._store = store
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._intervals = (sample_seconds, flush_seconds)
        self._sampler = Sampler(stats, self._clock)
        self._intake = Intake()
        self._open = OpenContainers()
        self._tails: dict[str, Tail] = {}
        self._backoff: dict[str, tuple[float, float]] = {}
        self._closed: OrderedDict[str, Kept] = OrderedDict()
        self._closed_stopped: set[str] = set()
        self._draining: set[str] = set()
        self._pending: tuple[list[LogLine], list[Sample]] = ([], [])
        self._gaps: list[TelemetryGap] = []
        self._looking = threading.RLock()
        self._flushing = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._engine_lost = False
        self._looked_back = False

    def start(self) -> None:
        """Collect until `stop`, in threads of this process; may be started again after that."""
        self._stopping.clear()
        self._intake.open()
        sample_seconds, flush_seconds = self._intervals
        self._run("look", self.look, lambda: self._stopping.wait(_LOOK_SECONDS))
        self._run("sample", self.sample, lambda: self._stopping.wait(sample_seconds))
        self._run("tidy", self.tidy, lambda: self._stopping.wait(_TIDY_SECONDS))
        self._run("flush", self.flush, lambda: self._wait_for_lines(flush_seconds))

    def stop(self) -> None:
        """Stop reading and append what was read; containers stay open for the next collector."""
        self._stopping.set()
        for tail in list(self._tails.values()):
            tail.stop()
        for tail in list(self._tails.values()):
            tail.join(2)
        self._intake.close()
        self._sampler.close()
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()
        with self._looking:
            self._tails.clear()
            self._backoff.clear()
        self.flush()

    def look(self) -> None:
        """Find out who runs; follow those who are new, close those who are gone."""
        try:
            listed = self._source.containers()
        except SourceUnavailable as error:
            if not self._engine_lost:
                log.warning("the engine does not answer; telemetry waits", extra={"reason": error.what})
            self._engine_lost = True
            return
        if self._engine_lost:
            log.info("the engine answers again; telemetry goes on")
            self._engine_lost = False
        with self._looking:
            present = {one.id: one for one in listed}
            self._adopt([one for one in listed if one.id not in self._tails and self._is_wanted(one)])
            for identity, tail in list(self._tails.items()):
                if identity in self._draining:
                    continue
                if identity in present:
                    self._go_on(tail, present[identity])
                else:
                    self._end(tail)
            self._look_back(present)
        self._state([])

    def sample(self) -> None:
        """Take one sample of every running container."""
        running = [tail.watched for tail in list(self._tails.values()) if tail.watched.running]
        samples, gaps = self._sampler.sample(running)
        with self._flushing:
            held = self._pending[1]
            held.extend(samples)
            if len(held) > _MOST_SAMPLES:  # the disk has been full for long: the youngest are worth most
                del held[: len(held) - _MOST_SAMPLES]
        self._gaps.extend(gaps)

    def flush(self) -> None:
        """Append what was read.

        Raises:
            StoreUnavailable: nothing was appended; it is kept in memory, and the engine's files keep what comes.
        """
        with self._flushing:
            lines, samples = self._pending
            if not lines:
                lines = self._intake.take()
                self._pending = (lines, samples)
            if lines or samples:
                self._store.append(lines, samples)
            self._pending = ([], [])

    def tidy(self) -> None:
        """Compact the store and remove what is too old or too much."""
        self._store.compact()
        expired = self._store.expire(self._clock.now())
        if expired is not None:
            before = timestamp(expired.before)
            self._state([TelemetryExpired(parts=expired.parts, bytes=expired.bytes, before=before)])

    def drain(self, container: str, seconds: float = 10.0) -> Kept:
        """Keep everything of a container that was stopped and is about to be removed.

        Waits for the end of its log; while it still runs, for a moment of quiet. Afterwards it is closed.

        Args:
            container: its full id.
            seconds: what is not read within this time is lost, and said so.

        Raises:
            StoreUnavailable: nothing could be appended; the container should not be removed yet.
        """
        if container not in self._tails and container not in self._closed:
            self.look()
        with self._looking:
            tail = self._tails.get(container)
            if tail is None:
                return self._closed.get(container, Kept(0, 0, 0, 0))
            self._draining.add(container)
        try:
            self._read_to_end(tail, seconds)
            with self._looking:
                return self._close(tail) if container in self._tails else self._closed[container]
        finally:
            self._draining.discard(container)

    def held_bytes(self) -> int:
        """How much waits in memory to be appended."""
        return self._intake.held_bytes()

    def _read_to_end(self, tail: Tail, seconds: float) -> None:
        deadline = self._clock.monotonic() + seconds
        if not tail.reading:
            tail.start()
        quiet_since, seen = self._clock.monotonic(), tail.activity
        while not tail.join(0.02):
            now = self._clock.monotonic()
            if tail.activity != seen:
                quiet_since, seen = now, tail.activity
            if tail.watched.running and now - quiet_since > _IDLE_SECONDS and self._still_runs(tail):
                break
            if now > deadline:
                self._gap(tail.watched.id, "logs", f"The log was not read to its end within {seconds:g} s.")
                break
        tail.stop()
        tail.join(1)

    def _still_runs(self, tail: Tail) -> bool:
        try:
            present = {one.id: one for one in self._source.containers()}
        except SourceUnavailable:
            return False
        tail.watched = present.get(tail.watched.id, tail.watched._replace(running=False))
        return tail.watched.running

    def _adopt(self, new: Sequence[Watched]) -> None:
        if not new:
            return
        positions: dict[str, dict[str, Position]] = {one.id: {} for one in new}
        for state in self._store.streams(list(positions)):
            if state.stream != SAMPLES_STREAM:
                positions[state.container][state.stream] = state.position
        with self._database.write() as tx:
            self._open.add(tx, new)
        for one in new:
            resume = Resume(positions[one.id], self._store.floor())
            self._tails[one.id] = Tail(one, self._source, self._intake, resume)
            self._tails[one.id].start()

    def _is_wanted(self, watched: Watched) -> bool:
        """A drained container is left alone, unless it was started again instead of being removed."""
        return watched.id not in self._closed or (watched.running and watched.id in self._closed_stopped)

    def _go_on(self, tail: Tail, watched: Watched) -> None:
        """Read on after a restart of the container or of the engine; ever more seldom when that fails each time."""
        ran, tail.watched = tail.watched.running, watched
        if tail.reading:
            return
        if not (watched.running or ran or tail.broken):
            self._backoff.pop(watched.id, None)
            return
        due, wait = self._backoff.get(watched.id, (0.0, _LOOK_SECONDS / 2))
        now = self._clock.monotonic()
        if now < due:
            return
        if tail.broken and wait > _LOOK_SECONDS * 4:
            self._gap(watched.id, "logs", tail.broken)
        wait = min(wait * 2, _LONGEST_BACKOFF)
        self._backoff[watched.id] = (now + wait, wait)
        tail.start()

    def _end(self, tail: Tail) -> None:
        if not tail.join(2):
            tail.stop()
            tail.join(1)
        if tail.broken:
            self._gap(tail.watched.id, "logs", f"The container was removed while its log was broken: {tail.broken}")
        self._close(tail)

    def _close(self, tail: Tail) -> Kept:
        self.flush()
        kept = self._closing(tail.watched, tail.lost)
        self._tails.pop(tail.watched.id, None)
        self._backoff.pop(tail.watched.id, None)
        if not tail.watched.running:
            self._closed_stopped.add(tail.watched.id)
        return kept

    def _closing(self, watched: Watched, lost: int) -> Kept:
        states = self._store.streams([watched.id])
        logs = [state for state in states if state.stream != SAMPLES_STREAM]
        kept = Kept(
            sum(state.lines for state in logs),
            sum(state.bytes for state in logs),
            sum(state.lines for state in states) - sum(state.lines for state in logs),
            lost,
        )
        closed = TelemetryClosed(
            container=watched.id,
            workload=watched.workload,
            log_lines=kept.log_lines,
            log_bytes=kept.log_bytes,
            samples=kept.samples,
            lost_lines=lost,
        )
        self._state([closed], closing=watched.id)
        self._closed[watched.id] = kept
        while len(self._closed) > _REMEMBERED:
            self._closed_stopped.discard(self._closed.popitem(last=False)[0])
        return kept

    def _look_back(self, present: dict[str, Watched]) -> None:
        """Once, after a start: close what vanished while no collector ran."""
        if self._looked_back:
            return
        with self._database.read() as tx:
            owed = self._open.all(tx)
        for watched in owed:
            if watched.id not in present and watched.id not in self._tails:
                self._gap(watched.id, "logs", "The container was removed while no collector ran.")
                self._closing(watched, 0)
        self._looked_back = True

    def _gap(self, container: str, stream: str, reason: str) -> None:
        states = self._store.streams([container])
        last = max(
            (one.position.at for one in states if (one.stream == SAMPLES_STREAM) == (stream == "samples")), default=0
        )
        now = self._clock.now()
        since = now if not last else now - timedelta(microseconds=max(0, int(now.timestamp() * 1_000_000) - last))
        self._gaps.append(
            TelemetryGap(
                container=container,
                stream=stream,
                since=timestamp(since),
                until=timestamp(now),
                reason=reason[:300],
            )
        )

    def _state(self, facts: Sequence[Fact], *, closing: str = "") -> None:
        gaps, self._gaps = self._gaps, []
        if not (gaps or facts):
            return
        try:
            with self._database.write() as tx:
                self._ledger.append(tx, [*gaps, *facts], actor=ACTOR)
                if closing:
                    self._open.remove(tx, closing)
        except LadingError:
            self._gaps = gaps + self._gaps
            raise

    def _wait_for_lines(self, seconds: float) -> None:
        """Until the next append is due: early when a container's share is full, but not all the time."""
        self._stopping.wait(min(_LEAST_FLUSH_SECONDS, seconds))
        if not self._stopping.is_set():
            self._intake.wait_full(max(0.0, seconds - _LEAST_FLUSH_SECONDS))

    def _run(self, name: str, step: Callable[[], None], wait: Callable[[], object]) -> None:
        def loop() -> None:
            failing = False
            while not self._stopping.is_set():
                try:
                    step()
                    failing = False
                except Exception as error:  # noqa: BLE001 - whatever one step meets, collecting goes on
                    if not failing:
                        log.error(
                            "a step of collecting failed; it is tried again", extra={"step": name, "reason": str(error)}
                        )
                    failing = True
                wait()

        thread = threading.Thread(target=loop, name=f"collect-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()
