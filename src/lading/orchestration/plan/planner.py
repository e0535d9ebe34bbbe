"""The planner: pure, no clock, no engine.

Workloads are replaced one after the other, in the order of their dependencies. One that keeps no data gets its new
containers first and loses the old ones when those are healthy and the requests under way are answered. One that
writes to a volume is stopped first, because two writers of one volume lose data; so is one whose ports the engine
publishes, because two containers cannot share a port.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lading.orchestration.plan.model import (
    AwaitHealthy,
    Drain,
    EnsureNetwork,
    EnsureVolume,
    Observed,
    Plan,
    Pull,
    Remove,
    Route,
    Start,
    Step,
    Stop,
)
from lading.orchestration.workload.spec import Application, WorkloadSpec

_ORPHAN_GRACE: Final = 10.0


def plan(desired: Application, observed: Sequence[Observed]) -> Plan:
    """The steps from `observed` to `desired`.

    Args:
        desired: with every image pinned by digest.
        observed: every container of the application, also those that are stopped.
    """
    steps: list[Step] = []
    for workload in desired.workloads:
        mine = sorted((item for item in observed if item.workload == workload.name), key=lambda item: item.name)
        steps += _replace(workload, mine)
    if any(isinstance(step, Start) for step in steps):
        steps = _ground(desired) + steps
    known = {workload.name for workload in desired.workloads}
    steps += _removal([item for item in observed if item.workload not in known])
    return Plan(desired.name, tuple(steps))


def plan_removal(application: str, observed: Sequence[Observed]) -> Plan:
    """The steps to nothing."""
    return Plan(application, tuple(_removal(observed)))


def container_name(workload: WorkloadSpec, number: int) -> str:
    """`application-service-SPEC-NUMBER`: the same for the same attempt, so that a repeated plan finds what it made."""
    return f"{workload.application}-{workload.service}-{workload.digest().short[:8]}-{number}"


def network_name(application: str, network: str) -> str:
    """The engine's name of an application's network; no application has a dot in its name, so no two share one."""
    return f"lading_{application}.{network}"


def volume_name(application: str, volume: str) -> str:
    """The engine's name of an application's volume."""
    return f"lading_{application}.{volume}"


def application_in(name: str) -> str:
    """The application in the engine's name of a network or volume."""
    return name.removeprefix("lading_").partition(".")[0]


def _removal(observed: Sequence[Observed]) -> list[Step]:
    """Nothing leads there any more, then nothing is there."""
    steps: list[Step] = [Route(workload, ()) for workload in sorted({item.workload for item in observed})]
    for item in sorted(observed, key=lambda item: item.name):
        steps += _end(item.workload, item, _ORPHAN_GRACE)
    return steps


def _ground(desired: Application) -> list[Step]:
    networks = [
        EnsureNetwork(network_name(desired.name, name), name in desired.internal_networks) for name in desired.networks
    ]
    return [*networks, *(EnsureVolume(volume_name(desired.name, name)) for name in desired.volumes)]


def _replace(workload: WorkloadSpec, mine: list[Observed]) -> list[Step]:
    wanted = str(workload.digest())
    kept = [item for item in mine if item.spec_digest == wanted and item.serves][: workload.replicas]
    old = [item for item in mine if item not in kept]
    taken = {item.name for item in kept}
    names = (container_name(workload, number) for number in range(1, 2 * workload.replicas + len(mine) + 1))
    fresh = [name for name in names if name not in taken][: workload.replicas - len(kept)]
    waiting = [AwaitHealthy(workload.name, item.name) for item in kept if item.health == "starting"]
    if not fresh and not old and not waiting:
        return []
    # A broken container under a name that is needed again has to go before its successor comes.
    blocking = [item for item in old if item.name in fresh]
    leaving = [item for item in old if item not in blocking]
    pulls: list[Step] = [Pull(workload.name, workload.image)] if fresh else []
    starts = [step for item in blocking for step in _end(workload.name, item, workload.stop_grace)]
    starts += [Start(workload.name, name, workload.image, wanted) for name in fresh]
    starts += [*waiting, *(AwaitHealthy(workload.name, name) for name in fresh)]
    route = Route(workload.name, tuple(sorted([*taken, *fresh])))
    stops: list[Step] = [
        Stop(workload.name, item.name, workload.stop_grace) for item in leaving if item.state == "running"
    ]
    removes: list[Step] = [Remove(workload.name, item.name) for item in leaving]
    if workload.stops_first:
        return [*pulls, *stops, *starts, route, *removes]
    return [*pulls, *starts, route, *_drain(workload, leaving), *stops, *removes]


def _drain(workload: WorkloadSpec, leaving: Sequence[Observed]) -> list[Step]:
    names = tuple(item.name for item in leaving if item.state == "running")
    return [Drain(workload.name, names, workload.stop_grace)] if names and workload.ports else []


def _end(workload: str, item: Observed, grace: float) -> list[Step]:
    stop: list[Step] = [Stop(workload, item.name, grace)] if item.state == "running" else []
    return [*stop, Remove(workload, item.name)]
