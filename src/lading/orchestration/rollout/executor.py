"""Carry out the steps of a plan, one after the other, and undo those of a workload whose new version fails.

The executor decides nothing but one thing: when a container does not become healthy in time, the workload's new
containers go, its old ones come back if they were stopped, and its route leads to them again. When the engine itself
goes away nothing is undone: the next plan goes on from what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from lading.kernel.clock import Clock
from lading.orchestration.engines.engine import Engine
from lading.orchestration.errors import EngineUnavailable, OrchestrationError, RolloutFailed
from lading.orchestration.plan.model import (
    AwaitHealthy,
    Drain,
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
_MOST_RESTARTS: Final = 2
_TAIL: Final = 15

Say = Callable[[str], None]


class Hands(Protocol):
    """What the executor needs done besides the engine's work."""

    def started(self, found: Observed) -> None:
        """A container runs."""
        ...

    def stopping(self, found: Observed) -> None:
        """A container is about to be stopped."""
        ...

    def ending(self, found: Observed) -> None:
        """A container is about to be removed: the last moment to take its logs."""
        ...

    def ended(self, found: Observed, *, removed: bool) -> None:
        """A container was stopped or removed, as planned; `found` is how it was last seen."""
        ...

    def switch(self, workload: str, behind: tuple[Observed, ...]) -> None:
        """Lead a workload's published ports to exactly these containers."""
        ...

    def drain(self, workload: str, leaving: tuple[Observed, ...], seconds: float) -> None:
        """Wait until no request is under way to containers that routes lead to no more."""
        ...


@dataclass
class _Progress:
    """What was done to one workload so far, for the way back."""

    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    routed: bool = False


class Executor:
    """Carries plans out.

    Args:
        health_seconds: how long a container may take to become healthy.
    """

    def __init__(self, engine: Engine, hands: Hands, clock: Clock, health_seconds: float) -> None:
        self._engine = engine
        self._hands = hands
        self._clock = clock
        self._health_seconds = health_seconds

    def run(self, plan: Plan, specs: Mapping[str, WorkloadSpec], deployment: str, say: Say) -> None:
        """Carry a plan out.

        Raises:
            RolloutFailed: a new version could not be started or did not become healthy; its workload is as before.
            EngineUnavailable: the engine went away; the same plan can be made and carried out again.
        """
        progress: dict[str, _Progress] = {}
        for step in plan.steps:
            say(str(step))
            workload = getattr(step, "workload", "")
            mine = progress.setdefault(workload, _Progress())
            try:
                self._carry_out(step, specs, deployment, mine)
            except EngineUnavailable:
                raise
            except OrchestrationError as error:
                if not isinstance(step, Start | AwaitHealthy | Pull | Route):
                    raise
                lost = self._undo(workload, mine, say)
                raise RolloutFailed(
                    error.what,
                    remedy=error.remedy or "Mend it and ship again.",
                    details=(*error.details, *lost),
                ) from error

    def _carry_out(self, step: Step, specs: Mapping[str, WorkloadSpec], deployment: str, mine: _Progress) -> None:
        match step:
            case EnsureNetwork(name, internal):
                self._engine.ensure_network(name, internal=internal)
            case EnsureVolume(name):
                self._engine.ensure_volume(name)
            case Pull(_, image):
                self._engine.pull(image)
            case Start(workload, name, image):
                mine.started.append(name)
                self._engine.start(specs[workload], name, image, deployment)
                if (found := self._engine.status(name)) is not None:
                    self._hands.started(found)
            case AwaitHealthy(_, name):
                self._await(name)
            case Route(workload, names):
                mine.routed = True
                self._hands.switch(workload, self._all(names))
            case Drain(workload, names, seconds):
                self._hands.drain(workload, self._all(names), seconds)
            case Stop(_, name, grace):
                self._stop(name, grace, mine)
            case Remove(_, name):
                self._remove(name)

    def _all(self, names: tuple[str, ...]) -> tuple[Observed, ...]:
        return tuple(found for name in names if (found := self._engine.status(name)) is not None)

    def _stop(self, name: str, grace: float, mine: _Progress) -> None:
        found = self._engine.status(name)
        if found is None:
            return
        mine.stopped.append(name)
        self._hands.stopping(found)
        self._engine.stop(name, grace)
        self._hands.ended(self._engine.status(name) or found, removed=False)

    def _remove(self, name: str) -> None:
        found = self._engine.status(name)
        if found is None:
            return
        self._hands.stopping(found)
        self._hands.ending(found)
        self._engine.remove(name)
        self._hands.ended(found, removed=True)

    def _await(self, name: str) -> None:
        """Return when the container is healthy or, without a check, has run for a moment without a restart."""
        deadline = self._clock.monotonic() + self._health_seconds
        settled, restarts = self._clock.monotonic() + _SETTLE_SECONDS, 0
        while True:
            found = self._engine.status(name)
            if found is None or (found.state == "exited" and found.restarts == 0):
                code = f" with exit code {found.exit_code}" if found else ""
                raise RolloutFailed(f"{name} ended{code} instead of becoming healthy.", details=self._tail(name))
            if found.restarts > _MOST_RESTARTS:
                raise RolloutFailed(f"{name} keeps crashing.", details=self._tail(name))
            if found.restarts != restarts:
                settled, restarts = self._clock.monotonic() + _SETTLE_SECONDS, found.restarts
            if found.health == "healthy":
                return
            if not found.health and found.state == "running" and self._clock.monotonic() >= settled:
                return
            if found.health == "unhealthy" or self._clock.monotonic() > deadline:
                what = "is unhealthy" if found.health == "unhealthy" else "did not become healthy in time"
                raise RolloutFailed(f"{name} {what}.", details=self._tail(name))
            self._clock.sleep(_POLL_SECONDS)

    def _undo(self, workload: str, mine: _Progress, say: Say) -> tuple[str, ...]:
        """Take the way back; what could not be brought back, in words."""
        if not mine.started and not mine.stopped:
            return ()
        say(f"rolling {workload} back")
        for name in mine.started if mine.stopped else ():
            # Old and new cannot run together: that is why the old ones were stopped first.
            self._remove(name)
        lost = tuple(text for name in mine.stopped if (text := self._bring_back(name)))
        if mine.stopped or mine.routed:
            mine_now = [item for item in self._engine.observe(workload.partition("/")[0]) if item.workload == workload]
            back = tuple(item for item in mine_now if item.serves and item.name not in mine.started)
            self._hands.switch(workload, back)
        for name in mine.started:
            self._remove(name)
        return lost

    def _bring_back(self, name: str) -> str:
        try:
            self._engine.resume(name)
            if (found := self._engine.status(name)) is not None:
                self._hands.started(found)
            self._await(name)
        except EngineUnavailable:
            raise
        except OrchestrationError as error:
            return f"the version before it did not come back: {error.what}"
        return ""

    def _tail(self, name: str) -> tuple[str, ...]:
        return tuple(self._engine.tail(name, _TAIL))
