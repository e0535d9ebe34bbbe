"""/proc/PID/status (proc(5)): what the kernel grants to a process now."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lading.runtime_security.posture.capabilities import of_mask
from lading.runtime_security.posture.found import KernelView

_SECCOMP: Final = {"0": "off", "1": "strict", "2": "filter"}


class ProcKernelReader:
    """A KernelReader over a proc file system."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc

    def view(self, pid: int, container: str) -> KernelView | None:
        if pid <= 1:
            return None
        try:
            if container not in (self._proc / str(pid) / "cgroup").read_text(encoding="utf-8", errors="replace"):
                return None  # the pid is of another engine's machine, or was given to somebody else meanwhile
            text = (self._proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return read_status(text)


def read_status(text: str) -> KernelView | None:
    """The view in the text of a status file; None when a line is missing."""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        return KernelView(
            capabilities=of_mask(int(fields["CapEff"], 16)),
            bounding=of_mask(int(fields["CapBnd"], 16)),
            uid=int(fields["Uid"].split()[1]),
            no_new_privileges=fields["NoNewPrivs"].strip() == "1",
            seccomp=_SECCOMP.get(fields["Seccomp"].strip(), "unknown"),
        )
    except (KeyError, ValueError, IndexError):
        return None


class MemoryKernelReader:
    """A KernelReader that is told what to say."""

    def __init__(self, views: dict[int, KernelView] | None = None) -> None:
        self.views = views or {}

    def view(self, pid: int, container: str) -> KernelView | None:  # noqa: ARG002 - any container's process
        return self.views.get(pid)
