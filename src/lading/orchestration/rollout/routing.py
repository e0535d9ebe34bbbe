"""Which published addresses lead to which containers: computed anew from what runs, so that nothing can be stale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lading.orchestration.ingress.ingress import IngressRoute
from lading.orchestration.plan.model import Observed
from lading.orchestration.workload.spec import WorkloadSpec


def routes(
    specs: Sequence[WorkloadSpec], observed: Sequence[Observed], chosen: Mapping[str, Sequence[Observed]]
) -> tuple[IngressRoute, ...]:
    """Every route there shall be.

    Args:
        specs: what is declared, and before it what was proven: containers are routed as their own specification says.
        observed: what the engine has.
        chosen: containers of workloads for which a rollout decided; others lead to those that serve.
    """
    found: list[IngressRoute] = []
    for workload in sorted({spec.name for spec in specs}):
        behind = chosen[workload] if workload in chosen else serving(workload, observed)
        mine = [spec for spec in specs if spec.name == workload]
        digests = {item.spec_digest for item in behind}
        spec = next((item for item in mine if str(item.digest()) in digests), mine[-1])
        found += _routes(spec, behind)
    return tuple(found)


def serving(workload: str, observed: Sequence[Observed]) -> tuple[Observed, ...]:
    """The containers of a workload that take requests: the healthy ones, or those that may become so."""
    mine = tuple(item for item in observed if item.workload == workload and item.serves)
    return tuple(item for item in mine if item.health != "starting") or mine


def _routes(spec: WorkloadSpec, behind: Sequence[Observed]) -> list[IngressRoute]:
    addresses = [item.addresses[0] for item in behind if item.addresses]
    if spec.publishes_itself or not addresses:
        return []
    return [
        IngressRoute(
            workload=spec.name,
            listen=f"{port.host_address}:{port.host_port}",
            upstreams=tuple(f"{address}:{port.container_port}" for address in addresses),
        )
        for port in spec.ports
    ]
