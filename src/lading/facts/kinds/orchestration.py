"""Facts about where and how containers run."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class EngineConnected(Fact, frozen=True, kw_only=True, tag="engine.connected"):
    """A container engine answered. `private` is true for the one Lading started for itself."""

    engine: str
    version: str
    node: str
    private: bool

    def subject(self) -> Subject:
        return Subject(SubjectKind.NODE, self.node)


class EngineLost(Fact, frozen=True, kw_only=True, tag="engine.lost"):
    """A container engine stopped answering."""

    node: str
    reason: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.NODE, self.node)


class _AboutWorkload(Fact, frozen=True, kw_only=True, tag="_about-workload"):
    workload: str

    def subject(self) -> Subject:
        return Subject.workload(self.workload)


class WorkloadDeclared(_AboutWorkload, frozen=True, kw_only=True, tag="workload.declared"):
    """A workload (`application/service`) shall run like this. `spec` is canonical JSON, `spec_digest` its digest."""

    application: str
    image: str
    team: str
    replicas: int
    spec_digest: str
    spec: str
    relaxations: tuple[str, ...]


class DeploymentStarted(_AboutWorkload, frozen=True, kw_only=True, tag="deployment.started"):
    """A plan for a workload is being carried out."""

    deployment: str
    image: str
    spec_digest: str
    cause: str


class DeploymentFinished(_AboutWorkload, frozen=True, kw_only=True, tag="deployment.finished"):
    """A deployment ended: `outcome` is `succeeded`, `rolled-back`, `refused` or `failed`."""

    deployment: str
    outcome: str
    image: str
    reason: str
    seconds: float


class WorkloadRemoved(_AboutWorkload, frozen=True, kw_only=True, tag="workload.removed"):
    """A workload shall not run any more."""

    reason: str


class _AboutContainer(Fact, frozen=True, kw_only=True, tag="_about-container"):
    container: str
    workload: str

    def subject(self) -> Subject:
        return Subject.container(self.container)


class ContainerStarted(_AboutContainer, frozen=True, kw_only=True, tag="container.started"):
    """A container runs: from which image digest, on which node, under which specification."""

    name: str
    image: str
    node: str
    team: str
    deployment: str
    spec_digest: str
    restarts: int = 0


class ContainerHealthChanged(_AboutContainer, frozen=True, kw_only=True, tag="container.health-changed"):
    """The health check of a container changed its mind."""

    health: str


class ContainerStopped(_AboutContainer, frozen=True, kw_only=True, tag="container.stopped"):
    """A container runs no more. `expected` is false when nobody asked for it."""

    image: str
    exit_code: int
    out_of_memory: bool
    expected: bool
