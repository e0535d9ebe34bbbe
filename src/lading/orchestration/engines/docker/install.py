"""Install the Docker Engine from Debian's packages, without letting the package start a daemon of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lading.orchestration.errors import EngineUnavailable

_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_APT_SECONDS: Final = 600

Say = Callable[[str], None]


def is_installed() -> bool:
    """Whether dockerd and what it starts are on this machine."""
    return all(shutil.which(name, path=_path()) for name in ("dockerd", "containerd", "runc"))


def can_install() -> bool:
    """Whether we are root on a machine with Debian's package manager."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_engine(say: Say) -> None:
    """Install docker.io and what a bridge network needs.

    Raises:
        EngineUnavailable: apt-get failed; its last lines are the details.
    """
    say("installing docker.io from Debian packages")
    with no_services():
        apt_get(["update", "-qq"])
        apt_get(["install", "-y", "-qq", "--no-install-recommends", "docker.io", "iptables", "iproute2"])


def apt_get(arguments: Sequence[str]) -> None:
    """Run apt-get without questions; raises EngineUnavailable with its last lines."""
    command = ["apt-get", *arguments]
    try:
        ended = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_APT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineUnavailable(f"apt-get {arguments[0]} did not end: {error}.") from error
    if ended.returncode != 0:
        raise EngineUnavailable(
            f"apt-get {' '.join(arguments)} failed with exit code {ended.returncode}.",
            remedy="Mend what it says below, or install the Docker Engine yourself; then run the same command again.",
            details=tuple((ended.stdout + ended.stderr).splitlines()[-12:]),
        )


@contextmanager
def no_services() -> Iterator[None]:
    """Packages installed meanwhile start no service (policy-rc.d, Debian policy 9.3.3.1); an existing policy stays."""
    if _POLICY.exists():
        yield
        return
    descriptor, name = tempfile.mkstemp(dir=_POLICY.parent)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write("#!/bin/sh\nexit 101\n")
    os.chmod(name, 0o755)  # noqa: S103, PTH101 - Debian demands an executable there; it is removed below
    Path(name).rename(_POLICY)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
