"""What Lading asks of a container engine: four small ports, and the one that is all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from lading.orchestration.plan.model import Observed
from lading.orchestration.workload.spec import WorkloadSpec


class EngineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a container of ours. `kind` is `start`, `die`, `oom`, `health` or `exec`."""

    at: float
    kind: str
    container: str
    name: str
    workload: str
    image: str
    detail: Mapping[str, str] = {}


class Images(Protocol):
    """Where images come from."""

    def pull(self, image: str) -> None:
        """Make sure that the engine has `image` (`registry/repository@digest`).

        Raises:
            EngineUnavailable: the engine or the registry does not answer.
            OrchestrationError: the registry refused; its reason is in the message.
        """
        ...


class Resources(Protocol):
    """Networks and volumes. Ensuring what exists changes nothing."""

    def ensure_network(self, name: str, *, internal: bool) -> None:
        """A bridge network; an internal one reaches nothing outside."""
        ...

    def ensure_volume(self, name: str) -> None:
        """A named volume."""
        ...

    def remove_networks(self, application: str) -> None:
        """Remove the application's networks that no container uses; volumes are never removed here."""
        ...


class Containers(Protocol):
    """Containers by name. Names are unique; ending what is gone changes nothing."""

    def start(self, spec: WorkloadSpec, name: str, image: str, deployment: str) -> str:
        """Create and start a container as the specification says; returns its id."""
        ...

    def resume(self, name: str) -> None:
        """Start a stopped container again."""
        ...

    def stop(self, name: str, grace: float) -> None:
        """Ask it to stop, and kill it after `grace` seconds."""
        ...

    def remove(self, name: str) -> None:
        """Remove a container, running or not."""
        ...


class Observation(Protocol):
    """What the engine has. Raises EngineUnavailable when it does not answer."""

    def node(self) -> str:
        """The engine's own name of its machine."""
        ...

    def observe(self, application: str = "") -> list[Observed]:
        """Every container of an application (of all, without one), also stopped ones."""
        ...

    def status(self, name: str) -> Observed | None:
        """One container; None when it is gone."""
        ...

    def tail(self, name: str, lines: int) -> list[str]:
        """The last log lines of a container."""
        ...

    def events(self, since: float, seconds: float) -> Iterator[EngineEvent]:
        """What happens to our containers, from a moment on (seconds since 1970, inclusive), for the next `seconds`.

        Ends by itself, so that the watcher can look up; events at the border come twice rather than never.
        """
        ...


class Engine(Images, Resources, Containers, Observation, Protocol):
    """A whole engine."""
