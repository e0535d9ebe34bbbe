"""A registry in a process of its own, and small images to push to it."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lading.kernel.digest import Digest

PROGRAM = Path(__file__).with_name("registry_process.py")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class RegistryProcess:
    """Push and pull endpoints over one directory."""

    def __init__(self, directory: Path, environment: dict[str, str] | None = None) -> None:
        self.directory = directory
        self.environment = os.environ | (environment or {})
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        with (self.directory / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, PROGRAM, self.directory],
                env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline() if ready else ""
        assert line, (self.directory / "log").read_text()
        ports = json.loads(line)
        self.push_port, self.pull_port = ports["push"], ports["pull"]

    def stop(self, number: int = signal.SIGKILL) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        os.kill(self.process.pid, number)
        self.process.wait()
        self.process.stdout.close()

    def client(self, team: str = "shop", *, pull: bool = False) -> httpx.Client:
        port = self.pull_port if pull else self.push_port
        return httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=(team, f"lad_{team}"), timeout=60)

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryProcess]:
    started = RegistryProcess(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def push(registry: RegistryProcess) -> Iterator[httpx.Client]:
    with registry.client() as client:
        yield client


@pytest.fixture
def pull(registry: RegistryProcess) -> Iterator[httpx.Client]:
    with registry.client(pull=True) as client:
        yield client


def tar(name: str, content: bytes, mode: int = 0o755) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), mode
        archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def push_blob(client: httpx.Client, repository: str, content: bytes) -> Digest:
    digest = Digest.of(content)
    answer = client.post(f"/v2/{repository}/blobs/uploads/?digest={digest}", content=content)
    assert answer.status_code == 201, answer.text
    return digest


def make_manifest(config: bytes, *layers: bytes, **more: Any) -> bytes:
    def part(kind: str, content: bytes) -> dict[str, Any]:
        return {"mediaType": kind, "digest": str(Digest.of(content)), "size": len(content)}

    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": part("application/vnd.oci.image.config.v1+json", config),
        "layers": [part("application/vnd.oci.image.layer.v1.tar", layer) for layer in layers],
        **more,
    }
    return json.dumps(body).encode()


def simple_image(text: str) -> tuple[bytes, bytes, bytes]:
    """Manifest, config and the one layer of an image."""
    layer = tar("file", text.encode())
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(layer))]},
        }
    ).encode()
    return make_manifest(config, layer), config, layer


@pytest.fixture
def push_image() -> Callable[..., Digest]:
    """Pushes an image of one layer; gives the digest of its manifest."""

    def pushed(client: httpx.Client, repository: str, tag: str, text: str = "hello") -> Digest:
        body, *contents = simple_image(text)
        for content in contents:
            push_blob(client, repository, content)
        answer = client.put(f"/v2/{repository}/manifests/{tag}", content=body, headers={"Content-Type": MANIFEST})
        assert answer.status_code == 201, answer.text
        return Digest.of(body)

    return pushed


@pytest.fixture
def make_layout() -> Callable[[Path], Digest]:
    """Writes an OCI image layout of one image; gives the digest of its manifest."""

    def made(directory: Path) -> Digest:
        blobs = directory / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        body, *contents = simple_image("layout")
        for content in (body, *contents):
            (blobs / Digest.of(content).hex).write_bytes(content)
        entry = {"mediaType": MANIFEST, "digest": str(Digest.of(body)), "size": len(body)}
        (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return Digest.of(body)

    return made
