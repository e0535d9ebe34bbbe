"""Which paths of a host give its keys away when a container can read or write them."""

from __future__ import annotations

import posixpath
from typing import Final

_SOCKETS: Final = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock", "cri-dockerd.sock", "buildkitd.sock")
_SENSITIVE: Final = (
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt/cni", "/proc", "/root", "/run", "/sbin", "/sys",
    "/usr", "/var/lib", "/var/log", "/var/run", "/var/spool/cron",
)  # fmt: skip
# What programs commonly read, and what tells nothing that matters.
_HARMLESS: Final = (
    "/etc/localtime", "/etc/timezone", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/etc/ssl/certs",
    "/etc/pki/ca-trust", "/etc/ca-certificates", "/usr/share/zoneinfo", "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates", "/etc/os-release", "/dev/null", "/usr/share/fonts",
)  # fmt: skip


def is_engine_socket(path: str) -> bool:
    """Whether it is the socket of a container engine, which makes root of the host out of whoever may write to it."""
    return posixpath.basename(path.rstrip("/")) in _SOCKETS


def is_sensitive(path: str, read_only: bool) -> bool:
    """Whether a container that reads (or, without `read_only`, writes) the path looks into the host, or takes it."""
    if not path.startswith("/"):
        return False
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if read_only and any(_below(clean, one) for one in _HARMLESS):
        return False
    return clean in ("/", "/var", "/opt") or any(_below(clean, one) for one in _SENSITIVE)


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + "/")
