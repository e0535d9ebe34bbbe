"""Checking the images of a server: what is weak about each, by the rules of this version and the time that it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.supply_chain.checks.gathering import CHECKS, Check, gather
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.inventory.errors import NotInventoried
from lading.supply_chain.inventory.values import ImageInventory
from lading.supply_chain.lineage.values import Base


class Inventoried(Protocol):
    """What was read of images."""

    def of(self, image: Digest) -> ImageInventory:
        """The inventory that was taken of an image; raises NotInventoried."""
        ...


class Configurations(Protocol):
    """What images say of themselves."""

    def config(self, digest: Digest) -> dict[str, Any]:
        """The whole configuration of an image; empty when it has none."""
        ...


class Bases(Protocol):
    """What images are built on."""

    def of(self, image: Digest) -> Base | None:
        """The base of an image; None where nothing is known."""
        ...


class Checking:
    """Checks images."""

    def __init__(
        self,
        inventories: Inventoried,
        configurations: Configurations,
        clock: Clock,
        *,
        checks: Sequence[Check] = CHECKS,
        bases: Bases | None = None,
    ) -> None:
        self._inventories = inventories
        self._configurations = configurations
        self._clock = clock
        self._checks = checks
        self._bases = bases

    def of(self, image: Digest) -> tuple[Weakness, ...]:
        """What is weak about an image now, worst first; nothing of one that was not inventoried, which is a gap."""
        try:
            inventory = self._inventories.of(image)
        except NotInventoried:
            return ()
        configuration = self._configurations.config(image)
        base = self._bases.of(image) if self._bases is not None else None
        target = Target(of="image", inventory=inventory, at=self._clock.now(), configuration=configuration, base=base)
        return gather(target, self._checks)
