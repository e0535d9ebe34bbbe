"""The contract of LogSource and StatsSource, run over every adapter."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Protocol

import docker
import pytest
from docker.errors import NotFound

from busybox_image import busybox_image
from lading.observability.collect.docker_source import DockerTelemetrySource
from lading.observability.collect.memory_source import MemoryEngine
from lading.observability.collect.sources import RawLine, Usage, Watched
from lading.observability.errors import SourceGone, SourceUnavailable


class Stage(Protocol):
    """An engine with a container that wrote one, two (stdout) and bad (stderr), and goes on running."""

    source: DockerTelemetrySource | MemoryEngine
    container: str

    def stop(self) -> None: ...

    def remove(self) -> None: ...

    def end(self) -> None: ...


class _Memory:
    def __init__(self) -> None:
        self.source = MemoryEngine()
        self.container = "c" * 64
        self.source.start(Watched(self.container, "shop-web-1", "shop/web", "shop", True))
        self.source.write(self.container, *(RawLine(s, n, t) for n, (s, t) in enumerate(_WRITTEN, 1_000_000)))
        self.source.use(self.container, Usage(cpu_seconds_total=0.5, memory_bytes=1000, pids=1, restarts=0))

    def stop(self) -> None:
        self.source.stop(self.container)

    def remove(self) -> None:
        self.source.remove(self.container)

    def end(self) -> None:
        self.source.set_alive(False)


class _Docker:
    def __init__(self, address: str) -> None:
        self._client = docker.DockerClient(base_url=address)
        label = f"test.{uuid.uuid4().hex}"
        self._made = self._client.containers.run(
            busybox_image(self._client),
            ["/bin/sh", "-c", "echo one; echo bad >&2; echo two; exec sleep 600"],
            detach=True,
            labels={label: "shop/web"},
        )
        self.container = self._made.id
        self.source = DockerTelemetrySource(address, workload_label=label)

    def stop(self) -> None:
        self._made.kill()

    def remove(self) -> None:
        with contextlib.suppress(NotFound):  # a test may have removed it already
            self._made.remove(force=True)

    def end(self) -> None:
        self.remove()
        self.source.close()
        self._client.close()


_WRITTEN = (("stdout", "one"), ("stderr", "bad"), ("stdout", "two"))


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.docker)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    made: Stage = _Memory() if request.param == "memory" else _Docker(request.getfixturevalue("docker_engine"))
    yield made
    made.end()


def _first_lines(stage: Stage, since: int = 0) -> list[RawLine]:
    found: list[RawLine] = []
    stream = stage.source.follow(stage.container, since)
    for batch in stream:
        found += batch
        if len(found) >= len(_WRITTEN):
            break
    stream.close()
    return found


def test_containers_are_listed_with_what_they_belong_to(stage: Stage) -> None:
    (watched,) = stage.source.containers()
    assert (watched.id, watched.workload, watched.application) == (stage.container, "shop/web", "shop")
    assert watched.running


def test_a_stopped_container_is_still_listed(stage: Stage) -> None:
    stage.stop()
    (watched,) = stage.source.containers()
    assert not watched.running


def test_lines_of_both_streams_come_in_the_order_of_each(stage: Stage) -> None:
    lines = _first_lines(stage)
    assert [one.text for one in lines if one.stream == "stdout"] == ["one", "two"]
    assert [one.text for one in lines if one.stream == "stderr"] == ["bad"]


def test_reading_from_a_moment_gives_that_moment_again(stage: Stage) -> None:
    lines = _first_lines(stage)
    youngest = max(one.at for one in lines)
    stage.stop()
    again = [one for batch in stage.source.follow(stage.container, youngest) for one in batch]
    assert [one.at for one in again] == [youngest]


def test_the_stream_ends_after_the_last_line_when_the_container_stops(stage: Stage) -> None:
    _first_lines(stage)
    stage.stop()
    lines = [one for batch in stage.source.follow(stage.container, 0) for one in batch]
    assert len(lines) == len(_WRITTEN)


def test_a_follower_is_released_when_the_container_is_removed(stage: Stage) -> None:
    stream = stage.source.follow(stage.container, 0)
    ended = threading.Event()

    def read() -> None:
        for _batch in stream:
            pass
        ended.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    stage.remove()
    assert ended.wait(20)
    reader.join()


def test_closing_ends_the_iteration_from_another_thread(stage: Stage) -> None:
    stream = stage.source.follow(stage.container, 0)
    threading.Timer(0.3, stream.close).start()
    assert sum(len(batch) for batch in stream) <= len(_WRITTEN)


def test_usage_is_known_while_it_runs(stage: Stage) -> None:
    for _ in range(50):
        usage = stage.source.usage(stage.container)
        if usage.memory_bytes and usage.pids:
            break
        time.sleep(0.1)
    assert usage.memory_bytes
    assert usage.pids == 1
    assert usage.restarts == 0


def test_an_unknown_container_is_gone(stage: Stage) -> None:
    with pytest.raises(SourceGone):
        stage.source.follow("0" * 64, 0)
    with pytest.raises(SourceGone):
        stage.source.usage("0" * 64)


def test_a_dead_engine_is_unavailable() -> None:
    engine = MemoryEngine()
    engine.set_alive(False)
    with pytest.raises(SourceUnavailable):
        engine.containers()
    with pytest.raises(SourceUnavailable, match="does not answer"):
        DockerTelemetrySource("unix:///nonexistent/docker.sock")
