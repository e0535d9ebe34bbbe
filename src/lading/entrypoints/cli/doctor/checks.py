"""All checks, in the order in which somebody would mend what they find."""

from __future__ import annotations

from pathlib import Path

from lading.entrypoints.cli.doctor import backups, feeds, kernel, machine, tools
from lading.entrypoints.cli.doctor.result import CheckResult
from lading.settings import Settings

__all__ = ["CheckResult", "run_checks"]


def run_checks(settings: Settings, *, server_runs: bool, root: Path = Path("/")) -> list[CheckResult]:
    """Check this machine; nothing is changed.

    Args:
        server_runs: whether the ports are rightly taken, by the server of this data directory.
        root: the file system that /proc, /sys and /lib are read from.
    """
    of_kernel = (
        kernel.check_kernel, kernel.check_overlay, kernel.check_namespaces, kernel.check_cgroups,
        kernel.check_seccomp, kernel.check_network, kernel.check_btf, kernel.check_bpf, kernel.check_bpf_lsm,
    )  # fmt: skip
    of_machine = (
        machine.check_python, machine.check_user, machine.check_disk, machine.check_data_directory,
        machine.check_memory, machine.check_open_files, machine.check_exposure, machine.check_clock,
        machine.check_database, machine.check_ca_file,
    )  # fmt: skip
    of_tools = (
        tools.check_engine,
        tools.check_builder,
        tools.check_firewall,
        tools.check_bases,
        tools.check_git,
        backups.check_backup_tool,
        backups.check_backups,
        feeds.check_feeds,
    )
    return [
        *(check(settings) for check in of_tools),
        *(check(settings) for check in of_machine),
        machine.check_ports(settings, server_runs),
        *(check(root) for check in of_kernel),
    ]
