"""Checks of the machine: space, memory, ports, clock, user and database."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import psutil

from lading.entrypoints.cli.doctor.result import CheckResult, fail, ok, warn
from lading.kernel.errors import LadingError
from lading.settings import Address, Settings
from lading.state import Database
from lading.supply_chain.build.trust import site_bundle

_COMFORTABLE_MEGABYTES: Final = 5_000
_MEMORY_MEGABYTES: Final = 1_500
_OPEN_FILES: Final = 4_096
_CLOCK_UNSYNCHRONISED: Final = 5  # TIME_ERROR of adjtimex(2)
# Network and memory file systems lose what SQLite and overlay need: locks, extended attributes, or everything at boot.
_WRONG_FILE_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "overlay", "tmpfs", "ramfs", "fuse"})


def check_python(_settings: Settings) -> CheckResult:
    """The interpreter this runs on."""
    return ok("python", ".".join(map(str, sys.version_info[:3])))


def check_user(_settings: Settings) -> CheckResult:
    """Root is needed to start an engine and to make base images; everything else works without."""
    if os.geteuid() == 0:
        return ok("user", "root")
    mend = "Run as root, or set LADING_ENGINE to an engine you may use and do without `lading base`."
    return warn("user", f"uid {os.geteuid()}, not root", mend)


def check_disk(settings: Settings) -> CheckResult:
    """Space where everything is kept."""
    directory = _existing(settings.data)
    free = shutil.disk_usage(directory).free // 1_000_000
    if free < settings.min_free_megabytes:
        return fail("disk", f"{free} MB free in {directory}", "Free some space, or choose another LADING_DATA.")
    if free < _COMFORTABLE_MEGABYTES:
        return warn("disk", f"{free} MB free in {directory}", "Images need space: keep 5 GB free.")
    return ok("disk", f"{free / 1000:.0f} GB free in {directory}")


def check_data_directory(settings: Settings) -> CheckResult:
    """Whether it can be written and lies on a file system that keeps locks and attributes."""
    directory = _existing(settings.data)
    if not os.access(directory, os.W_OK):
        return fail("data directory", f"{directory} cannot be written", "Mend its permissions or choose another.")
    kind = _file_system(directory)
    if kind in _WRONG_FILE_SYSTEMS:
        mend = "Choose a directory on a local disk (ext4, xfs, btrfs) with LADING_DATA."
        return warn("data directory", f"{directory} lies on {kind}", mend)
    return ok("data directory", f"{settings.data} on {kind or 'an unknown file system'}")


def check_memory(_settings: Settings) -> CheckResult:
    """Memory that could be had now."""
    megabytes = psutil.virtual_memory().available // 1_000_000
    if megabytes < _MEMORY_MEGABYTES:
        return warn("memory", f"{megabytes} MB available", "Keep 1.5 GB for Lading and its engine.")
    return ok("memory", f"{megabytes / 1000:.1f} GB available")


def check_open_files(_settings: Settings) -> CheckResult:
    """How many files and connections a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _OPEN_FILES:
        return warn("open files", f"at most {hard}", f"Raise the limit: ulimit -Hn {_OPEN_FILES}")
    return ok("open files", f"{soft}, at most {'unlimited' if hard == resource.RLIM_INFINITY else hard}")


def check_ports(settings: Settings, server_runs: bool) -> CheckResult:
    """Whether the three addresses can be listened on, or are held by the server itself."""
    addresses = (settings.push_addr, settings.pull_addr, settings.api_addr)
    shown = ", ".join(map(str, addresses))
    if server_runs:
        return ok("ports", f"{shown} in use by this server")
    taken = [address for address in addresses if not _free(address)]
    if taken:
        mend = "End what listens there, or set LADING_PUSH_ADDR, LADING_PULL_ADDR, LADING_API_ADDR."
        return fail("ports", f"{', '.join(map(str, taken))} taken", mend)
    return ok("ports", f"{shown} free")


def check_exposure(settings: Settings) -> CheckResult:
    """Whether an endpoint without TLS can be reached from elsewhere."""
    names = {"API": settings.api_addr}
    if settings.tls is None:
        names = {"push": settings.push_addr, "pull": settings.pull_addr} | names
    open_ones = [f"{name} {address}" for name, address in names.items() if not address.is_loopback]
    if open_ones:
        mend = "Set LADING_TLS_CERT and LADING_TLS_KEY, put a proxy with TLS in front, or listen on 127.0.0.1."
        return warn("exposure", f"{', '.join(open_ones)} without TLS", mend)
    return ok("exposure", "only this machine can connect")


def check_clock(_settings: Settings) -> CheckResult:
    """Whether the kernel says that the clock follows a time source."""
    state = _clock_state()
    if state is None or state == _CLOCK_UNSYNCHRONISED:
        mend = "Install a time service (apt-get install chrony); tokens, exceptions and signatures depend on the time."
        return warn("clock", "follows no time source", mend)
    return ok("clock", "follows a time source")


def check_database(settings: Settings) -> CheckResult:
    """Whether the database answers."""
    if not settings.database_url and not (settings.data / "lading.db").is_file():
        return ok("database", "SQLite, made at the first `lading up`")
    try:
        with closing(Database(settings.database, read_only=True)) as database, database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
    except LadingError as error:
        return fail("database", error.what, error.remedy)
    return ok("database", "PostgreSQL answers" if settings.database_url else "SQLite answers")


def check_ca_file(settings: Settings) -> CheckResult:
    """The CA bundle that builds are handed: the one that is set, else the machine's."""
    bundle = site_bundle(settings.ca_file)
    if bundle is None:
        return ok("site CA", "none; builds trust what their base image trusts")
    try:
        certificates = bundle.read_bytes().count(b"-----BEGIN CERTIFICATE-----")
    except OSError as error:
        return fail("site CA", f"{bundle}: {error.strerror}", "Correct LADING_CA_FILE.")
    if not certificates:
        return fail("site CA", f"{bundle} holds no certificate", "Name a PEM bundle in LADING_CA_FILE.")
    return ok("site CA", f"{certificates} certificates in {bundle}")


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _file_system(directory: Path) -> str:
    partitions: Sequence[tuple[str, str]] = [
        (item.mountpoint, item.fstype) for item in psutil.disk_partitions(all=True)
    ]  # fmt: skip
    found = [(mount, kind) for mount, kind in partitions if directory.resolve().is_relative_to(mount)]
    return max(found, key=lambda item: len(item[0]))[1] if found else ""


def _free(address: Address) -> bool:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError:
            return False
    return True


def _clock_state() -> int | None:
    """The return value of adjtimex(2) when asked without changing anything; None where there is none."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    # struct timex begins with `modes`; zero there means "only read". 256 bytes hold it on every architecture.
    buffer = ctypes.create_string_buffer(256)
    state = int(adjtimex(buffer))
    return None if state < 0 else state
