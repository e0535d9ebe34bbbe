"""Rollouts on a real engine behind a real ingress."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lading.facts import Ledger
from lading.orchestration.engines.docker.engine import DockerEngine
from lading.orchestration.ingress.caddy import CaddyIngress
from lading.orchestration.rollout.deployments import Deployments
from lading.orchestration.workload.spec import Application, Health, Port, WorkloadSpec
from lading.state import Database

pytestmark = pytest.mark.docker


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def web(image: str, port: int, *, broken: bool = False) -> Application:
    command = ("/bin/sleep", "600") if broken else ("/bin/httpd", "-f", "-p", "8080", "-h", "/www")
    spec = WorkloadSpec(
        application="rolltest",
        service="web",
        team="shop",
        image=image,
        command=command,
        ports=(Port(container_port=8080, host_port=port),),
        health=Health(test=("CMD", "/bin/wget", "-q", "-O", "-", "http://127.0.0.1:8080/"), interval=0.5, retries=3),
    )
    return Application(name="rolltest", team="shop", environment="production", workloads=(spec,))


@pytest.fixture
def deployments(engine: DockerEngine, tmp_path: Path, database: Database) -> Iterator[Deployments]:
    ingress = CaddyIngress(tmp_path / "ingress", tmp_path / "tools")
    made = Deployments(database, Ledger(), engine, ingress, health_seconds=30)
    yield made
    if made.applications():
        made.remove("rolltest", why="test ended", actor="system:test", say=lambda _text: None)
    ingress.stop(lambda _text: None)


class Load:
    """Requests one after the other from a thread, and what came back."""

    def __init__(self, port: int) -> None:
        self.answers: list[str] = []
        self.failures: list[str] = []
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.answers.append(ask(self._port))
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(repr(error))
            time.sleep(0.01)


def ask(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/index.html")
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()
    finally:
        connection.close()


def test_a_second_version_replaces_the_first_without_a_failed_request_and_a_broken_third_is_rolled_back(
    deployments: Deployments, web_images: dict[str, str]
) -> None:
    port = free_port()

    def deploy(application: Application) -> str:
        return deployments.deploy(application, source="", cause="test", actor="person:test", say=print).outcome

    assert deploy(web(web_images["one"], port)) == "succeeded"
    assert ask(port) == "one"

    with Load(port) as load:
        assert deploy(web(web_images["two"], port)) == "succeeded"
        assert deploy(web(web_images["broken"], port, broken=True)) == "rolled-back"
        time.sleep(0.3)

    assert load.failures == []
    assert set(load.answers) == {"one", "two"}
    assert load.answers[-1] == "two"
    assert deployments.application("rolltest")[0].workloads[0].image == web_images["two"]
    assert deployments.plan(web(web_images["two"], port)).is_empty


def test_containers_are_hardened_by_default(
    deployments: Deployments, web_images: dict[str, str], docker_engine: str
) -> None:
    import docker

    deployments.deploy(web(web_images["one"], free_port()), source="", cause="test", actor="person:test", say=print)
    client = docker.DockerClient(base_url=docker_engine, version="auto")
    (row,) = deployments.containers()
    container = client.containers.get(row.id)
    host = container.attrs["HostConfig"]
    status = Path(f"/proc/{container.attrs['State']['Pid']}/status").read_text()
    client.close()

    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert (host["Memory"], host["PidsLimit"]) == (512 << 20, 256)
    assert container.attrs["Config"]["User"] == "65532:65532"
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_what_was_killed_from_outside_is_made_so_again(
    deployments: Deployments, web_images: dict[str, str], engine: DockerEngine
) -> None:
    port = free_port()
    deployments.deploy(web(web_images["one"], port), source="", cause="test", actor="person:test", say=print)
    (row,) = deployments.containers()
    engine.remove(row.name)

    outcome = deployments.reconcile("rolltest", print)

    assert outcome.outcome == "succeeded"
    assert ask(port) == "one"


def test_more_replicas_are_added_without_replacing_the_first(
    deployments: Deployments, web_images: dict[str, str]
) -> None:
    port = free_port()
    one = web(web_images["one"], port)
    deployments.deploy(one, source="", cause="test", actor="person:test", say=print)
    (first,) = deployments.containers()

    three = msgspec.structs.replace(one, workloads=(msgspec.structs.replace(one.workloads[0], replicas=3),))
    deployments.deploy(three, source="", cause="test", actor="person:test", say=print)

    running = {row.id for row in deployments.containers()}
    assert len(running) == 3
    assert first.id in running
