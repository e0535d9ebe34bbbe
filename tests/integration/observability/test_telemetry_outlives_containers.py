"""Collecting from a real engine: what a container wrote and used stays when it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import docker
import pytest

from busybox_image import busybox_image
from lading.facts import Ledger
from lading.facts.kinds.observability import TelemetryClosed
from lading.observability.collect import Collector
from lading.observability.collect.docker_source import DockerTelemetrySource
from lading.observability.query import Telemetry
from lading.observability.store.parquet import ParquetTelemetryReader, ParquetTelemetryStore
from lading.state import Database, metadata

pytestmark = pytest.mark.docker
LABEL = "test.telemetry"


class Site:
    """An engine, a collector over it, and a reader as another process would have it."""

    def __init__(self, address: str, directory: Path) -> None:
        self.address, self.directory = address, directory
        self.client = docker.DockerClient(base_url=address)
        self.image = busybox_image(self.client)
        self.database = Database(f"sqlite:///{directory / 'state.db'}")
        metadata.create_all(self.database.engine)
        self.ledger = Ledger()
        self.telemetry = Telemetry(ParquetTelemetryReader(directory / "telemetry"))
        self.begin()

    def begin(self) -> None:
        self.store = ParquetTelemetryStore(self.directory / "telemetry")
        self.source = source = DockerTelemetrySource(self.address, workload_label=LABEL)
        self.collector = Collector(
            logs=source,
            stats=source,
            store=self.store,
            database=self.database,
            ledger=self.ledger,
            sample_seconds=0.5,
            flush_seconds=0.5,
        )
        self.collector.start()

    def end(self) -> None:
        self.collector.stop()
        self.store.close()
        self.source.close()

    def run(self, script: str, **options: Any) -> Any:
        return self.client.containers.run(
            self.image, ["/bin/sh", "-c", script], detach=True, labels={LABEL: "shop/web"}, **options
        )

    def closed(self) -> list[TelemetryClosed]:
        with self.database.read() as tx:
            return [entry.fact for entry in self.ledger.read(tx) if isinstance(entry.fact, TelemetryClosed)]

    def lines(self, **asked: Any) -> list[str]:
        return [row.line for row in self.telemetry.logs("shop/web", limit=10_000, **asked)]


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to hold")


@pytest.fixture
def site(docker_engine: str, tmp_path: Path) -> Iterator[Site]:
    made = Site(docker_engine, tmp_path)
    yield made
    made.end()
    for container in made.client.containers.list(all=True, filters={"label": LABEL}):
        container.remove(force=True)
    made.client.close()
    made.database.close()


def test_logs_and_figures_survive_the_container(site: Site) -> None:
    container = site.run("echo first; echo oops >&2; sleep 2; i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done")
    container.wait()
    kept = site.collector.drain(container.id)
    container.remove()
    assert kept.log_lines == 5_002
    assert site.lines(newest=False)[:2] in (["first", "oops"], ["oops", "first"])
    assert site.lines()[-1] == "4999"
    assert site.lines(grep="oops") == ["oops"]
    rows = site.telemetry.metrics("shop/web", step=timedelta(seconds=1))
    assert any(row.memory_mb for row in rows)
    assert [(one.container, one.log_lines, one.lost_lines) for one in site.closed()] == [(container.id, 5_002, 0)]


def test_a_container_removed_by_somebody_else_is_closed_with_its_lines(site: Site) -> None:
    container = site.run("echo one; echo two; sleep 600")
    eventually(lambda: site.lines() == ["one", "two"])
    container.remove(force=True)
    eventually(lambda: [one.log_lines for one in site.closed()] == [2])


def test_a_collector_that_begins_again_neither_loses_nor_repeats(site: Site) -> None:
    container = site.run("i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); [ $((i % 10)) = 0 ] && sleep 0.05; done")
    eventually(lambda: len(site.lines()) > 20)
    site.end()
    site.begin()
    container.wait()
    site.collector.drain(container.id)
    assert site.lines() == [str(number) for number in range(300)]


def test_a_restarted_container_goes_on_in_one_log(site: Site) -> None:
    container = site.run("echo begun; sleep 600")
    eventually(lambda: site.lines() == ["begun"])
    container.restart(timeout=0)
    eventually(lambda: site.lines() == ["begun", "begun"])


def test_a_flooding_container_does_not_keep_a_quiet_one_waiting(site: Site) -> None:
    site.run("while :; do echo ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff; done")
    time.sleep(1)
    site.run("echo quiet; sleep 600", name="telemetry-quiet")
    eventually(lambda: [row.line for row in site.telemetry.logs("telemetry-quiet")] == ["quiet"])
    assert site.collector.held_bytes() < 100 << 20
