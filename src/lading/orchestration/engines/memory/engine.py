"""The engine in memory. Containers become healthy at once, unless their image was declared broken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import msgspec

from lading.orchestration.engines.engine import EngineEvent
from lading.orchestration.errors import EngineUnavailable, OrchestrationError
from lading.orchestration.plan.model import Observed
from lading.orchestration.plan.planner import application_in
from lading.orchestration.workload.spec import WorkloadSpec


class MemoryEngine:
    """Containers as values.

    Attributes:
        broken: images whose containers never become healthy, or end at once when they have no health check.
        missing: images that cannot be pulled.
        fails_after: after so many further changes the engine goes away, until this is None again.
        log: every change, in order, in words.
    """

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.missing: set[str] = set()
        self.networks: set[str] = set()
        self.volumes: set[str] = set()
        self.fails_after: int | None = None
        self.log: list[str] = []
        self._containers: dict[str, Observed] = {}
        self._events: list[EngineEvent] = []
        self._changed = threading.Condition()
        self._made = 0

    def pull(self, image: str) -> None:
        self._count()
        if image in self.missing:
            raise OrchestrationError(f"The registry has no {image}.")
        self.log.append(f"pull {image}")

    def ensure_network(self, name: str, *, internal: bool) -> None:
        del internal
        self._count()
        self.networks.add(name)

    def ensure_volume(self, name: str) -> None:
        self._count()
        self.volumes.add(name)

    def remove_networks(self, application: str) -> None:
        self._count()
        self.networks = {name for name in self.networks if application_in(name) != application}

    def start(self, spec: WorkloadSpec, name: str, image: str, deployment: str) -> str:
        self._count()
        if name in self._containers:
            raise OrchestrationError(f"There is a container {name} already.")
        self._made += 1
        health = "" if not spec.checks_health else "unhealthy" if image in self.broken else "healthy"
        ended = image in self.broken and not health
        self._containers[name] = Observed(
            id=f"{self._made:064x}",
            name=name,
            workload=spec.name,
            image=image,
            spec_digest=str(spec.digest()),
            state="exited" if ended else "running",
            health=health,
            deployment=deployment,
            team=spec.team,
            addresses=(f"10.0.0.{self._made}",),
            exit_code=1 if ended else 0,
        )
        self.log.append(f"start {name}")
        self._tell("start", name)
        if health:
            self._tell("health", name, {"health": health})
        return self._containers[name].id

    def resume(self, name: str) -> None:
        self._count()
        if name in self._containers:
            self._change(name, state="running")
            self.log.append(f"resume {name}")
            self._tell("start", name)

    def stop(self, name: str, grace: float) -> None:
        del grace
        self._count()
        if name in self._containers and self._containers[name].state == "running":
            self._change(name, state="exited")
            self.log.append(f"stop {name}")
            self._tell("die", name, {"exit_code": "0"})

    def remove(self, name: str) -> None:
        self._count()
        if name not in self._containers:
            return
        if self._containers[name].state == "running":
            self._tell("die", name, {"exit_code": "137"})
        del self._containers[name]
        self.log.append(f"remove {name}")

    def node(self) -> str:
        return "memory"

    def observe(self, application: str = "") -> list[Observed]:
        self._reach()
        prefix = f"{application}/" if application else ""
        return [item for item in self._containers.values() if item.workload.startswith(prefix)]

    def status(self, name: str) -> Observed | None:
        self._reach()
        return self._containers.get(name)

    def tail(self, name: str, lines: int) -> list[str]:
        return [f"{name} says nothing"][:lines] if name in self._containers else []

    def events(self, since: float, seconds: float) -> Iterator[EngineEvent]:
        self._reach()
        deadline = time.monotonic() + seconds
        told = 0
        while True:
            with self._changed:
                while told >= len(self._events) and (left := deadline - time.monotonic()) > 0:
                    self._changed.wait(left)
                fresh, told = self._events[told:], len(self._events)
            yield from (event for event in fresh if event.at >= since)
            if time.monotonic() >= deadline:
                return

    # What tests and demonstrations make happen

    def crash(self, name: str, exit_code: int = 1, *, out_of_memory: bool = False) -> None:
        """The container ends by itself; nothing restarts it."""
        self._change(name, state="exited", exit_code=exit_code, out_of_memory=out_of_memory)
        if out_of_memory:
            self._tell("oom", name)
        self._tell("die", name, {"exit_code": str(exit_code)})

    def restart(self, name: str, address: str = "") -> None:
        """The engine starts a crashed container again, perhaps under another address."""
        found = self._containers[name]
        addresses = (address,) if address else found.addresses
        self._change(name, state="running", restarts=found.restarts + 1, addresses=addresses)
        self._tell("start", name)

    def _change(self, name: str, **values: object) -> None:
        self._containers[name] = msgspec.structs.replace(self._containers[name], **values)

    def _tell(self, kind: str, name: str, detail: dict[str, str] | None = None) -> None:
        found = self._containers[name]
        event = EngineEvent(
            at=time.time(), kind=kind, container=found.id, name=name, workload=found.workload, image=found.image,
            detail=detail or {},
        )  # fmt: skip
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def _reach(self) -> None:
        if self.fails_after is not None and self.fails_after <= 0:
            raise EngineUnavailable("The engine in memory went away.", remedy="Bring it back.")

    def _count(self) -> None:
        self._reach()
        if self.fails_after is not None:
            self.fails_after -= 1
