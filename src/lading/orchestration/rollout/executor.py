"""Carry out the steps of a plan, one after the other, and undo those of a workload whose new version fails.

The executor decides nothing but one thing: when a container does not become healthy in time, the workload's new
containers go, its old ones come back if they were stopped, and its route leads to them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from lading.kernel.clock import Clock
from lading.orchestration.engines.engine import Engine
from lading.orchestration.errors import OrchestrationError, RolloutFailed
from lading.orchestration.plan.model import (
    AwaitHealthy,
    EnsureNetwork,
    EnsureVolume,
    Observed,
    Plan,
    Pull,
    Remove,
    Route,
    Start,
    Step,
    Stop,
)
from lading.orchestration.workload.spec import WorkloadSpec

_POLL_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 2.0
_TAIL: Final = 15

Say = Callable[[str], None]


class Notes(Protocol):
    """Who is told about containers that come and go, as it happens."""

    def started(self, container: str, spec: WorkloadSpec, name: str) -> None:
        """A container runs."""
        ...

    def stopping(self, observed: Observed) -> None:
        """A container is about to be stopped, as planned."""
        ...

    def ending(self, observed: Observed) -> None:
        """A container is about to be removed: the last moment to take its logs."""
        ...

    def ended(self, observed: Observed, *, removed: bool) -> None:
        """A container was stopped or removed, as planned."""
        ...


Switch = Callable[[str, tuple[Observed, ...]], None]


@dataclass
class _Progress:
    """What was done to one workload so far, for the way back."""

    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    routed: bool = False


class Executor:
    """Carries plans out.

    Args:
        switch: leads a workload's published ports to these containers.
        health_seconds: how long a container may take to become healthy.
    """

    def __init__(self, engine: Engine, switch: Switch, notes: Notes, clock: Clock, health_seconds: float) -> None:
        self._engine = engine
        self._switch = switch
        self._notes = notes
        self._clock = clock
        self._health_seconds = health_seconds

    def run(self, plan: Plan, specs: Mapping[str, WorkloadSpec], deployment: str, say: Say) -> None:
        """Carry a plan out.

        Raises:
            RolloutFailed: a new version did not become healthy; its workload is as it was before.
            EngineUnavailable: the engine went away; the same plan can be made and carried out again.
        """
        progress: dict[str, _Progress] = {}
        for step in plan.steps:
            say(str(step))
            workload = getattr(step, "workload", "")
            mine = progress.setdefault(workload, _Progress())
            try:
                self._carry_out(step, specs, deployment, mine)
            except OrchestrationError as error:
                if isinstance(step, Start | AwaitHealthy | Pull | Route) and (mine.started or mine.stopped):
                    self._undo(workload, mine, say)
                raise self._failed(step, error) from error

    def _carry_out(self, step: Step, specs: Mapping[str, WorkloadSpec], deployment: str, mine: _Progress) -> None:
        match step:
            case EnsureNetwork(name, internal):
                self._engine.ensure_network(name, internal=internal)
            case EnsureVolume(name):
                self._engine.ensure_volume(name)
            case Pull(image):
                self._engine.pull(image)
            case Start(workload, name, image):
                spec = specs[workload]
                mine.started.append(name)
                self._notes.started(self._engine.start(spec, name, image, deployment), spec, name)
            case AwaitHealthy(_, name):
                self._await(name)
            case Route(workload, names):
                behind = tuple(item for name in names if (item := self._engine.status(name)) is not None)
                self._switch(workload, behind)
                mine.routed = True
            case Stop(_, name, grace):
                if (found := self._engine.status(name)) is not None:
                    mine.stopped.append(name)
                    self._notes.stopping(found)
                    self._engine.stop(name, grace)
                    self._notes.ended(found, removed=False)
            case Remove(_, name):
                if (found := self._engine.status(name)) is not None:
                    self._notes.ending(found)
                    self._engine.remove(name)
                    self._notes.ended(found, removed=True)

    def _await(self, name: str) -> None:
        deadline = self._clock.monotonic() + self._health_seconds
        settled = self._clock.monotonic() + _SETTLE_SECONDS
        while True:
            found = self._engine.status(name)
            if found is None or (found.state == "exited" and found.restarts == 0):
                raise RolloutFailed(f"{name} ended instead of becoming healthy.", details=self._tail(name))
            if found.restarts > 2:
                raise RolloutFailed(f"{name} keeps crashing.", details=self._tail(name))
            if found.health == "healthy":
                return
            if not found.health and found.state == "running" and self._clock.monotonic() >= settled:
                return
            if found.health == "unhealthy" or self._clock.monotonic() > deadline:
                what = "is unhealthy" if found.health == "unhealthy" else "did not become healthy in time"
                raise RolloutFailed(f"{name} {what}.", details=self._tail(name))
            self._clock.sleep(_POLL_SECONDS)

    def _undo(self, workload: str, mine: _Progress, say: Say) -> None:
        say(f"rolling {workload} back")
        for name in mine.stopped:
            self._engine.resume(name)
        for name in mine.stopped:
            self._await(name)
        if mine.stopped or mine.routed:
            back = [item for item in self._engine.observe(workload.partition("/")[0]) if item.workload == workload]
            self._switch(workload, tuple(item for item in back if item.serves and item.name not in mine.started))
        for name in mine.started:
            if (found := self._engine.status(name)) is not None:
                self._notes.ending(found)
                self._engine.remove(name)
                self._notes.ended(found, removed=True)

    def _tail(self, name: str) -> tuple[str, ...]:
        return tuple(self._engine.tail(name, _TAIL))

    def _failed(self, step: Step, error: OrchestrationError) -> OrchestrationError:
        if isinstance(error, RolloutFailed):
            return RolloutFailed(
                f"{error.what} The version before it still serves.",
                remedy="Its last log lines are below; mend it and ship again.",
                details=error.details,
            )
        if isinstance(step, Start | Pull):
            return RolloutFailed(f"{error.what}", remedy=error.remedy, details=error.details)
        return error
