"""Applications from declaration to running: what shall be is kept first, then made so, and can be made so again.

    declare -> plan -> execute -> proven | rolled back to what was proven before

A kill at any point leaves what was declared; `reconcile` makes a fresh plan from what the engine has, and goes on. What
was last carried out is kept beside it as proven, so that the way back is known even then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.orchestration import (
    DeploymentFinished,
    DeploymentStarted,
    WorkloadDeclared,
    WorkloadRemoved,
)
from lading.kernel.canonical import canonical_json
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import LadingError, NotFound
from lading.kernel.ids import new_id
from lading.orchestration import sql
from lading.orchestration.engines.engine import Engine, EngineEvent
from lading.orchestration.errors import OrchestrationError, RolloutFailed
from lading.orchestration.ingress.ingress import Ingress
from lading.orchestration.plan.model import Observed, Plan
from lading.orchestration.plan.planner import plan, plan_removal
from lading.orchestration.rollout.executor import Executor
from lading.orchestration.rollout.notes import ContainerNotes
from lading.orchestration.rollout.routing import routes
from lading.orchestration.workload.spec import Application, WorkloadSpec
from lading.state import Database, Transaction

_log: Final = logging.getLogger(__name__)
Say = Callable[[str], None]
BeforeRemoval = Callable[[str], None]
_ACTOR: Final = "system:orchestration"
_KILLED: Final = 137


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a deployment ended: `succeeded`, `rolled-back`, `unchanged` or `failed` (there was no way back), and why."""

    deployment: str
    outcome: str
    reason: str = ""
    details: tuple[str, ...] = ()
    seconds: float = 0.0


class Deployments:
    """The applications of one engine. One deployment at a time.

    Args:
        before_removal: called with a container's id before it is removed, so that its logs can be taken.
        health_seconds: how long a new container may take to become healthy.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        engine: Engine,
        ingress: Ingress,
        *,
        before_removal: BeforeRemoval = lambda _container: None,
        health_seconds: float = 90.0,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._engine = engine
        self._ingress = ingress
        self._before_removal = before_removal
        self._clock = clock or SystemClock()
        self._notes = ContainerNotes(database, ledger, self._clock)
        self._executor = Executor(engine, self, self._clock, health_seconds)
        self._lock = threading.RLock()
        self._deployment = ""

    # Reading

    def applications(self) -> list[Application]:
        """Every application that shall run."""
        with self._database.read() as tx:
            return sql.all_applications(tx)

    def application(self, name: str) -> tuple[Application, str]:
        """One application and the digest of its source; raises NotFound."""
        with self._database.read() as tx:
            return sql.application_of(tx, name)

    def containers(self, *, running_only: bool = True, workload: str = "", image: str = "") -> list[sql.ContainerRow]:
        """Containers that are or were, youngest first."""
        with self._database.read() as tx:
            return sql.find_containers(tx, running_only=running_only, workload=workload, image=image)

    def running(self, images: Iterable[str]) -> list[sql.ContainerRow]:
        """Every running container of these images (digests), however many there are."""
        with self._database.read() as tx:
            return sql.running_images(tx, sorted(set(images)))

    def teams_running(self, images: Sequence[str]) -> dict[str, set[str]]:
        """Image (digest) -> the teams that have a running container of it."""
        with self._database.read() as tx:
            return sql.teams_running(tx, images)

    def plan(self, application: Application) -> Plan:
        """What deploying it would do."""
        return plan(application, self._engine.observe(application.name))

    # Changing

    def deploy(self, application: Application, *, source: str, cause: str, actor: str, say: Say) -> Outcome:
        """Declare an application, with its images pinned, and make it so.

        When a new version fails, what was proven before is declared again and made so, and the outcome is
        `rolled-back`; when there was none before, nothing of it stays but its volumes.

        Raises:
            EngineUnavailable: the engine does not answer; the declaration stays and is carried out when it does.
        """
        with self._lock:
            self._declare(application, source, actor)
            return self._attempt(application, cause, say)

    def reconcile(self, name: str, say: Say) -> Outcome:
        """Make an application as it was declared, whatever happened meanwhile; raises NotFound."""
        with self._lock:
            application, _source = self.application(name)
            return self._attempt(application, "reconcile", say)

    def remove(self, name: str, *, why: str, actor: str, say: Say) -> None:
        """Stop and remove an application's containers and networks; its volumes stay; raises NotFound."""
        with self._lock:
            application, _source = self.application(name)
            self._executor.run(plan_removal(name, self._engine.observe(name)), {}, new_id(), say)
            self._engine.remove_networks(name)
            with self._database.write() as tx:
                sql.forget_application(tx, name)
                facts = [WorkloadRemoved(workload=item.name, reason=why) for item in application.workloads]
                self._ledger.append(tx, facts, actor=actor)

    def restore_routes(self) -> None:
        """Lead every published address to the containers that serve now: they move when the engine starts them anew."""
        self._route({})

    def on_event(self, event: EngineEvent) -> None:
        """Listen to the engine: a container that was started again may have another address.

        A deployment that is under way routes by itself, so nothing waits for it here.
        """
        if event.kind not in ("start", "health") or not self._lock.acquire(blocking=False):
            return
        try:
            self.restore_routes()
        except LadingError as error:
            _log.warning("routes could not be restored", extra={"reason": error.what})
        finally:
            self._lock.release()

    # Hands of the executor

    def started(self, found: Observed) -> None:
        """Keep a container that was started."""
        self._notes.started(found, self._engine.node())

    def stopping(self, found: Observed) -> None:
        """Keep that a container will be ended, so that its end surprises nobody."""
        self._notes.stopping(found)

    def ending(self, found: Observed) -> None:
        """Let others take what they need of a container that is about to go."""
        self._before_removal(found.id)

    def ended(self, found: Observed, *, removed: bool) -> None:
        """Keep that a container runs no more."""
        exit_code = _KILLED if found.state == "running" else found.exit_code
        self._notes.stopped(found.id, exit_code=exit_code, out_of_memory=found.out_of_memory)
        if removed:
            self._notes.gone(found.id)

    def switch(self, workload: str, behind: tuple[Observed, ...]) -> None:
        """Lead a workload's published ports to exactly these containers, and all others to where they are now."""
        self._route({workload: behind})

    def drain(self, workload: str, leaving: tuple[Observed, ...], seconds: float) -> None:
        """Wait until the requests under way to these containers are answered."""
        with self._database.read() as tx:
            ports = {port.container_port for spec in sql.all_specs(tx) if spec.name == workload for port in spec.ports}
        upstreams = [f"{address}:{port}" for item in leaving for address in item.addresses for port in sorted(ports)]
        if not self._ingress.drain(upstreams, seconds):
            _log.warning("requests were still under way", extra={"workload": workload, "seconds": seconds})

    # How it is done

    def _declare(self, application: Application, source: str, actor: str) -> None:
        facts: list[Fact] = [
            WorkloadDeclared(
                workload=item.name,
                application=application.name,
                image=item.image,
                team=item.team,
                replicas=item.replicas,
                spec_digest=str(item.digest()),
                spec=canonical_json(_without_values(item)).decode(),
                relaxations=item.relaxations,
            )
            for item in application.workloads
        ]
        with self._database.write() as tx:
            facts += self._dropped(tx, application)
            sql.keep_application(tx, application, source, timestamp(self._clock.now()))
            self._ledger.append(tx, facts, actor=actor)

    def _dropped(self, tx: Transaction, application: Application) -> list[Fact]:
        """Workloads that the declaration before had and this one has no more."""
        try:
            before, _source = sql.application_of(tx, application.name)
        except NotFound:
            return []
        names = {item.name for item in application.workloads}
        gone = [item.name for item in before.workloads if item.name not in names]
        return [WorkloadRemoved(workload=name, reason="no longer declared") for name in gone]

    def _attempt(self, application: Application, cause: str, say: Say) -> Outcome:
        try:
            return self._make_so(application, cause, say)
        except RolloutFailed as error:
            return self._roll_back(application, error, say)

    def _make_so(self, application: Application, cause: str, say: Say) -> Outcome:
        started = self._clock.monotonic()
        todo = self._adopt_and_plan(application)
        self._close_interrupted(application)
        if todo.is_empty:
            self._prove(application)
            self.restore_routes()
            return Outcome(deployment="", outcome="unchanged", reason="everything runs as declared")
        deployment = self._begin(application, cause)
        specs = {item.name: item for item in application.workloads}
        try:
            self._executor.run(todo, specs, deployment, say)
        except RolloutFailed as error:
            self._finish(application, deployment, "rolled-back", error.what, started)
            raise _Failed(deployment, error) from error
        except LadingError as error:
            self._finish(application, deployment, "failed", error.what, started)
            raise
        self._prove(application)
        seconds = self._finish(application, deployment, "succeeded", "", started)
        return Outcome(deployment=deployment, outcome="succeeded", seconds=seconds)

    def _roll_back(self, application: Application, error: RolloutFailed, say: Say) -> Outcome:
        """Back to what was proven; without it, nothing that failed is left to serve by accident."""
        deployment = error.deployment if isinstance(error, _Failed) else ""
        with self._database.read() as tx:
            proven = sql.proven_application(tx, application.name)
        details = error.details
        if proven is not None and proven[0] == application:
            return Outcome(deployment=deployment, outcome="failed", reason=error.what, details=details)
        try:
            if proven is None:
                self.remove(application.name, why="its first deployment failed", actor=_ACTOR, say=say)
            else:
                self._declare(*proven, _ACTOR)
                self._make_so(proven[0], "rollback", say)
        except OrchestrationError as second:
            details = (*details, f"the way back is not complete: {second.what}")
        return Outcome(deployment=deployment, outcome="rolled-back", reason=error.what, details=details)

    def _adopt_and_plan(self, application: Application) -> Plan:
        """Plan, and keep containers that were started in the moment before a kill and never noted."""
        observed = self._engine.observe(application.name)
        for found in observed:
            if found.state == "running":
                self.started(found)
        return plan(application, observed)

    def _begin(self, application: Application, cause: str) -> str:
        deployment = new_id()
        facts = [
            DeploymentStarted(
                workload=item.name,
                deployment=deployment,
                image=item.image,
                spec_digest=str(item.digest()),
                cause=cause,
            )
            for item in application.workloads
        ]
        with self._database.write() as tx:
            sql.begin_deployment(tx, deployment, application.name, cause, timestamp(self._clock.now()))
            self._ledger.append(tx, facts, actor=_ACTOR)
        return deployment

    def _finish(self, application: Application, deployment: str, outcome: str, reason: str, started: float) -> float:
        seconds = self._clock.monotonic() - started
        facts = [
            DeploymentFinished(
                workload=item.name,
                deployment=deployment,
                outcome=outcome,
                image=item.image,
                reason=reason,
                seconds=seconds,
            )
            for item in application.workloads
        ]
        with self._database.write() as tx:
            sql.finish_deployment(tx, deployment, outcome, reason, seconds)
            self._ledger.append(tx, facts, actor=_ACTOR)
        return seconds

    def _close_interrupted(self, application: Application) -> None:
        """Deployments that a kill ended say so."""
        with self._database.read() as tx:
            interrupted = sql.open_deployments(tx, application.name)
        for deployment in interrupted:
            reason = "Lading was ended in the middle of it"
            self._finish(application, deployment, "failed", reason, self._clock.monotonic())

    def _prove(self, application: Application) -> None:
        with self._database.read() as tx:
            proven = sql.proven_application(tx, application.name)
            declared = sql.application_of(tx, application.name)
        if proven != declared:
            with self._database.write() as tx:
                sql.prove_application(tx, application.name)

    def _route(self, chosen: Mapping[str, tuple[Observed, ...]]) -> None:
        with self._database.read() as tx:
            specs = sql.all_specs(tx)
        self._ingress.apply(routes(specs, self._engine.observe(), chosen))


class _Failed(RolloutFailed):
    """A rollout that failed, and which deployment it was."""

    def __init__(self, deployment: str, error: RolloutFailed) -> None:
        super().__init__(error.what, remedy=error.remedy, details=error.details)
        self.deployment = deployment


def _without_values(spec: WorkloadSpec) -> WorkloadSpec:
    """What the ledger may keep: names of environment variables and build arguments, never their values."""
    build = spec.build and msgspec.structs.replace(spec.build, arguments=dict.fromkeys(spec.build.arguments, ""))
    return msgspec.structs.replace(spec, environment=dict.fromkeys(spec.environment, ""), build=build)
