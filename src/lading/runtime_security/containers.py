"""The containers this domain looks at. The port that lists them is shared by posture and sense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class RunningContainer(NamedTuple):
    """One running container under our labels.

    `image` is the digest it was deployed from, of `repository`; `spec` the digest of its specification; `pid` its first
    process on this host, 0 when that cannot be seen; `health_command` what the engine itself starts in it; `mounts` the
    paths where something else than the image is; `writable` whether its root file system can change.
    """

    id: str
    name: str
    workload: str
    application: str
    team: str
    image: str
    pid: int
    spec: str = ""
    repository: str = ""
    writable: bool = True
    health_command: str = ""
    mounts: tuple[str, ...] = ()


class Containers(Protocol):
    """Who runs."""

    def running(self) -> Sequence[RunningContainer]:
        """Every running container under Lading's labels; raises EngineSilent."""
        ...

    def existing(self) -> frozenset[str]:
        """The ids of all containers under Lading's labels, stopped and paused ones too; raises EngineSilent."""
        ...


class MemoryContainers:
    """A Containers that is told who runs."""

    def __init__(self, *running: RunningContainer) -> None:
        self.present = {one.id: one for one in running}
        self.stopped: set[str] = set()

    def running(self) -> Sequence[RunningContainer]:
        return [one for one in self.present.values() if one.id not in self.stopped]

    def existing(self) -> frozenset[str]:
        return frozenset(self.present)
