"""Telemetry put together: where it is read and where it is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lading.observability.collect.collector import Collector
from lading.observability.collect.docker_source import DockerTelemetrySource
from lading.observability.store.parquet import ParquetTelemetryStore

if TYPE_CHECKING:
    from lading.wiring import Wiring


def open_collector(wiring: Wiring, engine: str, directory: Path) -> Collector:
    """The collector of what runs on the engine at an address."""
    settings = wiring.settings
    source = DockerTelemetrySource(engine)
    store = ParquetTelemetryStore(
        directory,
        keep=timedelta(days=settings.telemetry_days),
        most_bytes=settings.telemetry_megabytes * 1_000_000,
    )
    return Collector(
        logs=source,
        stats=source,
        store=store,
        database=wiring.database,
        ledger=wiring.ledger,
        clock=wiring.clock,
        sample_seconds=settings.sample_seconds,
    )
