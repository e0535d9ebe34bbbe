"""A Docker Engine of Lading's own: own socket, data root, exec root, pid file and bridge, named after its directory.

It outlives the server (containers go on while Lading restarts) and is found again by its pid file. `stop` ends exactly
that process and removes exactly that bridge.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from lading.orchestration.daemon import pid_in, start_daemon
from lading.orchestration.engines.docker import firewall
from lading.orchestration.engines.docker.detect import EngineFacts, ask
from lading.orchestration.errors import EngineUnavailable

_START_SECONDS: Final = 60
_MOST_SOCKET_BYTES: Final = 100
_STOP_SECONDS: Final = 40
# Private ranges that few sites route; each engine takes one /16 of them, by the hash of its directory.
_POOL: Final = ipaddress.ip_network("10.192.0.0/10")

Say = Callable[[str], None]


class PrivateEngine:
    """The engine of one directory. All methods may be called from any process.

    Args:
        directory: holds everything of the engine; where its name is too long for Unix sockets, those are below /run.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._name = hashlib.sha256(str(directory).encode()).hexdigest()
        # Unix sockets allow 107 bytes, and the engine's parts add some to the names we know: 62 + 38 was seen to work,
        # 67 + 38 not.
        is_short = len(str(directory / "exec/containerd/containerd.sock.ttrpc")) <= _MOST_SOCKET_BYTES
        self._exec = directory / "exec" if is_short else Path(f"/run/lading-{self._name[:12]}")
        self._socket = (directory if is_short else self._exec) / "docker.sock"
        self._pid_file = directory / "dockerd.pid"
        self._policy = directory / "forward-policy"
        self._log = directory / "dockerd.log"
        self._started = 0

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"unix://{self._socket}"

    @property
    def bridge(self) -> str:
        """Its default network's interface (at most 15 bytes, a limit of Linux)."""
        return f"lad{self._name[:8]}"

    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._pid() is not None

    def ensure(self, say: Say) -> EngineFacts:
        """Start it unless it runs, and wait until it answers. Two callers at once start one engine.

        Raises:
            EngineUnavailable: it does not come up; the tail of its log is in the details.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o711)
        self._exec.mkdir(exist_ok=True, mode=0o711)
        with self._alone():
            if self.is_running() and (facts := self._answer(_START_SECONDS)):
                return facts
            say(f"starting a private Docker Engine in {self.directory}")
            self._start()
            facts = self._answer(_START_SECONDS)
        if facts is None:
            self.stop(lambda _text: None)
            raise EngineUnavailable(
                f"The private Docker Engine in {self.directory} did not come up within {_START_SECONDS} s.",
                remedy=f"Its log is {self._log}; `lading doctor` checks what it needs of the kernel.",
                details=tuple(self._tail()),
            )
        return facts

    def stop(self, say: Say) -> None:
        """Stop it and its containers, and remove its bridge; nothing happens when it does not run."""
        pid = self._pid()
        if pid is not None:
            say(f"stopping the private Docker Engine (process {pid})")
            os.kill(pid, signal.SIGTERM)
            if not self._gone(_STOP_SECONDS):
                os.kill(pid, signal.SIGKILL)
                self._gone(5)
        self._end_orphans()
        self._pid_file.unlink(missing_ok=True)
        self._socket.unlink(missing_ok=True)
        self._unmount()
        firewall.forget({self.bridge, *firewall.bridges_in(self._networks())}, self._policy)

    def remove(self, say: Say) -> None:
        """Stop it and remove everything it kept."""
        self.stop(say)
        shutil.rmtree(self._exec, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self) -> None:
        self._await_old_containerd()
        firewall.remember_policy(self._policy)
        subnet = self._free_subnet()
        self._bridge_up(subnet)
        config = self.directory / "daemon.json"
        pools = [{"base": str(network), "size": 24} for network in list(subnet.subnets(new_prefix=18))[1:]]
        config.write_text(
            json.dumps({"default-address-pools": pools, "features": {"buildkit": True}}), encoding="utf-8"
        )
        command = [
            "dockerd",
            f"--host={self.address}",
            f"--config-file={config}",
            f"--data-root={self.directory / 'data'}",
            f"--exec-root={self._exec}",
            f"--pidfile={self._pid_file}",
            f"--bridge={self.bridge}",
            "--log-level=warn",
        ]
        self._pid_file.unlink(missing_ok=True)
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        if shutil.which("dockerd", path=path) is None:
            raise EngineUnavailable("There is no dockerd.", remedy="Install it: apt-get install docker.io")
        environment = {**os.environ, "PATH": path}
        self._started = start_daemon(command, log=self._log, environment=environment, directory=self.directory)

    def _free_subnet(self) -> ipaddress.IPv4Network:
        """The /16 that the directory's hash names, or the next one that no interface or route uses."""
        everything = list(_POOL.subnets(new_prefix=16))
        start = int(self._name[:8], 16) % len(everything)
        used = _used_networks()
        for network in everything[start:] + everything[:start]:
            if isinstance(network, ipaddress.IPv4Network) and not any(network.overlaps(other) for other in used):
                return network
        raise EngineUnavailable(
            f"Every /16 of {_POOL} is in use on this machine.", remedy="Give LADING_ENGINE instead."
        )

    def _networks(self) -> list[ipaddress.IPv4Network]:
        """The address pools it was started with."""
        try:
            pools = json.loads((self.directory / "daemon.json").read_text(encoding="utf-8"))["default-address-pools"]
            return [ipaddress.IPv4Network(pool["base"]) for pool in pools]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _bridge_up(self, subnet: ipaddress.IPv4Network) -> None:
        address = f"{subnet.network_address + 1}/24"
        for arguments in (
            ["link", "add", "name", self.bridge, "type", "bridge"],
            ["address", "replace", address, "dev", self.bridge],
            ["link", "set", self.bridge, "up"],
        ):
            ended = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
            if ended.returncode != 0 and "File exists" not in ended.stderr:
                raise EngineUnavailable(
                    f"The bridge {self.bridge} cannot be made: {ended.stderr.strip()}.",
                    remedy="The kernel needs the bridge module, and we must be root.",
                )

    def _answer(self, seconds: float) -> EngineFacts | None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._socket.exists() and (facts := ask(self.address)):
                return facts
            if self._started and not Path(f"/proc/{self._started}").exists():
                return None
            time.sleep(0.1)
        return None

    def _pid(self) -> int | None:
        return pid_in(self._pid_file, f"--pidfile={self._pid_file}")

    def _gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _await_old_containerd(self) -> None:
        """An engine that starts while its predecessor's containerd is still ending waits for that one in vain.

        So does one that finds its process id in the pid file, even if only a zombie has it; hence the file goes.
        """
        _, alive = psutil.wait_procs(self._left_over("containerd", exactly=True), timeout=5)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        (self._exec / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def _left_over(self, program: str, *, exactly: bool = False) -> list[psutil.Process]:
        """Processes of our directory whose program's name is, or begins with, `program`."""
        mark = f"{self._exec}/"
        found = []
        for process in psutil.process_iter(["cmdline"]):
            arguments = process.info.get("cmdline") or [""]
            name = Path(arguments[0]).name
            if (name == program if exactly else name.startswith(program)) and any(
                text.startswith(mark) for text in arguments
            ):
                found.append(process)
        return found

    def _end_orphans(self) -> None:
        """End what an engine that was killed left running: its containerd, the shims and the containers below them."""
        orphans = self._left_over("containerd")
        # Children first: a container whose shim is gone belongs to nobody.
        for process in [child for shim in orphans for child in _children(shim)] + orphans:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(orphans, timeout=5)

    def _unmount(self) -> None:
        """Release what a killed engine left mounted below its directory, deepest first."""
        prefixes = (f"{self.directory}/", f"{self._exec}/")
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        for mount in sorted((path for path in mounts if path.startswith(prefixes)), key=len, reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)

    def _tail(self) -> list[str]:
        try:
            return self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
        except OSError:
            return []

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.directory / "start.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _used_networks() -> list[ipaddress.IPv4Network]:
    listed = subprocess.run(["ip", "-json", "-4", "route"], check=False, capture_output=True, text=True)
    found = []
    for route in json.loads(listed.stdout or "[]"):
        if route.get("dst", "default") != "default":
            found.append(ipaddress.IPv4Network(route["dst"], strict=False))
    return found
