"""The centre of sensing: one look a second, everything that was seen goes to one sink.

    who runs? -> posture of the new -> programs running -> files written -> sink (judge)
              -> containers that are gone -> their incidents end

Each step may be called by hand; `start` runs it in a thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from lading.kernel.clock import Clock, SystemClock
from lading.kernel.errors import LadingError
from lading.runtime_security.containers import Containers, RunningContainer
from lading.runtime_security.errors import ContainerGone, EngineSilent
from lading.runtime_security.posture import PostureAssessor
from lading.runtime_security.sense.events import SensedEvent, cut
from lading.runtime_security.sense.execs import sensed_exec
from lading.runtime_security.sense.files import FileSense
from lading.runtime_security.sense.processes import ProcessSense
from lading.runtime_security.sense.states import BLIND, SensorStates

log = logging.getLogger(__name__)
_POSTURE_SECONDS: Final = 5.0
_READ_ONLY_SECONDS: Final = 30.0
# A container may be seen before its image's files are known, or its process be gone before it is listed as ended.
_BLIND_LOOKS: Final = 3


class Allowed(Protocol):
    """Knows what was declared."""

    def allowed(self, container: RunningContainer) -> Mapping[str, Any] | None:
        """The `workload` document of the specification that `container` was started under; None: nobody declared it."""
        ...


class Sink(Protocol):
    """Takes what was seen."""

    def handle(self, event: SensedEvent) -> None:
        """Judge one event; must bear the same event twice."""
        ...

    def container_gone(self, container: str) -> None:
        """The container does not exist any more."""
        ...

    def concerned(self) -> frozenset[str]:
        """The ids of the containers that something is still open about."""
        ...


class MemoryAllowed:
    """An Allowed that is told, by workload."""

    def __init__(self, workloads: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.workloads = dict(workloads or {})

    def allowed(self, container: RunningContainer) -> Mapping[str, Any] | None:
        return self.workloads.get(container.workload)


class DriftWatch:
    """Looks at the containers of one engine.

    Args:
        containers: who runs.
        allowed: what was declared of them.
        sink: where everything seen goes.
        seconds: between two looks.
    """

    def __init__(
        self,
        *,
        containers: Containers,
        allowed: Allowed,
        posture: PostureAssessor,
        processes: ProcessSense,
        files: FileSense,
        states: SensorStates,
        sink: Sink,
        clock: Clock | None = None,
        seconds: float = 1.0,
    ) -> None:
        self._containers = containers
        self._allowed = allowed
        self._posture = posture
        self._processes = processes
        self._files = files
        self._states = states
        self._sink = sink
        self._clock = clock or SystemClock()
        self._seconds = seconds
        self._running: dict[str, RunningContainer] = {}
        self._posture_due: dict[str, float] = {}
        self._files_due: dict[str, float] = {}
        self._blind: dict[str, int] = {}
        self._started_under: dict[str, Mapping[str, Any]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look until `stop`, in a thread of this process; may be started again after that."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._loop, name="drift-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10)

    def look(self) -> None:
        """One look at everything."""
        now = self._clock.now()
        try:
            running = self._containers.running()
            self._end_gone()
        except EngineSilent as error:
            for sensor in ("posture", "files", "processes"):
                self._states.put(sensor, BLIND, error.what)
            return
        self._running = {one.id: one for one in running}
        self._look_at_posture(running, now)
        blind = self._look_at_processes(running, now)
        self._look_at_files(running, now, blind)

    def exec_started(self, container: str, command: str, at: datetime | None = None) -> None:
        """The engine told that `command` was started in the container with this full id, from outside."""
        found = self._running.get(container)
        if found is None:
            listed = {one.id: one for one in self._containers.running()}
            found = listed.get(container)
        if found is not None and (event := sensed_exec(found, command, at or self._clock.now())) is not None:
            self._sink.handle(event)

    def changed(self, container: str) -> None:
        """Something was changed about a container (the engine's `update` event): assess it at the next look."""
        self._posture_due.pop(container, None)

    def _look_at_posture(self, running: Sequence[RunningContainer], now: datetime) -> None:
        blind: dict[str, str] = {}
        for container in self._due(self._posture_due, running, lambda _one: _POSTURE_SECONDS):
            try:
                assessed = self._posture.assess(container, self._declared(container))
            except ContainerGone:
                continue
            except LadingError as error:
                blind[container.name] = error.what
                continue
            if assessed.deviations:
                detail: dict[str, str | bool | int] = {"deviations": cut("; ".join(assessed.deviations))}
                event = SensedEvent("posture", container, now, "; ".join(assessed.deviations), detail)
                self._sink.handle(event._replace(deviations=assessed.deviations))
        self._states.see("posture", blind, watched=len(running))

    def _declared(self, container: RunningContainer) -> Mapping[str, Any] | None:
        """What it was started under: a newer specification, declared since, does not speak of this container."""
        if (known := self._started_under.get(container.id)) is not None:
            return known
        declared = self._allowed.allowed(container)
        if declared is not None:
            self._started_under[container.id] = declared
        return declared

    def _look_at_processes(self, running: Sequence[RunningContainer], now: datetime) -> dict[str, str]:
        looked = self._processes.look(running, now)
        for event in looked.events:
            self._sink.handle(event)
        lasting = self._lasting(looked.blind)
        names = {one.id: one.name for one in running}
        by_name = {names.get(one, one[:12]): why for one, why in lasting.items()}
        self._states.see("processes", by_name, watched=len(running), lost=looked.passed_over)
        for identity, why in lasting.items():
            if (container := self._running.get(identity)) is not None:
                detail: dict[str, str | bool | int] = {"sensor": "processes", "state": BLIND, "reason": cut(why)}
                self._sink.handle(SensedEvent("sensor", container, now, "processes", detail))
        return looked.blind

    def _look_at_files(self, running: Sequence[RunningContainer], now: datetime, known_blind: dict[str, str]) -> None:
        blind, lost = {}, 0
        every = self._due(self._files_due, running, lambda one: 0.0 if one.writable else _READ_ONLY_SECONDS)
        for container in every:
            try:
                events, more = self._files.look(container, now)
            except ContainerGone:
                continue
            except LadingError as error:  # whatever keeps the diff or the index from us, the container is not seen
                if container.id not in known_blind or container.id in self._lasting_ids():
                    blind[container.name] = error.what
                continue
            lost += more
            for event in events:
                self._sink.handle(event)
        if blind or lost or every:
            self._states.see("files", blind, watched=len(running), lost=lost)

    def _due(
        self, due: dict[str, float], running: Sequence[RunningContainer], every: Callable[[RunningContainer], float]
    ) -> list[RunningContainer]:
        """The containers whose time has come; those that do not run are forgotten."""
        now = self._clock.monotonic()
        for gone in due.keys() - {one.id for one in running}:
            del due[gone]
        chosen = [one for one in running if due.get(one.id, now) <= now]
        for one in chosen:
            due[one.id] = now + every(one)
        return chosen

    def _lasting(self, blind: Mapping[str, str]) -> dict[str, str]:
        self._blind = {identity: self._blind.get(identity, 0) + 1 for identity in blind}
        return {identity: why for identity, why in blind.items() if identity in self._lasting_ids()}

    def _lasting_ids(self) -> frozenset[str]:
        return frozenset(identity for identity, looks in self._blind.items() if looks >= _BLIND_LOOKS)

    def _end_gone(self) -> None:
        """Containers that ran at the last look, or that an incident is open about, and do not exist any more."""
        candidates = self._running.keys() | self._sink.concerned()
        if not candidates:
            return
        for gone in candidates - self._containers.existing():
            self._started_under.pop(gone, None)
            self._posture.forget(gone)
            self._files.forget(gone)
            self._sink.container_gone(gone)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception as error:
                log.exception("a look at the containers failed", extra={"reason": str(error)})
                self._say_failed(error)
            self._stopping.wait(self._seconds)

    def _say_failed(self, error: Exception) -> None:
        try:
            self._states.put("watch", "degraded", f"{type(error).__name__}: {error}")
        except Exception:
            log.exception("the state of the watch could not be stated")
