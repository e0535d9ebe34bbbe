"""Capabilities of Linux by what they let a program do to the host."""

from __future__ import annotations

from typing import Final

# Each of them is a known way out of a container, or to what others send and keep (capabilities(7)).
_DANGEROUS: Final = frozenset({
    "ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "SYS_TIME", "SYS_TTY_CONFIG",
    "NET_ADMIN", "DAC_READ_SEARCH", "BPF", "PERFMON", "SYSLOG", "MAC_ADMIN", "MAC_OVERRIDE", "LINUX_IMMUTABLE",
    "CHECKPOINT_RESTORE", "SYS_PACCT", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_CONTROL", "SYS_RESOURCE", "IPC_OWNER",
    "LEASE",
})  # fmt: skip


def name_of(capability: str) -> str:
    """The name without CAP_, in capitals."""
    return capability.strip().upper().removeprefix("CAP_")


def is_dangerous(capability: str) -> bool:
    """Whether it leads out of the container."""
    return name_of(capability) in _DANGEROUS
