"""The rules about how an image is set up. Numbers of the CIS Docker Benchmark are those of version 1.6.0."""

from __future__ import annotations

from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.rule import Rule

RUNS_AS_ROOT: Final = Rule(
    id="image-runs-as-root",
    kind="misconfiguration",
    title="The image runs as root",
    severity=Severity.MEDIUM,
    why="Whoever takes over the program is root in the container, one flaw of the kernel away from the host.",
    remedy="Add a user, and end the Dockerfile with USER and its number.",
    references=("CIS Docker 4.1", "CWE-250"),
)
NO_HEALTH_CHECK: Final = Rule(
    id="image-without-health-check",
    kind="misconfiguration",
    title="The image has no health check",
    severity=Severity.LOW,
    why="Nobody notices a program that hangs: it is there, so it counts as running.",
    remedy="Add HEALTHCHECK to the Dockerfile, or a health check where the image is deployed.",
    references=("CIS Docker 4.6",),
)

RULES: Final[tuple[Rule, ...]] = (RUNS_AS_ROOT, NO_HEALTH_CHECK)
