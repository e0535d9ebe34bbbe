"""Checks of the engine and of the programs that Lading calls."""

from __future__ import annotations

import os
import shutil
from typing import Final

from lading.entrypoints.cli.doctor.result import CheckResult, fail, ok, warn
from lading.kernel.errors import LadingError
from lading.orchestration.engines.docker.detect import EngineFacts, ask, find_engine
from lading.orchestration.engines.docker.install import can_install, is_installed
from lading.orchestration.engines.docker.private import PrivateEngine
from lading.settings import Settings
from lading.supply_chain.build.apt_sources import sources_for
from lading.supply_chain.build.buildkit import find_client

_OLDEST_API: Final = (1, 40)
_SYSTEM_PATH: Final = ":/usr/sbin:/sbin"


def check_engine(settings: Settings) -> CheckResult:
    """The engine that will be used, or whether one can be had."""
    facts = find_engine(settings.engine) or ask(PrivateEngine(settings.data / "engine").address)
    if facts is not None:
        return _judged(facts)
    if settings.engine:
        return fail("engine", f"{settings.engine} does not answer", "Start it, or correct LADING_ENGINE.")
    if not settings.private_engine:
        return fail("engine", "none answers", "Start one, or set LADING_PRIVATE_ENGINE=true.")
    if is_installed() and os.geteuid() == 0:
        return ok("engine", "none answers; `lading up` starts a private one")
    if can_install():
        return ok("engine", "none installed; `lading up` installs docker.io and starts a private one")
    return fail("engine", "none answers", "Install the Docker Engine: apt-get install docker.io, or set LADING_ENGINE.")


def check_builder(_settings: Settings) -> CheckResult:
    """A docker command that can drive BuildKit."""
    if not shutil.which("docker") and can_install():
        return ok("builder", "comes with docker.io, which `lading up` installs")
    try:
        return ok("builder", f"BuildKit through {find_client()}")
    except LadingError as error:
        return fail("builder", error.what, error.remedy)


def check_firewall(_settings: Settings) -> CheckResult:
    """The program that engines set up container networks with."""
    if _find("iptables"):
        return ok("firewall", "iptables is there")
    if can_install():
        return ok("firewall", "iptables comes with the engine that `lading up` installs")
    return fail("firewall", "no iptables", "Install it: apt-get install iptables")


def check_bases(_settings: Settings) -> CheckResult:
    """What base images from distribution packages need."""
    mend = "Bases are made as root on Debian; elsewhere set LADING_UPSTREAM to mirror them from a registry."
    if not shutil.which("apt-get"):
        return warn("base images", "no apt on this machine", mend)
    releases = [name for name in ("bullseye", "bookworm", "trixie") if sources_for(name)]
    if not releases:
        return warn("base images", "apt knows no Debian archive", "Add one to /etc/apt/sources.list.d.")
    tool = "mmdebstrap" if _find("mmdebstrap") else "mmdebstrap is installed when needed"
    if os.geteuid() != 0:
        return warn("base images", "not root", mend)
    return ok("base images", f"{tool}; archives of {', '.join(releases)}")


def check_git(_settings: Settings) -> CheckResult:
    """Git tells the commit of what is shipped."""
    if _find("git"):
        return ok("git", "is there")
    return warn("git", "not installed", "Install it (apt-get install git), or provenance will name no commit.")


def _judged(facts: EngineFacts) -> CheckResult:
    shown = f"{facts.version} at {facts.address}, {facts.storage_driver}, cgroups {facts.cgroup_version}"
    numbers = tuple(int(part) for part in facts.api_version.split(".") if part.isdigit())
    if numbers < _OLDEST_API:
        return fail("engine", shown, "Use Docker Engine 19.03 or newer.")
    if facts.storage_driver == "vfs":
        return warn("engine", shown, "It copies whole images for each container; let it use overlay2.")
    return ok("engine", shown)


def _find(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + _SYSTEM_PATH)
