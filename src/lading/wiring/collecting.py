"""What the registry gives up: garbage collection, retention, quotas, and what is known of deleted images."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING

from lading.lifecycle.forget import Forgetting
from lading.orchestration.rollout.deployments import Deployments
from lading.supply_chain.registry.collecting import Collections
from lading.supply_chain.registry.quotas import Quotas
from lading.supply_chain.registry.retention import Retention

if TYPE_CHECKING:
    from lading.wiring import Wiring


class RunningImages:
    """What orchestration says is running, as the registry's InUse."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def images(self) -> Collection[str]:
        return {row.image for row in self._deployments.containers() if row.image}


class Collecting:
    """The parts, made on demand."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._in_use = RunningImages(wiring.deployments)

    @cached_property
    def collections(self) -> Collections:
        parts = self._wiring
        return Collections(parts.database, parts.ledger, parts.storage, parts.holds, self._in_use, parts.clock)

    @cached_property
    def retention(self) -> Retention:
        parts = self._wiring
        return Retention(parts.database, parts.ledger, parts.registry, parts.holds, self._in_use, parts.clock)

    @cached_property
    def quotas(self) -> Quotas:
        return Quotas(self._wiring.database, self._wiring.ledger)

    @cached_property
    def forgetting(self) -> Forgetting:
        parts = self._wiring
        memories = (parts.findings, parts.reports, parts.attestations, parts.lineages)
        return Forgetting(parts.database, parts.registry, self._in_use, parts.inventories, memories)
