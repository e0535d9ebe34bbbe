"""Follow what the engine does to our containers, and miss nothing: after a gap the stream goes on where it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from lading.facts import Fact, Ledger
from lading.facts.kinds.orchestration import ContainerHealthChanged, ContainerStarted, ContainerStopped, EngineLost
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.orchestration import sql
from lading.orchestration.engines.engine import Engine, EngineEvent
from lading.orchestration.errors import OrchestrationError
from lading.orchestration.plan.model import Observed
from lading.state import Database

_log: Final = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 1.0
_ACTOR: Final = "system:engine"

Listener = Callable[[EngineEvent], None]


class EngineWatcher:
    """Turns engine events into facts and hands them to listeners, from a thread of its own."""

    def __init__(
        self, engine: Engine, database: Database, ledger: Ledger, listeners: list[Listener], clock: Clock | None = None
    ) -> None:
        self._engine = engine
        self._database = database
        self._ledger = ledger
        self._listeners = listeners
        self._clock = clock or SystemClock()
        self._since = time.time()

    def run(self, stop: threading.Event) -> None:
        """Watch until told to stop; an engine that goes away is a fact and is waited for."""
        lost = False
        while not stop.is_set():
            try:
                self.settle()
                lost = False
                for event in self._engine.events(self._since):
                    if stop.is_set():
                        return
                    self._take(event)
            except OrchestrationError as error:
                if not lost:
                    self._note([EngineLost(node="engine", reason=error.what)])
                    lost = True
            stop.wait(_RETRY_SECONDS)

    def settle(self) -> None:
        """Compare what we believe with what the engine has, and note what changed while nobody watched."""
        real = {item.id: item for item in self._engine.observe()}
        with self._database.read() as tx:
            believed = sql.find_containers(tx, running_only=True)
        for row in believed:
            found = real.get(row.id)
            if found is None or found.state != "running":
                self._stopped(row.id, row.workload, row.image, exit_code=-1, out_of_memory=False)
            elif found.health and found.health != row.health:
                self._health(found.id, found.workload, found.health)

    def _take(self, event: EngineEvent) -> None:
        self._since = max(self._since, event.at + 1e-6)
        if event.kind == "die":
            code = event.detail.get("exit_code", "")
            self._stopped(
                event.container, event.workload, event.image.rpartition("@")[2],
                exit_code=int(code) if code.lstrip("-").isdigit() else -1, out_of_memory=False,
            )  # fmt: skip
        elif event.kind == "health":
            self._health(event.container, event.workload, event.detail.get("health", ""))
        elif event.kind == "start":
            self._started_again(event)
        for listener in self._listeners:
            listener(event)

    def _stopped(self, container: str, workload: str, image: str, *, exit_code: int, out_of_memory: bool) -> None:
        now = timestamp(self._clock.now())
        with self._database.write() as tx:
            if sql.mark_stopped(tx, container, now, was="running", exit_code=exit_code):
                fact = ContainerStopped(
                    container=container,
                    workload=workload,
                    image=image,
                    exit_code=exit_code,
                    out_of_memory=out_of_memory,
                    expected=False,
                )
                self._ledger.append(tx, [fact], actor=_ACTOR)

    def _started_again(self, event: EngineEvent) -> None:
        """The engine restarted a container of ours after a crash, or it was resumed."""
        found: Observed | None = self._engine.status(event.name)
        restarts = found.restarts if found else 0
        with self._database.write() as tx:
            row = sql.mark_running_again(tx, event.container, restarts)
            if row is None:
                return
            fact = ContainerStarted(
                container=row.id,
                workload=row.workload,
                name=row.name,
                image=row.image,
                node=row.node,
                team=row.team,
                deployment=row.deployment,
                spec_digest=row.spec_digest,
                restarts=restarts,
            )
            self._ledger.append(tx, [fact], actor=_ACTOR)

    def _health(self, container: str, workload: str, health: str) -> None:
        with self._database.write() as tx:
            if sql.mark_health(tx, container, health):
                fact = ContainerHealthChanged(container=container, workload=workload, health=health)
                self._ledger.append(tx, [fact], actor=_ACTOR)

    def _note(self, facts: list[Fact]) -> None:
        _log.warning("engine lost")
        with self._database.write() as tx:
            self._ledger.append(tx, facts, actor=_ACTOR)
