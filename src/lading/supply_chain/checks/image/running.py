"""How an engine runs the image unless it is told otherwise: as whom, and whether its health can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.supply_chain.checks.image.rules import NO_HEALTH_CHECK, RUNS_AS_ROOT
from lading.supply_chain.checks.target import Target
from lading.supply_chain.checks.weakness import Weakness

_ROOT: Final = "root"


def running_weaknesses(target: Target) -> Iterator[Weakness]:
    """What its user and its health check say."""
    user = str(target.settings.get("User") or "").partition(":")[0].strip()
    if not user:
        yield RUNS_AS_ROOT.found("no USER is set, so it runs as root")
    elif user == _ROOT or not user.strip("0"):
        yield RUNS_AS_ROOT.found(f"USER is {user}")
    health = target.settings.get("Healthcheck")
    test = health.get("Test") if isinstance(health, dict) else None
    if not test or test == ["NONE"]:
        yield NO_HEALTH_CHECK.found("there is no HEALTHCHECK")
