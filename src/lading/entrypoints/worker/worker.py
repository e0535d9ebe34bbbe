"""Start every part of the worker, and stop them in the order that loses nothing."""

from __future__ import annotations

import logging
import threading
from typing import Final

from lading.entrypoints.worker.backups import BackupSchedule
from lading.entrypoints.worker.feeds import FeedSchedule
from lading.entrypoints.worker.followers import Followers
from lading.entrypoints.worker.intake import Intake
from lading.entrypoints.worker.jobs import JobRunner
from lading.entrypoints.worker.mirroring import MirrorEar, MirrorRunner
from lading.entrypoints.worker.threads import Threads
from lading.facts.kinds.orchestration import EngineConnected
from lading.kernel.errors import LadingError
from lading.orchestration.engines.docker.detect import ask
from lading.orchestration.engines.docker.private import PrivateEngine
from lading.orchestration.engines.engine import EngineEvent
from lading.orchestration.rollout.watcher import EngineWatcher
from lading.runtime_security.sense.watch import DriftWatch
from lading.state.leadership import Leadership
from lading.wiring import Wiring

_log: Final = logging.getLogger(__name__)
# One more than two, because a backup may take hours.
_JOBS_AT_ONCE: Final = 3
_RECONCILE_SECONDS: Final = 60.0


class Worker:
    """The threads of the worker process. Of several workers on one database one leads and does the work; the others
    take in what their own hosts noted down, and stand by."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._senses: DriftWatch | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; raises Unavailable when the lead was lost and something would not end."""
        run = self._wiring.settings.data / "run"
        always = Threads(stop)
        always.start("intake", Intake(self._wiring).run)
        always.start("mirror-ear", MirrorEar(self._wiring).run)
        if self._wiring.tree is not None and "pull" in self._wiring.settings.roles:
            always.start("tree", self._wiring.tree.keeper().run)
        (run / "worker.ready").touch()
        try:
            Leadership(self._wiring.database, run, "worker").lead(stop, self._lead)
        finally:
            always.join()

    def _lead(self, over: threading.Event) -> None:
        """Everything that only one worker may do."""
        threads = Threads(over)
        runner = JobRunner(self._wiring)
        threads.start("followers", Followers(self._wiring).run)
        threads.start("replication", lambda over: self._wiring.replication.replicator().run(over))
        mirrors = MirrorRunner(self._wiring)
        threads.start("mirror", mirrors.run)
        threads.start("mirror-plans", mirrors.plan)
        threads.start("feeds", FeedSchedule(self._wiring).run)
        threads.start("backups", BackupSchedule(self._wiring).run)
        threads.start("take-over", lambda _over: self._take_over(runner, threads))
        if self._wiring.settings.engine:
            threads.start("engine", lambda over: self._with_engine(over, threads))
        over.wait()
        while not threads.join():
            _log.warning("parts of the worker are still ending")

    def _take_over(self, runner: JobRunner, threads: Threads) -> None:
        runner.take_over()
        for number in range(_JOBS_AT_ONCE):
            threads.start(f"jobs-{number}", runner.run)

    def _with_engine(self, stop: threading.Event, threads: Threads) -> None:
        """Collect, sense and watch while the engine is there; an engine that goes away is waited for."""
        wiring = self._wiring
        self._connected()
        collector, senses = wiring.collector, wiring.drift_watch()
        self._senses = senses
        collector.start()
        senses.start()
        threads.start("reconcile", self._reconcile)
        listeners = [wiring.deployments.on_event, self._listen]
        watcher = EngineWatcher(wiring.engine, wiring.database, wiring.ledger, listeners, wiring.clock)
        try:
            watcher.run(stop)
        finally:
            senses.stop()
            collector.stop()

    def _connected(self) -> None:
        """State which engine answers; raises EngineUnavailable."""
        wiring = self._wiring
        facts = ask(wiring.settings.engine)
        fact = EngineConnected(
            engine="Docker Engine",
            version=facts.version if facts else "",
            node=wiring.engine.node(),
            private=wiring.settings.engine == PrivateEngine(wiring.settings.data / "engine").address,
        )
        with wiring.database.write() as tx:
            wiring.ledger.append(tx, [fact], actor="system:lading")

    def _reconcile(self, stop: threading.Event) -> None:
        """Make what was declared so again: after a start, because a kill may have left a rollout in the middle, and
        now and then, because somebody may have taken a container away."""
        while not stop.is_set():
            for application in self._wiring.deployments.applications():
                try:
                    outcome = self._wiring.deployments.reconcile(application.name, lambda _text: None)
                except LadingError as error:
                    _log.warning("not reconciled", extra={"application": application.name, "error": str(error)})
                    continue
                if outcome.outcome != "unchanged":
                    _log.info("reconciled", extra={"application": application.name, "outcome": outcome.outcome})
            stop.wait(_RECONCILE_SECONDS)

    def _listen(self, event: EngineEvent) -> None:
        if event.kind == "update" and self._senses is not None:
            self._senses.changed(event.container)
            return
        if event.kind != "exec" or event.detail.get("phase") != "exec_start" or self._senses is None:
            return
        try:
            self._senses.exec_started(event.container, event.detail.get("command", ""))
        except LadingError as error:
            _log.warning("an exec could not be judged", extra={"container": event.container, "error": str(error)})
