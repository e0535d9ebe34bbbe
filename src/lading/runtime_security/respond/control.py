"""The port through which a response acts on a container."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lading.runtime_security.errors import ResponseFailed


class ContainerControl(Protocol):
    """Stops a container from doing more. The container itself stays, for inquiry."""

    def pause(self, container: str) -> None:
        """No process of it runs any more; raises ResponseFailed."""
        ...

    def isolate(self, container: str) -> Sequence[str]:
        """It reaches no network any more; returns those it was taken off; raises ResponseFailed."""
        ...

    def kill(self, container: str) -> None:
        """It ended at once and does not start again by itself; raises ResponseFailed."""
        ...


class MemoryControl:
    """A ContainerControl that remembers what it did."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.done: list[tuple[str, str]] = []

    def pause(self, container: str) -> None:
        self._do("pause", container)

    def isolate(self, container: str) -> Sequence[str]:
        self._do("isolate", container)
        return ["bridge"]

    def kill(self, container: str) -> None:
        self._do("kill", container)

    def _do(self, action: str, container: str) -> None:
        if container not in self.known:
            raise ResponseFailed(f"There is no container {container[:12]}.")
        self.done.append((action, container))
