"""Programs that outlive us: started as children of nobody, found again by pid file and command line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# The shell ends at once and its background job becomes init's child: no zombie stays with us when it ends.
_LAUNCH = 'log=$1; shift; exec 0</dev/null; setsid "$@" >>"$log" 2>&1 & echo $!'


def start_daemon(command: Sequence[str], *, log: Path, environment: Mapping[str, str], directory: Path) -> int:
    """Start a program in a session of its own, its output appended to `log`; returns its process id.

    Raises:
        OSError: there is no shell to start it with.
    """
    started = subprocess.run(
        ["/bin/sh", "-c", _LAUNCH, "sh", str(log), *command],
        env=dict(environment),
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(started.stdout)


def is_running(pid: int, argument: str) -> bool:
    """Whether process `pid` lives and has `argument` on its command line: process ids are used again by others."""
    try:
        return os.fsencode(argument) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def pid_in(file: Path, argument: str) -> int | None:
    """The process that a pid file names, if it is the one that was started with `argument`."""
    try:
        pid = int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return pid if is_running(pid, argument) else None
