"""What is checked: the inventory of an image, a directory or an SBOM, and what an image says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from lading.supply_chain.inventory.values import ImageInventory
from lading.supply_chain.lineage.values import Base

Of = Literal["image", "directory", "sbom"]
_MOST: Final = 10_000


class Step(NamedTuple):
    """A step of a build: its words, and the layer that it made; empty when it made none or that is not sure."""

    text: str
    layer: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """One thing to be checked.

    `configuration` is the image's whole configuration (OCI image specification, "Image Configuration"), as somebody
    wrote it: no field is sure to be there or to be of its type, so it is read through the properties. It is empty for
    what is no image. `at` is the moment at which it is checked. `base` is what it is built on, where a server knows it.
    """

    of: Of
    inventory: ImageInventory
    at: datetime
    configuration: dict[str, Any] = field(default_factory=dict)
    base: Base | None = None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the image tells an engine to run it with: the `config` of its configuration."""
        found = self.configuration.get("config")
        return found if isinstance(found, dict) else {}

    @cached_property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        found = self.settings.get("Labels")
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}

    @cached_property
    def history(self) -> tuple[Step, ...]:
        """The steps of its build, as far as they are told, the first first."""
        found = self.configuration.get("history")
        steps = [step for step in (found[:_MOST] if isinstance(found, list) else []) if isinstance(step, dict)]
        layers = iter(self.inventory.layers)
        fits = sum(not step.get("empty_layer") for step in steps) == len(self.inventory.layers)
        return tuple(
            Step(str(step.get("created_by") or ""), next(layers) if fits and not step.get("empty_layer") else "")
            for step in steps
        )
