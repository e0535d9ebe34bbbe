"""Another registry (Debian's docker-registry) behind a proxy that makes it fail, and a whole Lading that mirrors it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.conftest import Server, free_port
from fault_proxy import RegistryProxy
from lading.kernel.digest import Digest
from lading.supply_chain.registry.manifest import OCI_INDEX, OCI_MANIFEST
from lading.supply_chain.registry.replication.remote import PushedTo

NOBODY = "unix:///nonexistent/docker.sock"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
_STATUS = b"Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\nDescription: one\n\n"


class DockerRegistry:
    """A docker-registry process over a directory."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._home = home
        (home / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {home / 'content'}}}, "
            f"delete: {{enabled: true}}}}\nhttp: {{addr: '127.0.0.1:{self.port}'}}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self._home / "config.yml")], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log,
            )  # fmt: skip
        wait_until(self._answers, 30, "docker-registry answers")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v2/", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    # Filling it

    def image(
        self, repository: str, tag: str = "", *, size: int = 20_000, user: str = "10001", machine: str = "amd64"
    ) -> Digest:
        """Push an image with a package database and a file of random bytes."""
        layer = tar({"etc/os-release": b'ID=debian\nVERSION_ID="12"\n', "var/lib/dpkg/status": _STATUS,
                     "data": os.urandom(size)})  # fmt: skip
        config = json.dumps({"architecture": machine, "os": "linux", "config": {"User": user},
                             "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(layer))]}}).encode()  # fmt: skip
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": part(CONFIG, config),
            "layers": [part(LAYER, layer)],
        }
        return self.put(repository, tag, OCI_MANIFEST, body, config, layer)

    def index(self, repository: str, tag: str, *machines: str) -> Digest:
        with self.client() as client:
            members = []
            for machine in machines:
                found = client.manifest(repository, str(self.image(repository, machine=machine)))
                platform = {"os": "linux", "architecture": machine}
                members.append(part(OCI_MANIFEST, found.body) | {"platform": platform})
        return self.put(repository, tag, OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": members})

    def put(self, repository: str, tag: str, media_type: str, body: dict[str, Any], *blobs: bytes) -> Digest:
        content = json.dumps(body).encode()
        with self.client() as client:
            for blob in blobs:
                client.put_blob(repository, Digest.of(blob), [blob])
            return client.put_manifest(repository, tag or str(Digest.of(content)), media_type, content)

    def remove(self, repository: str, digest: Digest) -> None:
        with self.client() as client:
            assert client.remove(repository, str(digest))

    def client(self) -> _Closing:
        return _Closing(self.url)


class _Closing(PushedTo):
    def __enter__(self) -> _Closing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def part(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


def tar(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class Mirrored:
    """One upstream of a Lading: its own proxy before the one docker-registry, and its own prefix."""

    def __init__(self, server: Server, origin: DockerRegistry, robot: str, name: str) -> None:
        self.server, self.origin, self.name = server, origin, name
        self.proxy = RegistryProxy(origin.url)
        self._robot = robot

    def add(self, **values: Any) -> None:
        body = {"name": self.name, "url": self.proxy.address, "team": "base", "plain": True, "freshness": 0}
        self.server.client.post("/api/v1/mirror/upstreams", body | values)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET from the pull endpoint."""
        with httpx.Client(auth=("shop/ci", self._robot), timeout=60, trust_env=False) as client:
            accept = f"{OCI_MANIFEST}, {OCI_INDEX}"
            return client.get(f"http://{self.server.pull}/v2/{self.name}/{path}", headers={"Accept": accept, **headers})

    def pull(self, reference: str, repository: str = "app") -> httpx.Response:
        return self.get(f"{repository}/manifests/{reference}")

    def hurry(self) -> None:
        """End its rest."""
        self.server.client.post(f"/api/v1/mirror/upstreams/{self.name}/sync", {})

    @property
    def status(self) -> dict[str, Any]:
        rows = self.server.client.get("/api/v1/mirror/status")
        return next(row for row in rows if row["upstream"] == self.name)

    def close(self) -> None:
        self.proxy.close()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    if shutil.which("docker-registry") is None:
        pytest.skip("no docker-registry; scripts/install_test_tools.sh installs it")
    made = DockerRegistry(tmp_path_factory.mktemp("origin"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("mirror"), NOBODY)
    made.environment |= {"LADING_PRIVATE_ENGINE": "false", "LADING_MIRROR_WAIT_SECONDS": "10",
                         "LADING_MIRROR_STALE_SECONDS": "2"}  # fmt: skip
    made.start()
    for team in ("shop", "base"):
        made.client.post("/api/v1/teams", {"team": team})
    yield made
    made.client.close()
    made.stop()


@pytest.fixture(scope="module")
def robot(server: Server) -> str:
    return str(server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"])


_names = iter(f"up{number}" for number in range(1_000))


@pytest.fixture
def mirrored(server: Server, origin: DockerRegistry, robot: str) -> Iterator[Mirrored]:
    """An upstream of its own for each test; what it holds there lies in repositories that begin with its name."""
    made = Mirrored(server, origin, robot, next(_names))
    yield made
    made.close()
