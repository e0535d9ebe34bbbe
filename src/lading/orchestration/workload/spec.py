"""The model of what shall run: immutable, resolved, with every default spelled out.

A workload is hardened unless its file relaxes something: read-only root, every capability dropped, no new privileges, a
user that is not root, bounded memory and processes. Each relaxation is named, so that policy can see it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest

DEFAULT_USER: Final = "65532:65532"
DEFAULT_MEMORY: Final = 512 << 20
DEFAULT_PIDS: Final = 256


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """Something mounted into a container. `kind` is `volume`, `bind` or `tmpfs`; `source` is empty for tmpfs."""

    kind: str
    target: str
    source: str = ""
    read_only: bool = False
    size: int = 0


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A published port: `host_address:host_port` on the node leads to `container_port`."""

    container_port: int
    host_port: int
    host_address: str = "127.0.0.1"
    protocol: str = "tcp"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A health check, times in seconds. `test` is `CMD` and arguments, `CMD-SHELL` and one text, or `NONE`: even the
    check of the image is off."""

    test: tuple[str, ...]
    interval: float = 10.0
    timeout: float = 5.0
    retries: int = 3
    start_period: float = 0.0


class BuildSource(msgspec.Struct, frozen=True, kw_only=True):
    """How a workload's image is built from the application's source; paths are relative to the Compose file."""

    context: str
    dockerfile: str = "Dockerfile"
    target: str = ""
    arguments: dict[str, str] = {}


class WorkloadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One workload of an application, as it shall run."""

    application: str
    service: str
    team: str
    image: str = ""
    build: BuildSource | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    working_dir: str = ""
    user: str = ""
    read_only: bool = True
    privileged: bool = False
    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = True
    memory: int = DEFAULT_MEMORY
    cpus: float = 0.0
    pids: int = DEFAULT_PIDS
    mounts: tuple[Mount, ...] = ()
    ports: tuple[Port, ...] = ()
    networks: tuple[str, ...] = ("default",)
    host_network: bool = False
    host_pid: bool = False
    health: Health | None = None
    replicas: int = 1
    restart: str = "unless-stopped"
    stop_grace: float = 10.0
    stop_signal: str = ""
    depends_on: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    hostname: str = ""
    extra_hosts: tuple[str, ...] = ()
    init: bool = True
    relaxations: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`application/service`, unique within one Lading."""
        return f"{self.application}/{self.service}"

    @property
    def keeps_data(self) -> bool:
        """Whether it writes to a named volume: two of it must not run at once."""
        return any(mount.kind == "volume" and not mount.read_only for mount in self.mounts)

    @property
    def checks_health(self) -> bool:
        """Whether the specification has a health check; without one, the image may still have its own."""
        return self.health is not None and self.health.test[0] != "NONE"

    @property
    def publishes_itself(self) -> bool:
        """Whether the engine publishes its ports: the ingress speaks HTTP over TCP, and is for those replaced alive."""
        return self.keeps_data or any(port.protocol != "tcp" for port in self.ports)

    @property
    def stops_first(self) -> bool:
        """Whether the old containers must go before the new ones come: they would share a volume or a port."""
        return self.keeps_data or self.host_network or (self.publishes_itself and bool(self.ports))

    def resolved(self, image: str) -> WorkloadSpec:
        """The same with its image pinned."""
        return msgspec.structs.replace(self, image=image)

    def digest(self) -> Digest:
        """The digest of all that matters for a running container; replicas can change without replacing any."""
        matters = msgspec.structs.replace(self, replicas=0, build=None, depends_on=())
        # 5 and 5.0 seconds are the same: a specification that was kept and read again has the digest it had.
        return Digest.of(canonical_json(msgspec.convert(msgspec.to_builtins(matters), WorkloadSpec)))

    def policy_input(self, image: str = "") -> dict[str, Any]:
        """What rules see of it (docs/policy.md, `workload`)."""
        return {
            "name": self.name,
            "application": self.application,
            "team": self.team,
            "image": image or self.image,
            "replicas": self.replicas,
            "user": self.user,
            "read_only": self.read_only,
            "privileged": self.privileged,
            "capabilities": list(self.capabilities),
            "no_new_privileges": self.no_new_privileges,
            "memory_bytes": self.memory,
            "pids": self.pids,
            "host_paths": [mount.source for mount in self.mounts if mount.kind == "bind"],
            "host_network": self.host_network,
            "host_pid": self.host_pid,
            "ports": [f"{port.host_address}:{port.host_port}" for port in self.ports],
            "health": self.checks_health,
            "relaxations": list(self.relaxations),
        }


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """Workloads that belong together, in the order they start. `not_carried_out` says which keys were only read."""

    name: str
    team: str
    environment: str
    workloads: tuple[WorkloadSpec, ...]
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ("default",)
    internal_networks: tuple[str, ...] = ()
    not_carried_out: tuple[str, ...] = ()

    def workload(self, service: str) -> WorkloadSpec | None:
        """The workload of a service."""
        return next((item for item in self.workloads if item.service == service), None)
