"""Follow what the engine does to our containers, and miss nothing: after a gap the stream goes on where it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from lading.facts import Ledger
from lading.facts.kinds.orchestration import EngineLost
from lading.kernel.clock import Clock, SystemClock
from lading.orchestration import sql
from lading.orchestration.engines.engine import Engine, EngineEvent
from lading.orchestration.errors import OrchestrationError
from lading.orchestration.rollout.notes import ContainerNotes
from lading.state import Database

_log: Final = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 1.0
_WINDOW_SECONDS: Final = 5.0
_UNKNOWN: Final = -1
_ACTOR: Final = "system:engine"

Listener = Callable[[EngineEvent], None]


class EngineWatcher:
    """Turns engine events into facts and hands them to listeners, from a thread of its own.

    Args:
        listeners: called with every event, in order, once; they handle their own errors.
        window: seconds between two looks at the whole engine, and the longest wait of `run` for its stop.
    """

    def __init__(
        self,
        engine: Engine,
        database: Database,
        ledger: Ledger,
        listeners: Sequence[Listener],
        clock: Clock | None = None,
        *,
        window: float = _WINDOW_SECONDS,
    ) -> None:
        self._engine = engine
        self._database = database
        self._ledger = ledger
        self._listeners = tuple(listeners)
        self._notes = ContainerNotes(database, ledger, clock or SystemClock())
        self._window = window
        self._since = time.time()
        self._seen: list[EngineEvent] = []
        self._short_of_memory: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Watch until told to stop; an engine that goes away is a fact and is waited for."""
        lost = False
        while not stop.is_set():
            try:
                self.settle()
                lost = False
                self.watch()
            except OrchestrationError as error:
                if not lost:
                    self._lost(error)
                lost = True
                stop.wait(_RETRY_SECONDS)

    def watch(self) -> None:
        """Take the events of one window; raises EngineUnavailable."""
        for event in self._engine.events(self._since, self._window):
            if event in self._seen:
                continue
            if event.at > self._since:
                # The next window begins with this very moment: only its events can come twice.
                self._since, self._seen = event.at, []
            self._seen.append(event)
            self._take(event)

    def settle(self) -> None:
        """Compare what we believe with what the engine has, and note what changed while nobody watched."""
        real = {item.id: item for item in self._engine.observe()}
        with self._database.read() as tx:
            believed = sql.find_containers(tx, running_only=True)
            new = [
                item for item in real.values() if item.state == "running" and sql.find_container(tx, item.id) is None
            ]
            # The container of a deployment that is under way is noted by the one who carries it out.
            unknown = [item for item in new if not sql.under_way(tx, item.deployment)]
        for item in unknown:
            self._notes.started(item, self._engine.node())
        for row in believed:
            found = real.get(row.id)
            if found is None:
                self._notes.stopped(row.id, exit_code=_UNKNOWN)
                self._notes.gone(row.id)
            elif found.state != "running":
                self._notes.stopped(row.id, exit_code=found.exit_code, out_of_memory=found.out_of_memory)
            elif found.health:
                self._notes.health(found.id, found.health)

    def _take(self, event: EngineEvent) -> None:
        match event.kind:
            case "oom":
                self._short_of_memory.add(event.container)
            case "die":
                self._died(event)
            case "health":
                self._notes.health(event.container, event.detail.get("health", ""))
            case "start":
                self._started_again(event)
        for listener in self._listeners:
            listener(event)

    def _died(self, event: EngineEvent) -> None:
        """A container ended, unless it runs again without a restart by the engine: then we resumed it since."""
        found = self._engine.status(event.name)
        with self._database.read() as tx:
            known = sql.find_container(tx, event.container)
        resumed = found is not None and found.id == event.container and found.state == "running"
        if known is None or (resumed and found is not None and found.restarts <= known.restarts):
            return
        code = event.detail.get("exit_code", "")
        self._notes.stopped(
            event.container,
            exit_code=int(code) if code.isdigit() else _UNKNOWN,
            out_of_memory=event.container in self._short_of_memory,
        )
        self._short_of_memory.discard(event.container)

    def _started_again(self, event: EngineEvent) -> None:
        """The engine restarted a container of ours after a crash; those we start ourselves are noted already."""
        found = self._engine.status(event.name)
        with self._database.read() as tx:
            known = sql.find_container(tx, event.container)
        if known is not None and found is not None and found.id == event.container:
            self._notes.started(found, known.node)

    def _lost(self, error: OrchestrationError) -> None:
        _log.warning("engine lost", extra={"reason": error.what})
        with self._database.write() as tx:
            self._ledger.append(tx, [EngineLost(node="engine", reason=error.what)], actor=_ACTOR)
