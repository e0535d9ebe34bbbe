"""Linux capabilities by number (include/uapi/linux/capability.h), and what Docker grants when nobody says anything."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)
DOCKER_DEFAULT: Final = frozenset(
    {
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "MKNOD",
        "NET_RAW",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
        "AUDIT_WRITE",
    }
)


def named(name: str) -> str:
    """`CAP_NET_ADMIN`, `net_admin` and `NET_ADMIN` are one."""
    return name.upper().removeprefix("CAP_")


def of_mask(mask: int) -> frozenset[str]:
    """The capabilities of a bit mask, as in /proc/PID/status; one that we have no name for is `CAP_n`."""
    numbers = (number for number in range(mask.bit_length()) if mask >> number & 1)
    return frozenset(NAMES[number] if number < len(NAMES) else f"CAP_{number}" for number in numbers)


def granted(*, added: frozenset[str], dropped: frozenset[str], privileged: bool) -> frozenset[str]:
    """What Docker grants: everything to the privileged, else the default less `dropped` plus `added`."""
    every = frozenset(NAMES)
    if privileged:
        return every
    base = frozenset() if "ALL" in dropped else DOCKER_DEFAULT - dropped
    if "ALL" in added:
        return every - (dropped - {"ALL"})
    return base | added
