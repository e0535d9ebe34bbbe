"""The engine of our own: started once, found again, stopped exactly, whatever was killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import psutil
import pytest

from busybox_image import busybox_image
from lading.orchestration.engines.docker.detect import ask, find_engine
from lading.orchestration.engines.docker.install import is_installed
from lading.orchestration.engines.docker.private import PrivateEngine
from lading.orchestration.errors import EngineUnavailable

pytestmark = pytest.mark.docker


def say(_text: str) -> None:
    return None


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[PrivateEngine]:
    if os.geteuid() != 0 or not is_installed():
        pytest.skip("no root or no dockerd; scripts/install_test_tools.sh installs it")
    made = PrivateEngine(tmp_path / "e")
    yield made
    made.remove(say)


def pid_of(engine: PrivateEngine) -> int:
    return int((engine.directory / "dockerd.pid").read_text())


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_two_callers_at_once_start_one_engine_and_find_it_again(engine: PrivateEngine) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: PrivateEngine(engine.directory).ensure(say), range(2)))
    assert found[0] == found[1]
    first = pid_of(engine)
    assert PrivateEngine(engine.directory).ensure(say).address == engine.address
    assert pid_of(engine) == first


def test_it_stops_with_its_bridge_and_leaves_others_alone(engine: PrivateEngine, docker_engine: str) -> None:
    engine.ensure(say)
    pid = pid_of(engine)
    assert Path(f"/sys/class/net/{engine.bridge}").exists()
    engine.stop(say)
    engine.stop(say)
    assert not lives(pid)
    assert not Path(f"/sys/class/net/{engine.bridge}").exists()
    assert ask(docker_engine) is not None


def test_it_leaves_no_bridge_and_no_firewall_rule(engine: PrivateEngine) -> None:
    engine.ensure(say)
    client = docker.DockerClient(base_url=engine.address, version="auto")
    network = client.networks.create("left-over")
    client.close()
    bridge = f"br-{network.id[:12]}"
    assert Path(f"/sys/class/net/{bridge}").exists()
    engine.stop(say)
    rules = "".join(
        subprocess.run(["iptables", "-t", table, "-S"], capture_output=True, text=True, check=True).stdout
        for table in ("filter", "nat")
    )
    assert not Path(f"/sys/class/net/{bridge}").exists()
    assert [line for line in rules.splitlines() if bridge in line or engine.bridge in line] == []


def test_killed_it_starts_again_and_keeps_its_images(engine: PrivateEngine) -> None:
    engine.ensure(say)
    client = docker.DockerClient(base_url=engine.address, version="auto")
    tag = busybox_image(client)
    client.close()
    os.kill(pid_of(engine), signal.SIGKILL)
    engine.ensure(say)
    client = docker.DockerClient(base_url=engine.address, version="auto")
    assert client.images.get(tag)
    client.close()


def test_stopping_after_a_kill_leaves_no_container_running(engine: PrivateEngine) -> None:
    engine.ensure(say)
    client = docker.DockerClient(base_url=engine.address, version="auto")
    mark = f"9{os.getpid()}"
    client.containers.run(busybox_image(client), ["sleep", mark], detach=True)
    client.close()
    os.kill(pid_of(engine), signal.SIGKILL)
    engine.stop(say)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line for line in listed if line == f"sleep {mark}" or str(engine.directory / "exec") in line] == []
    assert str(engine.directory) not in Path("/proc/mounts").read_text()


def test_another_program_with_the_recorded_pid_is_not_touched(engine: PrivateEngine) -> None:
    engine.directory.mkdir()
    other = subprocess.Popen(["sleep", "60"])
    try:
        (engine.directory / "dockerd.pid").write_text(str(other.pid))
        assert not engine.is_running()
        engine.stop(say)
        assert other.poll() is None
    finally:
        other.terminate()
        other.wait()


def test_an_engine_that_does_not_come_up_shows_the_end_of_its_log(engine: PrivateEngine) -> None:
    engine.directory.mkdir()
    (engine.directory / "data").write_text("a file where a directory must be")
    with pytest.raises(EngineUnavailable, match="did not come up") as caught:
        engine.ensure(say)
    assert caught.value.details
    assert not engine.is_running()


def test_an_address_where_nobody_listens_is_no_engine(tmp_path: Path) -> None:
    assert find_engine(f"unix://{tmp_path}/none.sock") is None
