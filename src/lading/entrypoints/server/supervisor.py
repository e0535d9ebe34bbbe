"""Start every role, keep it running, stop it gracefully.

A role that dies is started again after a pause that doubles up to 10 s; a role that dies five times within a minute of
its start takes the whole server down with the tail of its log, because something is wrong that a restart won't mend.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lading import settings as settings_module
from lading.entrypoints.server.role import PARENT_VARIABLE, roles_of
from lading.kernel.errors import Conflict, Unavailable
from lading.settings import Address, Settings

_GRACE_SECONDS: Final = 20
_MOST_RESTARTS: Final = 5
_START_SECONDS: Final = 60

Say = Callable[[str], None]


@dataclass
class _Child:
    role: str
    process: subprocess.Popen[bytes]
    started: float
    restarts: list[float] = field(default_factory=list)


@contextmanager
def exclusive(settings: Settings) -> Iterator[Path]:
    """Hold the data directory for one server; yields the pid file.

    Raises:
        Conflict: another server holds it.
        Unavailable: the directory cannot be written.
    """
    run = settings.data / "run"
    try:
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = (run / "lading.pid").open("a+")
    except OSError as error:
        raise Unavailable(
            f"The data directory {settings.data} cannot be used: {error.strerror}.",
            remedy="Give another with --data or LADING_DATA, or mend its permissions.",
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            raise Conflict(
                f"A Lading server already runs on {settings.data} (process {handle.read().strip()}).",
                remedy="Stop it with `lading down`, or give another --data.",
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        try:
            yield run / "lading.pid"
        finally:
            handle.truncate(0)


def running_pid(settings: Settings) -> int | None:
    """The process id of the server on this data directory, or None when none runs."""
    path = settings.data / "run" / "lading.pid"
    try:
        with path.open("r+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return int(handle.read().strip() or 0) or None
            return None
    except (FileNotFoundError, PermissionError, ValueError):
        return None


def check_ports(settings: Settings) -> None:
    """Raises Conflict naming the first address that somebody else listens on."""
    for name in (f"{role}_addr" for role in ("push", "pull", "api") if role in settings.roles):
        address: Address = getattr(settings, name)
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.host, address.port))
            except OSError as error:
                raise Conflict(
                    f"Port {address.port} on {address.host} cannot be used: {error.strerror}.",
                    remedy=f"Stop what listens there, or give another with {settings_module.variable(name)}.",
                ) from error


class Supervisor:
    """The server's process tree."""

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        self._settings = settings
        self._environment = environment | {PARENT_VARIABLE: str(os.getpid())}
        self._children: dict[str, _Child] = {}
        self._stop = threading.Event()

    def run(self, say: Say, when_ready: Callable[[], None]) -> None:
        """Start all roles, call `when_ready`, and watch over them until SIGTERM or SIGINT.

        Raises:
            Unavailable: a role cannot be started or keeps dying.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self._stop.set())
        try:
            for role in roles_of(self._settings):
                self._start(role, [])
            self._wait_until_ready()
            when_ready()
            while not self._stop.wait(0.2):
                self._revive(say)
        finally:
            self._stop_all()

    def stop(self) -> None:
        """Ask the tree to stop, from another thread."""
        self._stop.set()

    def _start(self, role: str, restarts: list[float]) -> None:
        command = [sys.executable, "-m", "lading.entrypoints.server.role", role]
        process = subprocess.Popen(command, env=self._environment, stdin=subprocess.DEVNULL)
        self._children[role] = _Child(role, process, time.monotonic(), restarts)

    def _revive(self, say: Say) -> None:
        for child in list(self._children.values()):
            code = child.process.poll()
            if code is None:
                continue
            now = time.monotonic()
            recent = [moment for moment in child.restarts if now - moment < 60] + [now]
            if len(recent) > _MOST_RESTARTS:
                raise Unavailable(
                    f"The {child.role} process died {_MOST_RESTARTS} times within a minute (exit code {code}).",
                    remedy="Its last log lines say why; `lading doctor` checks what it needs.",
                )
            say(f"{child.role} ended with exit code {code}; starting it again")
            if self._stop.wait(min(10.0, 0.1 * 2 ** len(recent))):
                return
            self._start(child.role, recent)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        waiting = {role: self._probe(role) for role in self._children}
        while waiting:
            for role, ready in list(waiting.items()):
                code = self._children[role].process.poll()
                if code is not None:
                    raise Unavailable(
                        f"The {role} process could not start (exit code {code}).",
                        remedy="Its message stands above; `lading doctor` checks what it needs.",
                    )
                if ready():
                    del waiting[role]
            if time.monotonic() > deadline:
                raise Unavailable(f"Not ready after {_START_SECONDS} s: {', '.join(waiting)}.")
            if self._stop.wait(0.05):
                return

    def _probe(self, role: str) -> Callable[[], bool]:
        if role == "intake":
            return lambda: True
        if role == "worker":
            ready = self._settings.data / "run" / "worker.ready"
            ready.unlink(missing_ok=True)
            return ready.exists
        address: Address = getattr(self._settings, f"{role}_addr")
        path = "/api/v1/health" if role == "api" else "/v2/"
        with_tls = role != "api" and self._settings.tls is not None
        return lambda: _answers(address, path, with_tls=with_tls)

    def _stop_all(self) -> None:
        # The worker last: what the endpoints took in can still be written down.
        for role in ("push", "pull", "api", "worker", "intake"):
            child = self._children.get(role)
            if child is None or child.process.poll() is not None:
                continue
            child.process.terminate()
            try:
                child.process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def _answers(address: Address, path: str, *, with_tls: bool) -> bool:
    connection: http.client.HTTPConnection
    if with_tls:
        # Whether it answers is asked, not who it is: the certificate is for the name that clients use.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(address.host, address.port, timeout=1, context=context)
    else:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=1)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
