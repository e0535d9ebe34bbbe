"""The senses of running containers put together with their judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lading.runtime_security.docker_engine import DockerContainers
from lading.runtime_security.judge.judging import RuntimeJudge
from lading.runtime_security.judge.policy_judge import PolicyJudge
from lading.runtime_security.posture.assessor import PostureAssessor
from lading.runtime_security.posture.kernel import ProcKernelReader
from lading.runtime_security.respond.responder import Responses
from lading.runtime_security.sense.files import FileSense
from lading.runtime_security.sense.processes import ProcessSense, engine_programs
from lading.runtime_security.sense.states import SensorStates
from lading.runtime_security.sense.watch import DriftWatch
from lading.wiring.adapters import InventoryFiles

if TYPE_CHECKING:
    from lading.wiring import Wiring


def open_drift_watch(wiring: Wiring, engine: str) -> DriftWatch:
    """The watch over the containers of the engine at this address."""
    containers = DockerContainers(engine)
    files = InventoryFiles(wiring.inventories)
    judge = RuntimeJudge(
        judge=PolicyJudge(wiring.policy),
        incidents=wiring.incidents,
        allowed=wiring.allowed,
        responder=Responses(wiring.incidents, containers),
        environment=wiring.settings.environment,
        clock=wiring.clock,
    )
    return DriftWatch(
        containers=containers,
        allowed=wiring.allowed,
        posture=PostureAssessor(containers, ProcKernelReader(), wiring.database, wiring.ledger),
        processes=ProcessSense(files, engine_programs()),
        files=FileSense(containers, files),
        states=SensorStates(wiring.engine.node(), wiring.database, wiring.ledger),
        sink=judge,
        clock=wiring.clock,
        seconds=wiring.settings.sense_seconds,
    )
