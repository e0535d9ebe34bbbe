"""Checks of the Linux kernel: what containers and run-time security need of it.

Each takes the root of the file system to look at, so that the same check reads a test's directory.
"""

from __future__ import annotations

import ctypes.util
import platform
from pathlib import Path
from typing import Final

from lading.entrypoints.cli.doctor.result import CheckResult, fail, ok, warn

_NAMESPACES: Final = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
_CONTROLLERS: Final = ("cpu", "memory", "pids")
_OLDEST: Final = (5, 4)


def check_kernel(_root: Path) -> CheckResult:
    """Linux, and new enough for what engines of the last years expect."""
    if platform.system() != "Linux":
        return fail("kernel", platform.system(), "Run Lading on Linux.")
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        return warn("kernel", release, "Use kernel 5.4 or newer; older ones miss parts that engines expect.")
    return ok("kernel", release)


def check_overlay(root: Path) -> CheckResult:
    """The overlay file system, which holds image layers."""
    if _has_file_system(root, "overlay"):
        return ok("overlay", "overlay file system is there")
    if _has_module(root, "overlay"):
        return ok("overlay", "overlay module can be loaded")
    return fail("overlay", "no overlay file system", "Load it: modprobe overlay")


def check_namespaces(root: Path) -> CheckResult:
    """The namespaces that keep containers apart."""
    missing = [name for name in _NAMESPACES if not (root / "proc/self/ns" / name).exists()]
    if missing:
        return fail("namespaces", f"missing {', '.join(missing)}", "Use a kernel with all namespaces.")
    return ok("namespaces", ", ".join(_NAMESPACES))


def check_cgroups(root: Path) -> CheckResult:
    """Control groups of version 1 or 2 with the controllers that limits and metrics need."""
    unified = root / "sys/fs/cgroup/cgroup.controllers"
    if unified.is_file():
        version, there = "version 2", set(_text(unified).split())
    else:
        rows = [line.split() for line in _text(root / "proc/cgroups").splitlines() if not line.startswith("#")]
        version, there = "version 1", {row[0] for row in rows if len(row) == 4 and row[3] == "1"}
    missing = [name for name in _CONTROLLERS if name not in there]
    if "memory" in missing or "pids" in missing:
        mend = "Enable them at boot: cgroup_enable=memory swapaccount=1"
        return fail("cgroups", f"{version} without {', '.join(missing)}", mend)
    if missing:
        return warn("cgroups", f"{version} without {', '.join(missing)}", "CPU limits will not hold on this kernel.")
    return ok("cgroups", f"{version} with {', '.join(_CONTROLLERS)}")


def check_seccomp(root: Path) -> CheckResult:
    """System call filters, which engines put around every container."""
    status = _text(root / "proc/self/status")
    if "Seccomp:" in status:
        return ok("seccomp", "system call filters work")
    return warn("seccomp", "no system call filters", "Use a kernel with CONFIG_SECCOMP_FILTER.")


def check_network(root: Path) -> CheckResult:
    """Bridges, virtual cables and forwarding, which container networks are made of."""
    forwarding = _text(root / "proc/sys/net/ipv4/ip_forward").strip()
    if not forwarding:
        return fail("network", "no IPv4 in this kernel or namespace", "Use a kernel with IPv4 networking.")
    if forwarding == "0":
        mend = "The engine turns it on; where it may not: sysctl -w net.ipv4.ip_forward=1"
        return warn("network", "forwarding is off", mend)
    return ok("network", "forwarding is on")


def check_btf(root: Path) -> CheckResult:
    """Type information of the running kernel, which lets one eBPF object run on every kernel."""
    file = root / "sys/kernel/btf/vmlinux"
    if not file.is_file():
        mend = "Use a kernel with CONFIG_DEBUG_INFO_BTF; programs are then watched by polling only."
        return warn("eBPF types", "no BTF", mend)
    return ok("eBPF types", f"BTF, {file.stat().st_size / 1e6:.1f} MB")


def check_bpf(root: Path) -> CheckResult:
    """Whether eBPF programs can be loaded, and by what."""
    if not (root / "proc/sys/kernel/unprivileged_bpf_disabled").exists():
        return warn("eBPF", "this kernel has no bpf system call", "Use a kernel with CONFIG_BPF_SYSCALL.")
    if ctypes.util.find_library("bpf") is None:
        return warn("eBPF", "libbpf is not installed", "Install it: apt-get install libbpf1")
    return ok("eBPF", "system call and libbpf are there")


def check_bpf_lsm(root: Path) -> CheckResult:
    """Whether eBPF may refuse what a program does, not only see it."""
    modules = _text(root / "sys/kernel/security/lsm").strip()
    if "bpf" in modules.split(","):
        return ok("eBPF enforcement", "BPF is among the security modules")
    if not modules:
        mend = "See the list first: mount -t securityfs none /sys/kernel/security"
        return warn("eBPF enforcement", "the list of security modules cannot be read", mend)
    mend = f"Add bpf to the kernel's list at boot: lsm={modules},bpf"
    return warn("eBPF enforcement", "BPF is not among the security modules", mend)


def _has_file_system(root: Path, name: str) -> bool:
    return name in _text(root / "proc/filesystems").split()


def _has_module(root: Path, name: str) -> bool:
    modules = root / "lib/modules" / platform.release()
    return modules.is_dir() and any(modules.glob(f"kernel/**/{name}.ko*"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
