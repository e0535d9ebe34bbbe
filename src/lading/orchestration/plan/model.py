"""What a plan is made of. A step names everything it needs: the executor has nothing left to decide."""

from __future__ import annotations

import msgspec


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """A container that the engine has. `state` is `running`, `exited` or `created`; `health` is `healthy`,
    `unhealthy`, `starting` or empty when it has no check."""

    id: str
    name: str
    workload: str
    image: str
    spec_digest: str
    state: str
    health: str = ""
    deployment: str = ""
    team: str = ""
    addresses: tuple[str, ...] = ()
    restarts: int = 0
    exit_code: int = 0
    out_of_memory: bool = False

    @property
    def serves(self) -> bool:
        """Whether it runs and its health check, if it has one, doesn't object."""
        return self.state == "running" and self.health in ("", "healthy", "starting")


class EnsureNetwork(msgspec.Struct, frozen=True, tag=True):
    """The network exists."""

    name: str
    internal: bool

    def __str__(self) -> str:
        return f"ensure network {self.name}{' (internal)' if self.internal else ''}"


class EnsureVolume(msgspec.Struct, frozen=True, tag=True):
    """The volume exists."""

    name: str

    def __str__(self) -> str:
        return f"ensure volume {self.name}"


class Pull(msgspec.Struct, frozen=True, tag=True):
    """The engine has the image."""

    workload: str
    image: str

    def __str__(self) -> str:
        return f"pull {self.image}"


class Start(msgspec.Struct, frozen=True, tag=True):
    """A container of the workload runs under this name."""

    workload: str
    name: str
    image: str
    spec_digest: str

    def __str__(self) -> str:
        return f"start {self.name} from {self.image}"


class AwaitHealthy(msgspec.Struct, frozen=True, tag=True):
    """The container passes its health check, or has run for a moment when it has none."""

    workload: str
    name: str

    def __str__(self) -> str:
        return f"await health of {self.name}"


class Route(msgspec.Struct, frozen=True, tag=True):
    """The published ports of the workload lead to exactly these containers."""

    workload: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"route {self.workload} to {', '.join(self.names) or 'nothing'}"


class Drain(msgspec.Struct, frozen=True, tag=True):
    """No request of the ingress is under way to the containers, or the time is up."""

    workload: str
    names: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return f"drain {', '.join(self.names)} (at most {self.seconds:g} s)"


class Stop(msgspec.Struct, frozen=True, tag=True):
    """The container does not run; it can be started again until it is removed."""

    workload: str
    name: str
    grace: float

    def __str__(self) -> str:
        return f"stop {self.name} (grace {self.grace:g} s)"


class Remove(msgspec.Struct, frozen=True, tag=True):
    """The container is gone; its logs were taken first."""

    workload: str
    name: str

    def __str__(self) -> str:
        return f"remove {self.name}"


Step = EnsureNetwork | EnsureVolume | Pull | Start | AwaitHealthy | Route | Drain | Stop | Remove


class Plan(msgspec.Struct, frozen=True):
    """Steps in order."""

    application: str
    steps: tuple[Step, ...]

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it shall be."""
        return not self.steps

    def text(self) -> str:
        """One line a step: what people approve and golden tests compare."""
        lines = [f"{number:3}  {step}" for number, step in enumerate(self.steps, 1)]
        return "\n".join([f"plan for {self.application}", *(lines or ["     nothing to do"])]) + "\n"
