"""What people ask of the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lading.kernel.errors import InvalidInput
from lading.observability.collect.docker_source import read_usage
from lading.observability.collect.sources import Usage
from lading.observability.query import Telemetry
from lading.observability.store import LogLine, Sample
from lading.observability.store.memory import MemoryTelemetryStore

START = datetime(2026, 1, 1, tzinfo=UTC)
AT = int(START.timestamp()) * 1_000_000


def sample(second: float, container: str = "a" * 64, **values: object) -> Sample:
    base = Sample(container, "shop-web-1", "shop/web", "shop", AT + int(second * 1_000_000))
    return base._replace(**values)


def test_rates_come_from_the_counters_between_steps() -> None:
    store = MemoryTelemetryStore()
    counters = [(0, 10.0, 0), (1, 10.1, 1_000), (10, 15.0, 100_000), (19, 15.0, 100_000)]
    store.append([], [sample(s, cpu_seconds_total=cpu, rx_bytes=rx, cpu_percent=1.0) for s, cpu, rx in counters])
    rows = Telemetry(store).metrics("shop/web", step=timedelta(seconds=10))
    assert [(row.at, row.cpu_percent, row.rx_kb_s) for row in rows] == [
        ("2026-01-01T00:00:00.000000Z", 1.0, None),
        ("2026-01-01T00:00:10.000000Z", 27.22, 5.5),
    ]


def test_a_counter_that_began_anew_gives_no_negative_rate() -> None:
    store = MemoryTelemetryStore()
    store.append([], [sample(0, rx_bytes=900, cpu_seconds_total=9.0), sample(30, rx_bytes=5, cpu_seconds_total=1.0)])
    last = Telemetry(store).metrics("shop")[-1]
    assert (last.rx_kb_s, last.cpu_percent) == (None, None)


def test_what_nobody_knows_is_none() -> None:
    store = MemoryTelemetryStore()
    store.append([], [sample(0)])
    (row,) = Telemetry(store).metrics("shop")
    assert (row.memory_mb, row.rx_kb_s, row.pids, row.restarts) == (None, None, None, None)


def test_a_summary_of_what_is_long_gone_has_its_last_figures() -> None:
    store = MemoryTelemetryStore()
    store.append(
        [LogLine("a" * 64, "shop-web-1", "shop/web", "shop", "stderr", AT, 0, "last words")],
        [sample(0, memory_bytes=5_000_000, restarts=2), sample(0, "b" * 64, restarts=1)],
    )
    summary = Telemetry(store).summary("shop/web", now=START + timedelta(days=3))
    assert [row.line for row in summary.logs] == ["last words"]
    assert [row.memory_mb for row in summary.metrics] == [5.0, None]
    assert summary.restarts == 3


def test_a_summary_of_nothing_is_empty() -> None:
    summary = Telemetry(MemoryTelemetryStore()).summary("shop/none", now=START)
    assert (summary.logs, summary.metrics, summary.restarts) == ([], [], None)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_senseless_limit_is_refused(limit: int) -> None:
    with pytest.raises(InvalidInput):
        Telemetry(MemoryTelemetryStore()).logs(limit=limit)


def test_a_step_below_a_second_is_refused() -> None:
    with pytest.raises(InvalidInput):
        Telemetry(MemoryTelemetryStore()).metrics(step=timedelta(milliseconds=1))


def test_docker_figures_are_read_as_docker_shows_them() -> None:
    stats = {
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
        "memory_stats": {"usage": 1000, "limit": 5000, "stats": {"total_inactive_file": 300}},
        "networks": {"eth0": {"rx_bytes": 5, "tx_bytes": 6}, "eth1": {"rx_bytes": 1, "tx_bytes": 1}},
        "pids_stats": {"current": 3},
    }
    assert read_usage(stats) == Usage(2.5, 700, 5000, 6, 7, 3)


@pytest.mark.parametrize(
    "stats",
    [
        {},
        {"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}, "pids_stats": {}, "networks": None},
        {"cpu_stats": None, "memory_stats": None, "pids_stats": None},
    ],
)
def test_the_zeros_of_a_dead_container_are_no_figures(stats: dict[str, object]) -> None:
    assert read_usage(stats) == Usage()
