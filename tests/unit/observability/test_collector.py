"""Collecting, step by step, on an engine in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lading.facts import Fact, Ledger
from lading.facts.kinds.observability import TelemetryClosed, TelemetryGap
from lading.kernel.clock import ManualClock
from lading.observability.collect import Collector, RawLine, Usage, Watched
from lading.observability.collect.memory_source import MemoryEngine
from lading.observability.errors import StoreUnavailable
from lading.observability.store import LogLine, LogQuery, Sample, SampleQuery
from lading.observability.store.memory import MemoryTelemetryStore
from lading.state import Database, metadata

WEB = Watched("a" * 64, "shop-web-1", "shop/web", "shop", True)


class FullDisk(MemoryTelemetryStore):
    """A store that refuses until there is space."""

    full = True

    def append(self, lines: list[LogLine], samples: list[Sample]) -> None:  # type: ignore[override]
        if self.full:
            raise StoreUnavailable("The disk is full.")
        super().append(lines, samples)


class Stage:
    def __init__(self, database: Database, ledger: Ledger, clock: ManualClock) -> None:
        self.engine = MemoryEngine()
        self.store = MemoryTelemetryStore()
        self.database, self.ledger, self.clock = database, ledger, clock
        self.collectors: list[Collector] = []

    def collector(self) -> Collector:
        made = Collector(
            logs=self.engine,
            stats=self.engine,
            store=self.store,
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
        )
        self.collectors.append(made)
        return made

    def write(self, *texts: str, at: int = 1_000_000) -> None:
        self.engine.write(WEB.id, *(RawLine("stdout", at + n, text) for n, text in enumerate(texts)))

    def lines(self) -> list[str]:
        return [one.line for one in self.store.logs(LogQuery())]

    def facts(self) -> list[Fact]:
        with self.database.read() as tx:
            return [entry.fact for entry in self.ledger.read(tx)]

    def flushed(self, collector: Collector, count: int) -> list[str]:
        eventually(lambda: (collector.flush(), len(self.lines()) >= count)[1])
        return self.lines()


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if holds():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come to hold")


@pytest.fixture
def stage(database: Database, ledger: Ledger, clock: ManualClock) -> Iterator[Stage]:
    made = Stage(database, ledger, clock)
    made.engine.start(WEB)
    yield made
    for collector in made.collectors:
        collector.stop()


def test_lines_reach_the_store(stage: Stage) -> None:
    collector = stage.collector()
    collector.look()
    stage.write("one", "two")
    assert stage.flushed(collector, 2) == ["one", "two"]


def test_a_container_that_was_drained_is_closed_with_what_is_kept(stage: Stage) -> None:
    collector = stage.collector()
    collector.look()
    stage.write("one", "last words")
    collector.sample()
    stage.engine.stop(WEB.id)
    kept = collector.drain(WEB.id)
    assert (kept.log_lines, kept.log_bytes, kept.samples, kept.lost_lines) == (2, 13, 1, 0)
    stage.engine.remove(WEB.id)
    collector.look()
    closed = TelemetryClosed(container=WEB.id, workload="shop/web", log_lines=2, log_bytes=13, samples=1, lost_lines=0)
    assert stage.facts() == [closed]
    assert stage.lines() == ["one", "last words"]


def test_draining_a_container_nobody_looked_at_yet_keeps_its_lines(stage: Stage) -> None:
    stage.write("short life")
    stage.engine.stop(WEB.id)
    assert stage.collector().drain(WEB.id).log_lines == 1


def test_draining_twice_says_the_same(stage: Stage) -> None:
    collector = stage.collector()
    stage.write("x")
    stage.engine.stop(WEB.id)
    assert collector.drain(WEB.id) == collector.drain(WEB.id)
    assert len(stage.facts()) == 1


def test_a_container_removed_without_a_word_is_closed(stage: Stage) -> None:
    collector = stage.collector()
    collector.look()
    stage.write("one")
    stage.flushed(collector, 1)
    stage.engine.remove(WEB.id)
    collector.look()
    (closed,) = stage.facts()
    assert isinstance(closed, TelemetryClosed)
    assert closed.log_lines == 1


@pytest.mark.parametrize("flushed", [0, 3, 10])
def test_a_killed_collector_is_followed_by_one_that_loses_and_repeats_nothing(stage: Stage, flushed: int) -> None:
    texts = [str(n) for n in range(10)]
    first = stage.collector()
    first.look()
    if flushed:
        stage.write(*texts[:flushed])
        stage.flushed(first, flushed)
    stage.write(*texts[flushed:], at=1_000_000 + flushed)
    # `first` is not stopped: what it read and did not append is gone with it, as with kill -9.
    second = stage.collector()
    second.look()
    assert stage.flushed(second, 10) == texts


def test_a_container_that_vanished_while_no_collector_ran_is_a_gap_and_is_closed(stage: Stage) -> None:
    first = stage.collector()
    first.look()
    stage.write("one")
    stage.flushed(first, 1)
    stage.engine.remove(WEB.id)
    stage.collector().look()
    gap, closed = stage.facts()
    assert isinstance(gap, TelemetryGap)
    assert "while no collector ran" in gap.reason
    assert isinstance(closed, TelemetryClosed)
    assert closed.log_lines == 1


def test_a_restarted_container_is_read_on(stage: Stage) -> None:
    collector = stage.collector()
    collector.look()
    stage.write("before")
    stage.engine.stop(WEB.id)
    stage.flushed(collector, 1)
    stage.engine.start(WEB)
    stage.write("after", at=2_000_000)
    stage.clock.advance(timedelta(seconds=10))
    eventually(lambda: (collector.look(), collector.flush(), len(stage.lines()) == 2)[2])
    assert stage.lines() == ["before", "after"]


def test_an_engine_that_died_and_came_back_is_read_on_and_the_missing_samples_are_a_gap(stage: Stage) -> None:
    collector = stage.collector()
    collector.look()
    stage.write("before")
    stage.flushed(collector, 1)
    stage.engine.set_alive(False)
    collector.look()
    collector.sample()
    stage.clock.advance(timedelta(seconds=30))
    stage.engine.set_alive(True)
    stage.write("after", at=2_000_000)
    eventually(lambda: (collector.look(), collector.flush(), len(stage.lines()) == 2)[2])
    collector.sample()
    collector.look()
    (gap,) = stage.facts()
    assert isinstance(gap, TelemetryGap)
    assert (gap.stream, gap.since, gap.until) == (
        "samples",
        "2026-01-01T00:00:00.000000Z",
        "2026-01-01T00:00:30.000000Z",
    )


def test_a_full_disk_loses_nothing_once_there_is_space(stage: Stage) -> None:
    stage.store = store = FullDisk()
    collector = stage.collector()
    collector.look()
    stage.write("one", "two")
    eventually(lambda: _refuses(collector))
    store.full = False
    assert stage.flushed(collector, 2) == ["one", "two"]


def _refuses(collector: Collector) -> bool:
    try:
        collector.flush()
    except StoreUnavailable:
        return True
    return False


def test_cpu_is_the_share_since_the_sample_before(stage: Stage) -> None:
    collector = stage.collector()
    collector.look()
    for total in (1.0, 2.0, 0.5):
        stage.engine.use(WEB.id, Usage(cpu_seconds_total=total))
        collector.sample()
        stage.clock.advance(timedelta(seconds=4))
    collector.flush()
    found = [one.cpu_percent for one in stage.store.samples(SampleQuery())]
    assert found == [None, 25.0, None]


def test_threads_collect_and_stop_and_collect_again(stage: Stage, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    metadata.create_all(database.engine)
    collector = Collector(
        logs=stage.engine,
        stats=stage.engine,
        store=stage.store,
        database=database,
        ledger=stage.ledger,
        flush_seconds=0.05,
    )
    collector.start()
    now = int(time.time()) * 1_000_000
    stage.write("seen", at=now)
    eventually(lambda: stage.lines() == ["seen"])
    collector.stop()
    stage.write("and again", at=now + 5)
    collector.start()
    eventually(lambda: stage.lines() == ["seen", "and again"])
    collector.stop()
    database.close()
