"""The contract of ContainerControl, run over every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from busybox_image import busybox_image
from lading.runtime_security.docker_engine import DockerContainers
from lading.runtime_security.errors import ResponseFailed
from lading.runtime_security.respond import ContainerControl
from lading.runtime_security.respond.control import MemoryControl


class Stage:
    """A control and the container that it is tried on; `state` tells what became of it, where there is a real one."""

    def __init__(self, control: ContainerControl, container: str, made: Any = None) -> None:
        self.control, self.container, self.made = control, container, made

    def state(self) -> str | None:
        if self.made is None:
            return None
        self.made.reload()
        return str(self.made.status)

    def networks(self) -> list[str]:
        if self.made is None:
            return []
        self.made.reload()
        return list(self.made.attrs["NetworkSettings"]["Networks"])


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.docker)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    if request.param == "memory":
        yield Stage(MemoryControl("a" * 64), "a" * 64)
        return
    address = request.getfixturevalue("docker_engine")
    client = docker.DockerClient(base_url=address)
    made = client.containers.run(
        busybox_image(client), ["/bin/sleep", "600"], detach=True, restart_policy={"Name": "always"}
    )
    control = DockerContainers(address)
    yield Stage(control, made.id, made)
    made.remove(force=True)
    control.close()
    client.close()


def test_pausing_stops_every_process(stage: Stage) -> None:
    stage.control.pause(stage.container)
    assert stage.state() in ("paused", None)


def test_killing_ends_it_and_it_does_not_start_again(stage: Stage) -> None:
    stage.control.kill(stage.container)
    if stage.made is not None:
        stage.made.wait()
    assert stage.state() in ("exited", None)


def test_isolating_takes_it_off_its_networks_and_says_which(stage: Stage) -> None:
    assert stage.control.isolate(stage.container) == ["bridge"]
    assert stage.networks() == []


@pytest.mark.parametrize("action", ["pause", "isolate", "kill"])
def test_a_container_that_is_gone_is_a_failed_response(stage: Stage, action: str) -> None:
    with pytest.raises(ResponseFailed):
        getattr(stage.control, action)("0" * 64)
