"""What goes wrong around real containers: requests under way, taken ports, crashes, memory, writers of one volume."""

from __future__ import annotations

import contextlib
import gc
import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from lading.facts import Fact, Ledger
from lading.facts.kinds.orchestration import ContainerStarted, ContainerStopped
from lading.kernel.clock import SystemClock
from lading.orchestration.engines.docker.engine import DockerEngine
from lading.orchestration.errors import EngineUnavailable
from lading.orchestration.ingress.caddy import CaddyIngress
from lading.orchestration.ingress.ingress import IngressRoute
from lading.orchestration.rollout.deployments import Deployments, Outcome
from lading.orchestration.rollout.watcher import EngineWatcher
from lading.orchestration.workload.spec import Application, Health, Mount, Port, WorkloadSpec
from lading.state import Database, metadata

pytestmark = pytest.mark.docker


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def application(image: str, **values: object) -> Application:
    made = WorkloadSpec(
        application="faulttest", service="web", team="shop", image=image,
        command=("/bin/httpd", "-f", "-p", "8080", "-h", "/www"), stop_grace=5,
        health=Health(test=("CMD", "/bin/wget", "-q", "-O", "-", "http://127.0.0.1:8080/"), interval=0.5, retries=3),
    )  # fmt: skip
    spec = msgspec.structs.replace(made, **values)
    volumes = tuple(mount.source for mount in spec.mounts if mount.kind == "volume")
    return Application(name="faulttest", team="shop", environment="production", workloads=(spec,), volumes=volumes)


@pytest.fixture
def file_database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'state.db'}")
    metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def deployments(engine: DockerEngine, tmp_path: Path, file_database: Database) -> Iterator[Deployments]:
    ingress = CaddyIngress(tmp_path / "ingress", tmp_path / "tools")
    made = Deployments(file_database, Ledger(), engine, ingress, health_seconds=30)
    yield made
    if made.applications():
        made.remove("faulttest", why="test ended", actor="system:test", say=lambda _text: None)
    ingress.stop(lambda _text: None)


@pytest.fixture
def watching(docker_engine: str, file_database: Database) -> Iterator[None]:
    watched = DockerEngine(docker_engine)
    watcher = EngineWatcher(watched, file_database, Ledger(), [], SystemClock(), window=0.5)
    stop = threading.Event()
    thread = threading.Thread(target=watcher.run, args=(stop,), daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(15)
    assert not thread.is_alive()
    watched.close()


def deploy(deployments: Deployments, wanted: Application) -> Outcome:
    return deployments.deploy(wanted, source="", cause="test", actor="person:test", say=print)


def told(database: Database, kind: type[Fact]) -> list[Fact]:
    with database.read() as tx:
        return [entry.fact for entry in Ledger().read(tx, after=0, limit=1000) if isinstance(entry.fact, kind)]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


def get(port: int, path: str) -> str:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
    assert response.status == 200, body
    return body


class AskedBeforeTheSwitch(CaddyIngress):
    """A request of two seconds is sent just before the routes change for the second time."""

    def __init__(self, directory: Path, tools: Path, port: int) -> None:
        super().__init__(directory, tools)
        self.answers: list[str] = []
        self.asking = threading.Thread(target=lambda: self.answers.append(get(port, "/cgi-bin/slow")))
        self._applied = 0

    def apply(self, routes: Sequence[IngressRoute]) -> None:
        self._applied += 1
        if self._applied == 2:
            self.asking.start()
            time.sleep(0.5)
        super().apply(routes)


def test_a_request_under_way_is_answered_before_its_container_stops(
    engine: DockerEngine, tmp_path: Path, file_database: Database, web_images: dict[str, str]
) -> None:
    port = free_port()
    ports = (Port(container_port=8080, host_port=port),)
    ingress = AskedBeforeTheSwitch(tmp_path / "ingress", tmp_path / "tools", port)
    deployments = Deployments(file_database, Ledger(), engine, ingress, health_seconds=30)
    try:
        deploy(deployments, application(web_images["one"], ports=ports))
        outcome = deploy(deployments, application(web_images["two"], ports=ports))
        ingress.asking.join()

        assert outcome.outcome == "succeeded"
        assert ingress.answers == ["slow from one"]
        assert get(port, "/index.html") == "two"
    finally:
        deployments.remove("faulttest", why="test ended", actor="system:test", say=print)
        ingress.stop(print)


def test_a_taken_port_is_a_clear_failure_that_leaves_nothing(
    deployments: Deployments, web_images: dict[str, str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = (Port(container_port=8080, host_port=taken.getsockname()[1]),)
        outcome = deploy(deployments, application(web_images["one"], ports=ports))

    assert outcome.outcome == "rolled-back"
    assert "address already in use" in outcome.reason
    assert deployments.containers() == []
    assert deployments.applications() == []


def test_a_crash_and_the_restart_by_the_engine_become_facts_and_routes_hold(
    deployments: Deployments, web_images: dict[str, str], docker_engine: str, file_database: Database, watching: None
) -> None:
    port = free_port()
    deploy(deployments, application(web_images["one"], ports=(Port(container_port=8080, host_port=port),)))
    (row,) = deployments.containers()
    import docker

    client = docker.DockerClient(base_url=docker_engine, version="auto")
    os.kill(client.containers.get(row.id).attrs["State"]["Pid"], 9)
    until(lambda: any(getattr(fact, "restarts", 0) == 1 for fact in told(file_database, ContainerStarted)))
    client.close()

    (stopped,) = told(file_database, ContainerStopped)
    assert isinstance(stopped, ContainerStopped)
    assert (stopped.container, stopped.exit_code, stopped.expected) == (row.id, 137, False)
    deployments.restore_routes()
    assert get(port, "/index.html") == "one"


def test_a_container_that_takes_too_much_memory_is_stated_as_such(
    deployments: Deployments, web_images: dict[str, str], file_database: Database, watching: None
) -> None:
    hungry = ("/bin/sh", "-c", "sleep 4; x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done")
    deploy(deployments, application(web_images["one"], command=hungry, health=None, memory=16 << 20, restart="no"))
    until(lambda: told(file_database, ContainerStopped) != [])

    (stopped,) = told(file_database, ContainerStopped)
    assert isinstance(stopped, ContainerStopped)
    assert (stopped.out_of_memory, stopped.expected) == (True, False)


def test_every_planned_end_is_expected_although_the_engine_tells_of_it_first(
    deployments: Deployments, web_images: dict[str, str], file_database: Database, watching: None
) -> None:
    mounts = (Mount(kind="volume", source="items", target="/data"),)
    deploy(deployments, application(web_images["one"], mounts=mounts))
    broken = application(web_images["broken"], mounts=mounts, command=("/bin/sleep", "600"))
    rolled = deploy(deployments, broken)
    replaced = deploy(deployments, application(web_images["two"], mounts=mounts))

    assert (rolled.outcome, replaced.outcome) == ("rolled-back", "succeeded")
    ends = told(file_database, ContainerStopped)
    assert len(ends) == 3
    assert all(isinstance(end, ContainerStopped) and end.expected for end in ends)


def test_a_program_that_does_not_exist_is_rolled_back_with_the_reason(
    deployments: Deployments, web_images: dict[str, str]
) -> None:
    deploy(deployments, application(web_images["one"]))
    outcome = deploy(deployments, application(web_images["two"], command=("/bin/no-such-program",), init=False))

    assert outcome.outcome == "rolled-back"
    assert "no-such-program" in outcome.reason
    assert [row.state for row in deployments.containers()] == ["running"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="does not answer") as caught:
        DockerEngine(f"unix://{tmp_path}/none.sock").observe()
    assert "lading doctor" in caught.value.remedy
    del caught
    gc.collect()  # the SDK leaves the socket that it could not connect to the collector
