"""The engine in memory. Containers become healthy at once, unless their image was declared broken."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lading.orchestration.engines.engine import EngineEvent
from lading.orchestration.errors import OrchestrationError
from lading.orchestration.plan.model import Observed
from lading.orchestration.workload.spec import WorkloadSpec


class MemoryEngine:
    """Containers as values. `broken` images never become healthy; `missing` ones cannot be pulled."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.missing: set[str] = set()
        self.networks: set[str] = set()
        self.volumes: set[str] = set()
        self.log: list[str] = []
        self._containers: dict[str, Observed] = {}
        self._made = 0

    def pull(self, image: str) -> None:
        if image in self.missing:
            raise OrchestrationError(f"The registry has no {image}.")
        self.log.append(f"pull {image}")

    def ensure_network(self, name: str, *, internal: bool) -> None:
        del internal
        self.networks.add(name)

    def ensure_volume(self, name: str) -> None:
        self.volumes.add(name)

    def remove_networks(self, application: str) -> None:
        self.networks = {name for name in self.networks if not name.startswith(f"lading_{application}_")}

    def start(self, spec: WorkloadSpec, name: str, image: str, deployment: str) -> str:
        if name in self._containers:
            raise OrchestrationError(f"There is a container {name} already.")
        self._made += 1
        health = "" if spec.health is None else "unhealthy" if image in self.broken else "healthy"
        self._containers[name] = Observed(
            id=f"{self._made:064x}",
            name=name,
            workload=spec.name,
            image=image,
            spec_digest=str(spec.digest()),
            state="exited" if image in self.broken and spec.health is None else "running",
            health=health,
            deployment=deployment,
            team=spec.team,
            addresses=(f"10.0.0.{self._made}",),
        )
        self.log.append(f"start {name}")
        return self._containers[name].id

    def resume(self, name: str) -> None:
        self._change(name, "running")

    def stop(self, name: str, grace: float) -> None:
        del grace
        self._change(name, "exited")

    def remove(self, name: str) -> None:
        if self._containers.pop(name, None) is not None:
            self.log.append(f"remove {name}")

    def node(self) -> str:
        return "memory"

    def observe(self, application: str = "") -> list[Observed]:
        prefix = f"{application}/" if application else ""
        return [item for item in self._containers.values() if item.workload.startswith(prefix)]

    def status(self, name: str) -> Observed | None:
        return self._containers.get(name)

    def tail(self, name: str, lines: int) -> list[str]:
        return [f"{name} says nothing"][:lines]

    def events(self, since: float) -> Iterator[EngineEvent]:
        del since
        return iter(())

    def _change(self, name: str, state: str) -> None:
        if name in self._containers:
            self._containers[name] = msgspec.structs.replace(self._containers[name], state=state)
            self.log.append(f"{'start' if state == 'running' else 'stop'} {name}")
