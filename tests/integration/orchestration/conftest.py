"""A tiny web server as an image: busybox on an empty root, made by the tests."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from lading.orchestration.engines.docker.engine import DockerEngine


def _busybox() -> bytes:
    for path in (Path("/bin/busybox"), Path("/usr/bin/busybox")):
        if path.exists():
            return path.read_bytes()
    pytest.skip("no static busybox; scripts/install_test_tools.sh installs it")


@pytest.fixture(scope="session")
def web_images(docker_engine: str) -> dict[str, str]:
    """Local images `one`, `two` (answer with their name) and `broken` (answers nothing)."""
    client = docker.DockerClient(base_url=docker_engine, version="auto")
    images = {}
    for name in ("one", "two", "broken"):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, content, mode in (
                ("bin/busybox", _busybox(), 0o755),
                ("www/index.html", name.encode(), 0o644),
                ("www/cgi-bin/slow", f"#!/bin/sh\nsleep 2\necho\necho -n slow from {name}\n".encode(), 0o755),
                ("etc/passwd", b"root:x:0:0::/:/bin/sh\n", 0o644),
            ):
                info = tarfile.TarInfo(path)
                info.size, info.mode = len(content), mode
                tar.addfile(info, io.BytesIO(content))
            for link in ("sh", "httpd", "wget", "sleep", "cat"):
                info = tarfile.TarInfo(f"bin/{link}")
                info.type, info.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(info)
        tag = f"lading-test/{name}"
        client.api.import_image_from_data(archive.getvalue(), repository=tag, tag="1")
        images[name] = f"{tag}:1"
    client.close()
    return images


@pytest.fixture
def engine(docker_engine: str) -> Iterator[DockerEngine]:
    """The engine behind our own port."""
    made = DockerEngine(docker_engine)
    yield made
    made.close()
