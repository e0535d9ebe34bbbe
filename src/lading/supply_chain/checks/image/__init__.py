"""What is wrong with how an image is set up: its configuration, the steps it was built by, and its files."""

from __future__ import annotations

from collections.abc import Iterator

from lading.supply_chain.checks.image.building import building_weaknesses
from lading.supply_chain.checks.image.content import content_weaknesses
from lading.supply_chain.checks.image.running import running_weaknesses
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness

__all__ = ["image_weaknesses"]


def image_weaknesses(target: Target) -> Iterator[Weakness]:
    """The weaknesses of an image or of the root of one; none of anything else."""
    if target.of == "image" and target.configuration:
        yield from running_weaknesses(target)
        yield from building_weaknesses(target)
    if target.of == "image" or (target.of == "directory" and target.inventory.distribution):
        yield from content_weaknesses(target)
