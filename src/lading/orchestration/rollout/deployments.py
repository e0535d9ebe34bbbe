"""Applications from declaration to running: what shall be is kept first, then made so, and can be made so again.

    declare -> plan -> execute -> succeeded | rolled-back | failed

A kill at any point leaves what was declared; `deploy` makes a fresh plan from what the engine has, and goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.orchestration import (
    ContainerStarted,
    ContainerStopped,
    DeploymentFinished,
    DeploymentStarted,
    WorkloadDeclared,
    WorkloadRemoved,
)
from lading.kernel.canonical import canonical_json
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import LadingError
from lading.kernel.ids import new_id
from lading.orchestration import sql
from lading.orchestration.engines.engine import Engine
from lading.orchestration.errors import OrchestrationError, RolloutFailed
from lading.orchestration.ingress.ingress import Ingress, IngressRoute
from lading.orchestration.plan.model import Observed, Plan
from lading.orchestration.plan.planner import plan, plan_removal
from lading.orchestration.rollout.executor import Executor
from lading.orchestration.workload.spec import Application, WorkloadSpec
from lading.state import Database

Say = Callable[[str], None]
BeforeRemoval = Callable[[str], None]
_ACTOR: Final = "system:orchestration"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a deployment ended: `succeeded`, `rolled-back` or `unchanged`, and why."""

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
        self._executor = Executor(engine, self._switch, self, self._clock, health_seconds)
        self._routes: dict[str, tuple[IngressRoute, ...]] = {}
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

    def plan(self, application: Application) -> Plan:
        """What deploying it would do."""
        return plan(application, self._engine.observe(application.name))

    # Changing

    def deploy(self, application: Application, *, source: str, cause: str, actor: str, say: Say) -> Outcome:
        """Declare an application, with its images pinned, and make it so.

        When a new version does not become healthy, what was declared before is declared again and the outcome is
        `rolled-back`.

        Raises:
            EngineUnavailable: the engine does not answer; the declaration stays and is carried out when it does.
        """
        with self._lock:
            before = self._declared(application.name)
            self._declare(application, source, actor)
            try:
                return self._make_so(application, cause, say)
            except RolloutFailed as error:
                if before is not None:
                    self._declare(before[0], before[1], _ACTOR)
                else:
                    self._forget(application.name)
                return self._rolled_back(error)

    def reconcile(self, name: str, say: Say) -> Outcome:
        """Make an application as it was declared, whatever happened meanwhile; raises NotFound."""
        with self._lock:
            application, _source = self.application(name)
            if self.plan(application).is_empty:
                self._restore_routes(application)
                return Outcome(deployment="", outcome="unchanged")
            try:
                return self._make_so(application, "reconcile", say)
            except RolloutFailed as error:
                return self._rolled_back(error)

    def remove(self, name: str, *, why: str, actor: str, say: Say) -> None:
        """Stop and remove an application's containers and networks; its volumes stay; raises NotFound."""
        with self._lock:
            application, _source = self.application(name)
            self._deployment = new_id()
            self._executor.run(plan_removal(name, self._engine.observe(name)), {}, self._deployment, say)
            self._engine.remove_networks(name)
            with self._database.write() as tx:
                sql.forget_application(tx, name)
                facts = [WorkloadRemoved(workload=item.name, reason=why) for item in application.workloads]
                self._ledger.append(tx, facts, actor=actor)

    # Notes of the executor

    def started(self, container: str, spec: WorkloadSpec, name: str) -> None:
        """Keep a container that was started."""
        digest = spec.image.rpartition("@")[2] or spec.image
        values = {
            "id": container,
            "name": name,
            "workload": spec.name,
            "application": spec.application,
            "team": spec.team,
            "image": digest,
            "node": self._engine.node(),
            "deployment": self._deployment,
            "spec_digest": str(spec.digest()),
            "state": "running",
            "health": "starting" if spec.health else "",
            "started": timestamp(self._clock.now()),
        }
        fact = ContainerStarted(
            container=container,
            workload=spec.name,
            name=name,
            image=digest,
            node=values["node"],
            team=spec.team,
            deployment=self._deployment,
            spec_digest=values["spec_digest"],
        )
        with self._database.write() as tx:
            sql.keep_container(tx, values)
            self._ledger.append(tx, [fact], actor=_ACTOR)

    def stopping(self, observed: Observed) -> None:
        """Keep that the end of a container is wanted, before the engine tells of it."""
        with self._database.write() as tx:
            sql.mark_stopping(tx, observed.id)

    def ending(self, observed: Observed) -> None:
        """Let others take what they need of a container that is about to go."""
        self.stopping(observed)
        self._before_removal(observed.id)

    def ended(self, observed: Observed, *, removed: bool) -> None:
        """Keep that a container runs no more."""
        now = timestamp(self._clock.now())
        with self._database.write() as tx:
            changed = sql.mark_stopped(tx, observed.id, now, was="stopping")
            if removed:
                sql.mark_gone(tx, observed.id)
            if changed:
                fact = ContainerStopped(
                    container=observed.id,
                    workload=observed.workload,
                    image=observed.image.rpartition("@")[2],
                    exit_code=0,
                    out_of_memory=False,
                    expected=True,
                )
                self._ledger.append(tx, [fact], actor=_ACTOR)

    # How it is done

    def _declared(self, name: str) -> tuple[Application, str] | None:
        with self._database.read() as tx:
            known = {item.name for item in sql.all_applications(tx)}
            return sql.application_of(tx, name) if name in known else None

    def _declare(self, application: Application, source: str, actor: str) -> None:
        facts = [
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
            sql.keep_application(tx, application, source, timestamp(self._clock.now()))
            self._ledger.append(tx, facts, actor=actor)

    def _make_so(self, application: Application, cause: str, say: Say) -> Outcome:
        started = self._clock.monotonic()
        todo = self.plan(application)
        if todo.is_empty:
            self._restore_routes(application)
            return Outcome(deployment="", outcome="unchanged", reason="everything runs as declared")
        self._deployment = new_id()
        facts: list[Fact] = [
            DeploymentStarted(
                workload=item.name,
                deployment=self._deployment,
                image=item.image,
                spec_digest=str(item.digest()),
                cause=cause,
            )
            for item in application.workloads
        ]
        with self._database.write() as tx:
            sql.open_deployment(tx, self._deployment, application.name, cause, timestamp(self._clock.now()))
            self._ledger.append(tx, facts, actor=_ACTOR)
        specs = {item.name: item for item in application.workloads}
        try:
            self._executor.run(todo, specs, self._deployment, say)
        except LadingError as error:
            rolled_back = isinstance(error, RolloutFailed)
            self._finish(application, "rolled-back" if rolled_back else "failed", error.what, started)
            raise
        seconds = self._finish(application, "succeeded", "", started)
        return Outcome(deployment=self._deployment, outcome="succeeded", seconds=seconds)

    def _finish(self, application: Application, outcome: str, reason: str, started: float) -> float:
        seconds = self._clock.monotonic() - started
        facts = [
            DeploymentFinished(
                workload=item.name,
                deployment=self._deployment,
                outcome=outcome,
                image=item.image,
                reason=reason,
                seconds=seconds,
            )
            for item in application.workloads
        ]
        with self._database.write() as tx:
            sql.close_deployment(tx, self._deployment, outcome, reason, seconds)
            self._ledger.append(tx, facts, actor=_ACTOR)
        return seconds

    def _forget(self, name: str) -> None:
        with self._database.write() as tx:
            sql.forget_application(tx, name)

    def _rolled_back(self, error: OrchestrationError) -> Outcome:
        return Outcome(
            deployment=self._deployment, outcome="rolled-back", reason=error.what, details=tuple(error.details)
        )

    def _switch(self, workload: str, behind: tuple[Observed, ...]) -> None:
        application = workload.partition("/")[0]
        specs: dict[str, WorkloadSpec] = {}
        declared = self._declared(application)
        if declared is not None:
            specs = {item.name: item for item in declared[0].workloads}
        self._routes[workload] = _routes(specs.get(workload), behind)
        self._restore_others(workload)
        self._ingress.apply([route for routes in self._routes.values() for route in routes])

    def _restore_others(self, besides: str) -> None:
        """After a restart this process knows no routes: find those of every other workload again."""
        observed = self._engine.observe()
        for application in self.applications():
            for spec in application.workloads:
                if spec.name not in self._routes and spec.name != besides:
                    mine = tuple(item for item in observed if item.workload == spec.name and item.serves)
                    self._routes[spec.name] = _routes(spec, mine)

    def _restore_routes(self, application: Application) -> None:
        """Containers get other addresses when the engine restarts: route to where they are now."""
        observed = self._engine.observe(application.name)
        for spec in application.workloads:
            mine = tuple(item for item in observed if item.workload == spec.name and item.serves)
            if self._routes.get(spec.name) != _routes(spec, mine):
                self._switch(spec.name, mine)


def _routes(spec: WorkloadSpec | None, behind: tuple[Observed, ...]) -> tuple[IngressRoute, ...]:
    if spec is None or spec.keeps_data or not behind:
        return ()
    return tuple(
        IngressRoute(
            workload=spec.name,
            listen=f"{port.host_address}:{port.host_port}",
            upstreams=tuple(f"{item.addresses[0]}:{port.container_port}" for item in behind if item.addresses),
        )
        for port in spec.ports
        if port.protocol == "tcp"
    )


def _without_values(spec: WorkloadSpec) -> WorkloadSpec:
    """What the ledger may keep: names of environment variables, never their values."""
    return msgspec.structs.replace(spec, environment=dict.fromkeys(spec.environment, ""))
