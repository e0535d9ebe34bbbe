"""What a workload was allowed, read from the `workload` part of the policy input document.

What the document does not mention was not allowed: a container that nobody declared may have nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lading.runtime_security.posture.capabilities import named


class Allowance(NamedTuple):
    """The most a container of a workload may have. `user`, `memory_bytes` and `pids` empty or 0: nothing was said."""

    declared: bool = False
    user: str = ""
    privileged: bool = False
    read_only: bool = True
    no_new_privileges: bool = True
    capabilities: frozenset[str] = frozenset()
    host_network: bool = False
    host_pid: bool = False
    host_paths: tuple[str, ...] = ()
    memory_bytes: int = 0
    pids: int = 0

    @classmethod
    def of_workload(cls, workload: Mapping[str, Any] | None) -> Allowance:
        """Read the mapping; an absent or empty one allows nothing."""
        if not workload:
            return cls()
        return cls(
            declared=True,
            user=str(workload.get("user") or ""),
            privileged=bool(workload.get("privileged", False)),
            read_only=bool(workload.get("read_only", True)),
            no_new_privileges=bool(workload.get("no_new_privileges", True)),
            capabilities=frozenset(named(str(one)) for one in workload.get("capabilities") or ()),
            host_network=bool(workload.get("host_network", False)),
            host_pid=bool(workload.get("host_pid", False)),
            host_paths=tuple(_host_path(str(one)) for one in workload.get("host_paths") or ()),
            memory_bytes=int(workload.get("memory_bytes") or 0),
            pids=int(workload.get("pids") or 0),
        )


def _host_path(text: str) -> str:
    """`/srv/data:/data:ro` and `/srv/data` name the same path of the host."""
    return text.split(":", 1)[0].rstrip("/") or "/"
