"""Find the Docker Engine that answers, without starting or changing anything."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Final

import docker
from docker.errors import DockerException

_DEFAULT_SOCKET: Final = "unix:///var/run/docker.sock"
_TIMEOUT_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself."""

    address: str
    version: str
    api_version: str
    name: str
    storage_driver: str
    cgroup_version: str
    architecture: str


def candidates(configured: str = "") -> list[str]:
    """Addresses to try, in order: the configured one alone, else DOCKER_HOST, else the usual socket."""
    if configured:
        return [configured]
    return [address for address in (os.environ.get("DOCKER_HOST", ""), _DEFAULT_SOCKET) if address]


def ask(address: str) -> EngineFacts | None:
    """What the engine at `address` says of itself, or None when it does not answer within 5 s."""
    if not _listens(address):
        return None
    try:
        client = docker.DockerClient(base_url=address, timeout=_TIMEOUT_SECONDS, version="auto")
        try:
            version, info = client.version(), client.info()
        finally:
            client.close()
    except (DockerException, OSError):
        return None
    return EngineFacts(
        address=address,
        version=str(version.get("Version", "")),
        api_version=str(version.get("ApiVersion", "")),
        name=str(info.get("Name", "")),
        storage_driver=str(info.get("Driver", "")),
        cgroup_version=str(info.get("CgroupVersion", "1")),
        architecture=str(info.get("Architecture", "")),
    )


def _listens(address: str) -> bool:
    """Whether anybody accepts connections on a Unix socket; asked first because the client leaks one that fails."""
    if not address.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_TIMEOUT_SECONDS)
        try:
            probe.connect(address.removeprefix("unix://"))
        except OSError:
            return False
    return True


def find_engine(configured: str = "") -> EngineFacts | None:
    """The first engine that answers."""
    return next((facts for address in candidates(configured) if (facts := ask(address))), None)
