"""Both registry endpoints as `lading up` runs them, each a process of its own, over teams, people and repositories."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from lading import settings as settings_module
from lading.identity import Operation, Role
from lading.kernel.digest import Digest
from lading.state import metadata
from lading.supply_chain.registry.access import Visibility
from lading.supply_chain.registry.states import State
from lading.wiring import Wiring
from pushing import Pusher

_HOUR = timedelta(hours=1)
_EVERYTHING = (Operation.PUSH, Operation.PULL)
ACTOR = "system:test"
PASSWORD = "correct horse battery"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Doors:
    """Push and pull endpoint over one data directory, and the parts that whoever tests them changes things with."""

    def __init__(self, directory: Path, **said: str) -> None:
        self.push, self.pull, self.api = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.said = {
            "LADING_DATA": str(directory),
            "LADING_PUSH_ADDR": self.push,
            "LADING_PULL_ADDR": self.pull,
            "LADING_API_ADDR": self.api,
            "LADING_ENGINE": "unix:///nonexistent/docker.sock",
        } | {f"LADING_{name.upper()}": value for name, value in said.items()}
        self.wiring = Wiring(settings_module.load(environ=self.said))
        metadata.create_all(self.wiring.database.engine)
        (directory / "spool").mkdir()
        self._log = directory / "doors.log"
        self._processes: list[subprocess.Popen[bytes]] = []

    def open(self, *roles: str) -> None:
        """Start both, or other roles, and wait until they answer."""
        addresses = {"push": self.push, "pull": self.pull, "api": self.api}
        opened = roles or ("push", "pull")
        for role in opened:
            with self._log.open("ab") as log:
                command = [sys.executable, "-m", "lading.entrypoints.server.role", role]
                environment = {"PATH": os.environ["PATH"], "HOME": str(self._log.parent)} | self.said
                self._processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        deadline = time.monotonic() + 60
        for address in (addresses[role] for role in opened):
            while not self._answers(address):
                assert all(one.poll() is None for one in self._processes), self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.05)

    def close(self) -> None:
        """End both."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(30)
        self._processes.clear()
        self.wiring.close()

    @property
    def log(self) -> str:
        return self._log.read_text()[-3_000:]

    def client(self, auth: tuple[str, str] | None = None, *, pull: bool = False) -> httpx.Client:
        address = self.pull if pull else self.push
        # Reading the certificates of all authorities takes longer than a test, and there is no TLS here.
        return httpx.Client(base_url=f"http://{address}", auth=auth, timeout=30, trust_env=False, verify=False)

    def token(self, auth: tuple[str, str] | None, *scopes: str, pull: bool = False) -> str:
        """A token of the token flow for some scopes."""
        with self.client(pull=pull) as client:
            asked = [("service", "lading-main"), *(("scope", scope) for scope in scopes)]
            answer = client.get("/v2/token", params=httpx.QueryParams(asked), auth=auth)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    def publish(self, repository: str, visibility: str, *, tag: str = "1") -> Digest:
        """Push an image as a robot of the repository's team, approve it, and set who may see it."""
        team = repository.partition("/")[0]
        issued = self.wiring.identity.issue_internal(team, "publisher", lasting=_HOUR, only=_EVERYTHING)
        pusher = Pusher(self.push, f"{team}/publisher", issued.text)
        digest = Digest.parse(pusher.push(repository, tag, layers=1, size=200).digest)
        pusher.close()
        with self.wiring.database.write() as tx:
            self.wiring.states.move(tx, digest, State.APPROVED, who="person:ada", why="good")
        self.wiring.visibilities.change(repository, Visibility(visibility), actor=ACTOR)
        return digest

    def robot(self, team: str, name: str, role: Role = Role.DEVELOPER) -> tuple[str, str]:
        """A robot and its token, as Basic takes them."""
        issued = self.wiring.identity.create_robot(team, name, role=role, actor=ACTOR)
        return f"{team}/{name}", issued.text

    @staticmethod
    def _answers(address: str) -> bool:
        host, _, port = address.partition(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Two teams, `shop` and `mail`; those without an account may pull what is public."""
    made = Doors(tmp_path_factory.mktemp("doors"), anonymous_pull="true")
    for team in ("shop", "mail"):
        made.wiring.identity.create_team(team, actor=ACTOR)
    made.open()
    yield made
    made.close()
