"""How the hardening of a specification is said to the Docker Engine."""

from __future__ import annotations

from typing import Any

from lading.orchestration.plan.planner import network_name
from lading.orchestration.workload.spec import WorkloadSpec

_LOG_SIZE = "10m"
_LOG_FILES = "3"


def host_options(spec: WorkloadSpec) -> dict[str, Any]:
    """The options of a container's host configuration, mounts and ports excepted."""
    options: dict[str, Any] = {
        "read_only": spec.read_only,
        "privileged": spec.privileged,
        "init": spec.init,
        "restart_policy": _restart(spec.restart),
        "log_config": {"Type": "json-file", "Config": {"max-size": _LOG_SIZE, "max-file": _LOG_FILES}},
    }
    if not spec.privileged:
        options["cap_drop"] = ["ALL"]
        options["cap_add"] = list(spec.capabilities)
    if spec.no_new_privileges:
        options["security_opt"] = ["no-new-privileges"]
    if spec.memory:
        # Equal limits: no swap beyond the memory limit.
        options["mem_limit"] = options["memswap_limit"] = spec.memory
    if spec.pids:
        options["pids_limit"] = spec.pids
    if spec.cpus:
        options["nano_cpus"] = int(spec.cpus * 1_000_000_000)
    if spec.host_network:
        options["network_mode"] = "host"
    elif not spec.networks:
        options["network_mode"] = "none"
    else:
        options["network_mode"] = network_name(spec.application, spec.networks[0])
    if spec.extra_hosts:
        options["extra_hosts"] = list(spec.extra_hosts)
    if spec.host_pid:
        options["pid_mode"] = "host"
    return options


def _restart(policy: str) -> dict[str, Any]:
    name, _, count = policy.partition(":")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}
