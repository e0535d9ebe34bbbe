"""What was found of one container, by the engine's word and by the kernel's; and the ports that find it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from lading.runtime_security.errors import ContainerGone


class Found(NamedTuple):
    """The privileges of a container as the engine states them. 0 means: no limit."""

    container: str
    pid: int
    user: str
    privileged: bool
    read_only: bool
    no_new_privileges: bool
    capabilities: frozenset[str]
    seccomp: str
    apparmor: str
    host_network: bool
    host_pid: bool
    host_ipc: bool
    host_paths: tuple[str, ...]
    devices: tuple[str, ...]
    memory_bytes: int
    pids: int
    ports: tuple[str, ...] = ()


class KernelView(NamedTuple):
    """What the kernel says of the first process: the truth, whatever the engine says."""

    capabilities: frozenset[str]
    bounding: frozenset[str]
    uid: int
    no_new_privileges: bool
    seccomp: str


class ContainerInspector(Protocol):
    """Finds what a container has."""

    def inspect(self, container: str) -> Found:
        """As the engine states it; raises ContainerGone and EngineSilent."""
        ...


class KernelReader(Protocol):
    """Asks the kernel of this host."""

    def view(self, pid: int, container: str) -> KernelView | None:
        """What process `pid` has; None when it is not a process of `container` that we can see."""
        ...


class MemoryInspector:
    """A ContainerInspector that is told what to find."""

    def __init__(self, *found: Found) -> None:
        self.found = {one.container: one for one in found}

    def inspect(self, container: str) -> Found:
        if container not in self.found:
            raise ContainerGone(f"There is no container {container[:12]}.")
        return self.found[container]
