"""A real server: the process tree of `lading up` on a data directory and ports of its own, over a real engine."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from busybox_image import BUSYBOX
from integration.conftest import docker_engine
from lading.entrypoints.cli.client import ApiClient, ServerSaid
from lading.identity.token import new_token
from lading.supply_chain.build.context import pack_directory


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`lading up`, as a process that can be killed."""

    def __init__(self, home: Path, engine: str) -> None:
        self.home = home
        self.engine = engine
        self.token = new_token()
        token_file = home / "token"
        token_file.write_text(self.token + "\n")
        token_file.chmod(0o600)
        self.push, self.pull, api = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.api = f"http://{api}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_COLOR": "1",
            "LADING_DATA": str(home / "data"),
            "LADING_PUSH_ADDR": self.push,
            "LADING_PULL_ADDR": self.pull,
            "LADING_API_ADDR": api,
            "LADING_API": self.api,
            "LADING_ENGINE": engine,
            "LADING_ADMIN_TOKEN_FILE": str(token_file),
            "LADING_TOKEN": self.token,
            "LADING_ROLLOUT_SECONDS": "20",
            "LADING_MIN_FREE_MEGABYTES": "10",
        }
        self.client = ApiClient(self.api, self.token)
        self.log = home / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lading.entrypoints.cli.main", "up"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        ready = self.home / "data" / "run" / "ready"
        deadline = time.monotonic() + 90
        while not ready.exists():
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 of the supervisor; its children die with it."""
        assert self._process is not None
        (self.home / "data" / "run" / "ready").unlink(missing_ok=True)
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None
        time.sleep(0.2)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a person would."""
        command = [sys.executable, "-m", "lading.entrypoints.cli.main", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=180, check=False)

    def docker(self, *arguments: str, secret: str = "") -> subprocess.CompletedProcess[str]:
        """Run an ordinary Docker client with a configuration of its own."""
        configuration = self.home / "docker"
        configuration.mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "DOCKER_CONFIG": str(configuration),
                       "DOCKER_HOST": self.engine}  # fmt: skip
        return subprocess.run(
            ["/usr/bin/docker", *arguments], env=environment, input=secret, capture_output=True, text=True, timeout=180,
            check=False,
        )  # fmt: skip

    def submit(self, directory: Path, team: str = "shop") -> str:
        """Upload a source and submit its ship; returns the job."""
        with pack_directory(directory) as archive:
            source = self.client.upload("/api/v1/sources", archive.chunks(), "application/x-tar")
        body = {"source": source["digest"], "name": directory.name, "team": team}
        return str(self.client.post("/api/v1/ships", body)["id"])

    def ship(self, directory: Path) -> dict[str, Any]:
        """Ship and wait; raises ServerSaid when it fails."""
        return self.wait(self.submit(directory))

    def wait(self, job: str) -> dict[str, Any]:
        for _event in self.client.follow(job):
            pass
        ended = self.client.get(f"/api/v1/jobs/{job}")
        if ended["error"]:
            raise ServerSaid(ended["error"])
        return dict(ended["result"])


def busybox_archive(files: dict[str, bytes]) -> bytes:
    """A root file system as a tar: busybox, a few links, and `files`."""
    archive = io.BytesIO()
    everything = {
        "bin/busybox": BUSYBOX.read_bytes(),
        "etc/passwd": b"app:x:10001:10001::/:/bin/sh\n",
        "etc/os-release": b'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
        "var/lib/dpkg/status": (
            b"Package: busybox-static\nStatus: install ok installed\nArchitecture: amd64\n"
            b"Version: 1:1.35.0-4+deb12u1\nSource: busybox\nDescription: tools\n\n"
        ),
    } | files
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in everything.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
            tar.addfile(info, io.BytesIO(content))
        for link in ("sh", "httpd", "wget", "sleep", "cat", "echo", "id"):
            info = tarfile.TarInfo(f"bin/{link}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)
    return archive.getvalue()


@pytest.fixture(scope="module")
def server(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with teams `platform` and `shop` and an approved base `base/busybox:1`."""
    import docker

    made = Server(tmp_path_factory.mktemp("lading"), docker_engine)
    made.start()
    for team in ("platform", "shop"):
        made.client.post("/api/v1/teams", {"team": team})
    robot = made.client.post("/api/v1/teams/platform/robots", {"name": "ci"})["token"]
    engine = docker.DockerClient(base_url=docker_engine, version="auto")
    image = f"{made.push}/base/busybox"
    engine.api.import_image_from_data(busybox_archive({}), repository=image, tag="1")
    engine.close()
    assert made.docker("login", "-u", "platform/ci", "--password-stdin", made.push, secret=robot).returncode == 0
    pushed = made.docker("push", f"{image}:1")
    assert pushed.returncode == 0, pushed.stderr
    _until(lambda: _approved(made))
    yield made
    for application in made.client.get("/api/v1/applications"):
        made.wait(made.client.post(f"/api/v1/applications/{application['name']}/remove", {})["id"])
    made.client.close()
    made.stop()
    subprocess.run(
        [sys.executable, "-m", "lading.entrypoints.cli.main", "down"],
        env=made.environment,
        check=True,
        capture_output=True,
    )


def _until(check: Any, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while (found := check()) is None:
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


until = _until


def write_application(directory: Path, port: int, *, version: str, broken: bool = False, flawed: bool = False) -> Path:
    """A web application on busybox; `flawed` brings a Python package with a known flaw along."""
    directory.mkdir(exist_ok=True)
    package = "gunicorn-21.2.0" if flawed else "gunicorn-22.0.0"
    metadata = directory / "site-packages" / f"{package}.dist-info" / "METADATA"
    for old in (directory / "site-packages").glob("*/METADATA"):
        old.unlink()
    metadata.parent.mkdir(parents=True, exist_ok=True)
    name, _, number = package.rpartition("-")
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
    (directory / "index.html").write_text(json.dumps({"version": version}))
    (directory / "Dockerfile").write_text(
        "FROM base/busybox:1 AS pages\n"
        "COPY index.html /www/index.html\n"
        "FROM base/busybox:1\n"
        "COPY --from=pages /www /www\n"
        "COPY site-packages /usr/lib/python3.11/site-packages\n"
        "USER 10001:10001\n"
    )
    command = '["/bin/sleep", "600"]' if broken else '["/bin/httpd", "-f", "-v", "-p", "8080", "-h", "/www"]'
    (directory / "compose.yaml").write_text(
        f"""
name: {directory.name}
x-lading: {{team: shop}}
services:
  web:
    build: .
    command: {command}
    ports: ["127.0.0.1:{port}:8080"]
    healthcheck: {{test: ["CMD", "/bin/wget", "-q", "-O", "-", "http://127.0.0.1:8080/index.html"], interval: 1s, retries: 3}}
"""
    )
    return directory


__all__ = ["Server", "docker_engine", "free_port", "server", "until", "write_application"]


def _approved(server: Server) -> bool | None:
    state = server.client.get("/api/v1/images/base/busybox:1")
    assert state["state"] == "approved" or not state["decision"], server.client.get(
        f"/api/v1/decisions/{state['decision']}"
    )["text"]
    return state["state"] == "approved" or None
