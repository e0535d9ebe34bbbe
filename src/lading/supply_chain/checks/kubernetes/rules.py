"""Every rule about Kubernetes manifests. Numbers of the CIS Kubernetes Benchmark are those of version 1.12.0."""

from __future__ import annotations

from typing import Final

from lading.supply_chain.checks.files.file_rule import FileRule
from lading.supply_chain.checks.kubernetes import access, cluster, workloads
from lading.supply_chain.checks.kubernetes.objects import ManifestFile
from lading.supply_chain.checks.kubernetes.pod_security import baseline, restricted
from lading.supply_chain.checks.rule import Rule

CHECKS: Final[tuple[FileRule[ManifestFile], ...]] = (
    *baseline.CHECKS,
    *restricted.CHECKS,
    *workloads.CHECKS,
    *access.CHECKS,
    *cluster.CHECKS,
)
RULES: Final[tuple[Rule, ...]] = tuple(one.rule for one in CHECKS)
