"""Found against allowed: a pure function to short sentences, each one privilege too many."""

from __future__ import annotations

from collections.abc import Iterator

from lading.runtime_security.posture.allowance import Allowance
from lading.runtime_security.posture.found import Found, KernelView


def deviations(allowed: Allowance, found: Found, kernel: KernelView | None) -> tuple[str, ...]:
    """What the container has beyond what it was allowed, worst first; empty when nothing."""
    return (
        *_undeclared(allowed),
        *_confinement(allowed, found, kernel),
        *_capabilities(allowed, found, kernel),
        *_user(allowed, found, kernel),
        *_reach(allowed, found),
        *_limits(allowed, found),
    )


def privileges(found: Found, kernel: KernelView | None) -> dict[str, str]:
    """What the container has, for people and for the bill; `seen by` says who was asked."""
    capabilities = found.capabilities if kernel is None else kernel.capabilities
    user = found.user or "root"
    return {
        "seen by": "engine" if kernel is None else "engine and kernel",
        "user": user if kernel is None else f"{user} (uid {kernel.uid})",
        "capabilities": " ".join(sorted(capabilities)) or "none",
        "privileged": _yes(found.privileged),
        "read-only root": _yes(found.read_only),
        "no new privileges": _yes(found.no_new_privileges if kernel is None else kernel.no_new_privileges),
        "seccomp": found.seccomp if kernel is None else f"{found.seccomp} ({kernel.seccomp})",
        "apparmor": found.apparmor or "none",
        "host namespaces": " ".join(_host_namespaces(found)) or "none",
        "host paths": " ".join(found.host_paths) or "none",
        "devices": " ".join(found.devices) or "none",
        "memory limit": str(found.memory_bytes) if found.memory_bytes else "none",
        "pids limit": str(found.pids) if found.pids else "none",
        "ports": " ".join(found.ports) or "none",
    }


def _undeclared(allowed: Allowance) -> Iterator[str]:
    if not allowed.declared:
        yield "it runs under our labels, but no workload of that name was declared"


def _confinement(allowed: Allowance, found: Found, kernel: KernelView | None) -> Iterator[str]:
    if found.privileged and not allowed.privileged:
        yield "it is privileged"
    if not found.read_only and allowed.read_only:
        yield "its root file system is writable"
    protected = found.no_new_privileges if kernel is None else kernel.no_new_privileges
    if not protected and allowed.no_new_privileges:
        yield "it may gain new privileges"
    if allowed.privileged:
        return
    if found.seccomp == "unconfined":
        yield "seccomp is off"
    elif kernel is not None and kernel.seccomp == "off" and not found.privileged:
        yield "the kernel applies no seccomp filter to it"
    if found.apparmor == "unconfined" and not found.privileged:
        yield "AppArmor is off"


def _capabilities(allowed: Allowance, found: Found, kernel: KernelView | None) -> Iterator[str]:
    if allowed.privileged or "ALL" in allowed.capabilities:
        return
    if found.privileged:
        return  # said already
    if beyond := found.capabilities - allowed.capabilities:
        yield f"capabilities {' '.join(sorted(beyond))}"
    if kernel is not None and (
        hidden := (kernel.capabilities | kernel.bounding) - found.capabilities - allowed.capabilities
    ):
        yield f"capabilities {' '.join(sorted(hidden))}, which the engine does not mention"


def _user(allowed: Allowance, found: Found, kernel: KernelView | None) -> Iterator[str]:
    wanted = allowed.user.split(":", 1)[0]
    if wanted in ("", "root", "0"):
        return
    if kernel is not None and kernel.uid == 0:
        yield f"it runs as root, not as {allowed.user}"
    elif found.user and found.user != allowed.user:
        yield f"it runs as {found.user}, not as {allowed.user}"


def _reach(allowed: Allowance, found: Found) -> Iterator[str]:
    if found.host_network and not allowed.host_network:
        yield "it is in the host's network"
    if found.host_pid and not allowed.host_pid:
        yield "it sees the host's processes"
    if found.host_ipc:
        yield "it shares the host's IPC"
    for path in found.host_paths:
        if path not in allowed.host_paths:
            yield f"host path {path}"
    if not allowed.privileged:
        for device in found.devices:
            yield f"device {device}"


def _limits(allowed: Allowance, found: Found) -> Iterator[str]:
    for name, limit, actual in (
        ("memory", allowed.memory_bytes, found.memory_bytes),
        ("process", allowed.pids, found.pids),
    ):
        if limit and not actual:
            yield f"no {name} limit, where {limit} was set"
        elif limit and actual > limit:
            yield f"a {name} limit of {actual}, where {limit} was set"


def _host_namespaces(found: Found) -> Iterator[str]:
    for name, shared in (("network", found.host_network), ("pid", found.host_pid), ("ipc", found.host_ipc)):
        if shared:
            yield name


def _yes(value: bool) -> str:
    return "yes" if value else "no"
