"""Caddy as the ingress: a private process from Debian's package, configured over a Unix socket, no service installed.

The package is unpacked into Lading's tools directory, never installed, so nothing on the machine starts or changes.
Like the private engine it outlives the server and is found again by its pid file.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from lading.orchestration.daemon import is_running, pid_in, start_daemon
from lading.orchestration.errors import EngineUnavailable, OrchestrationError
from lading.orchestration.ingress.ingress import IngressRoute

_START_SECONDS: Final = 15
_TRY: Final = "5s"
_POLL_SECONDS: Final = 0.05
_ESTABLISHED: Final = "01"

Say = Callable[[str], None]


class CaddyIngress:
    """A Caddy of one directory.

    Args:
        directory: for its socket, pid file, configuration and log.
        tools: where the program is unpacked when the machine has none.
    """

    def __init__(self, directory: Path, tools: Path) -> None:
        self._directory = directory
        self._tools = tools
        self._socket = directory / "caddy.sock"
        if len(str(self._socket)) > 100:
            name = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
            self._socket = Path(tempfile.gettempdir()) / f"lading-caddy-{name}.sock"
        self._pid_file = directory / "caddy.pid"
        self._config = directory / "caddy.json"

    def apply(self, routes: Sequence[IngressRoute]) -> None:
        """Load the routes; starts Caddy with the first ones, and leaves it alone when there never were any."""
        if self._pid() is None:
            if not routes:
                return
            self._start()
        status, answer = self._request("POST", "/load", json.dumps(_configuration(routes, self._socket)))
        if status != 200:
            raise OrchestrationError(
                f"The ingress refused its routes: {_reason(answer)}.",
                remedy="Most often another program listens on a published port; the routes before stay in force.",
            )

    def drain(self, upstreams: Sequence[str], seconds: float) -> bool:
        """Caddy closes its idle connections when a route goes: those still open carry a request."""
        deadline = time.monotonic() + seconds
        while (pid := self._pid()) is not None and _connections(pid) & set(upstreams):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def stop(self, say: Say) -> None:
        """Stop exactly this Caddy; nothing happens when it does not run."""
        pid = self._pid()
        if pid is None:
            return
        say(f"stopping the ingress (process {pid})")
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while self._pid() is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        self._pid_file.unlink(missing_ok=True)

    def program(self, say: Say = lambda _text: None) -> str:
        """The caddy program: the machine's, or Debian's unpacked into the tools directory.

        Raises:
            EngineUnavailable: it can neither be found nor fetched.
        """
        unpacked = self._tools / "caddy" / "usr" / "bin" / "caddy"
        found = shutil.which("caddy") or (str(unpacked) if unpacked.exists() else "")
        if found:
            return found
        say("fetching Caddy from Debian packages")
        with tempfile.TemporaryDirectory() as scratch:
            fetched = subprocess.run(
                ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "caddy"],
                cwd=scratch, capture_output=True, text=True, check=False,
            )  # fmt: skip
            packages = list(Path(scratch).glob("caddy_*.deb"))
            if fetched.returncode != 0 or not packages:
                raise EngineUnavailable(
                    "Caddy, which serves published ports, is not on this machine and could not be fetched.",
                    remedy="Run apt-get update, or install caddy yourself; then deploy again.",
                    details=tuple(fetched.stderr.splitlines()[-5:]),
                )
            (self._tools / "caddy").mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg", "-x", str(packages[0]), str(self._tools / "caddy")], check=True)
        return str(unpacked)

    def _start(self) -> None:
        """Start without routes: they are loaded when it answers, and a refusal then says why."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._config.write_text(json.dumps(_configuration((), self._socket)), encoding="utf-8")
        self._socket.unlink(missing_ok=True)
        program = self.program()
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self._directory)}
        mark = f"--pidfile={self._pid_file}"
        pid = start_daemon(
            [program, "run", f"--config={self._config}", mark],
            log=self._directory / "caddy.log", environment=environment, directory=self._directory,
        )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            if self._pid() is not None and self._answers():
                return
            time.sleep(0.05)
        if is_running(pid, mark):
            os.kill(pid, signal.SIGKILL)
        tail = (self._directory / "caddy.log").read_text(errors="replace").splitlines()[-3:]
        self._pid_file.unlink(missing_ok=True)
        raise OrchestrationError(
            "The ingress could not start.",
            remedy=f"Its log is {self._directory / 'caddy.log'}.",
            details=tuple(line[-300:] for line in tail),
        )

    def _answers(self) -> bool:
        try:
            return self._request("GET", "/config/", "")[0] == 200
        except EngineUnavailable:
            return False

    def _request(self, method: str, path: str, body: str) -> tuple[int, str]:
        connection = _UnixConnection(str(self._socket))
        try:
            headers = {"Content-Type": "application/json", "Host": "localhost"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise EngineUnavailable(f"The ingress does not answer: {error}.", remedy="Deploy again.") from error
        finally:
            connection.close()

    def _pid(self) -> int | None:
        return pid_in(self._pid_file, f"--pidfile={self._pid_file}")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connections(pid: int) -> set[str]:
    """The remote `address:port` of every established IPv4 connection in the process's network namespace."""
    found = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, _, remote, state, *_ = line.split()
        if state == _ESTABLISHED:
            address, _, port = remote.partition(":")
            found.add(f"{socket.inet_ntoa(int(address, 16).to_bytes(4, sys.byteorder))}:{int(port, 16)}")
    return found


def _reason(answer: str) -> str:
    try:
        return str(json.loads(answer)["error"])[-300:]
    except (ValueError, KeyError, TypeError):
        return answer[:300]


def _configuration(routes: Sequence[IngressRoute], admin: Path) -> dict[str, Any]:
    """Caddy's JSON configuration. A container that refuses a connection is passed over for the next one for 5 s."""
    servers = {
        f"{route.workload}-{number}".replace("/", "-"): {
            "listen": [route.listen],
            "automatic_https": {"disable": True},
            "routes": [
                {
                    "handle": [
                        {
                            "handler": "reverse_proxy",
                            "upstreams": [{"dial": upstream} for upstream in route.upstreams],
                            "load_balancing": {
                                "selection_policy": {"policy": "least_conn"},
                                "try_duration": _TRY,
                                "try_interval": "50ms",
                            },
                        }
                    ]
                }
            ],
        }
        for number, route in enumerate(routes)
    }
    return {
        "admin": {"listen": f"unix/{admin}", "origins": ["localhost"], "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {"http": {"grace_period": "10s", "servers": servers}},
    }
