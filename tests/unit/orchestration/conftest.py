"""Applications to plan and deploy in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.orchestration.engines.memory.engine import MemoryEngine
from lading.orchestration.ingress.ingress import MemoryIngress
from lading.orchestration.rollout.deployments import Deployments
from lading.orchestration.workload.spec import Application, Health, Mount, Port, WorkloadSpec
from lading.state import Database

MakeShop = Callable[..., Application]


def _image(name: str, version: int) -> str:
    return f"127.0.0.1:5001/shop/{name}@sha256:{version:064x}"


@pytest.fixture
def make_shop() -> MakeShop:
    """A shop of a stateless web service behind a port, and a store that writes to a volume."""

    def make(version: int = 1, *, store: int = 1, replicas: int = 1, **web: Any) -> Application:
        check = Health(test=("CMD", "/probe"))
        made = WorkloadSpec(
            application="shop",
            service="web",
            team="shop",
            image=_image("web", version),
            ports=(Port(container_port=8000, host_port=8000),),
            health=check,
            replicas=replicas,
            depends_on=("store",),
        )
        workloads = [msgspec.structs.replace(made, **web)]
        if store:
            kept = WorkloadSpec(
                application="shop",
                service="store",
                team="shop",
                image=_image("store", store),
                mounts=(Mount(kind="volume", source="items", target="/data"),),
                health=check,
            )
            workloads.insert(0, kept)
        return Application(
            name="shop",
            team="shop",
            environment="production",
            workloads=tuple(workloads),
            volumes=("items",),
            networks=("back", "default"),
            internal_networks=("back",),
        )

    return make


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def ingress() -> MemoryIngress:
    return MemoryIngress()


@pytest.fixture
def removed() -> list[str]:
    """Containers whose logs were to be taken, in order."""
    return []


@pytest.fixture
def deployments(
    database: Database,
    ledger: Ledger,
    engine: MemoryEngine,
    ingress: MemoryIngress,
    clock: ManualClock,
    removed: list[str],
) -> Deployments:
    return Deployments(database, ledger, engine, ingress, before_removal=removed.append, clock=clock)
