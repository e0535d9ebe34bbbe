"""A PostgreSQL server of the test run's own: in a temporary directory, on a socket only, ended by its process id."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _unprivileged() -> dict[str, int]:
    """PostgreSQL refuses to run as root: run it as the account its package made, or as nobody."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid}
    return {}


class PostgresServer:
    """A server in a directory of its own, to be stopped and started again."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        account = _unprivileged()
        self.home = Path(tempfile.mkdtemp(prefix="lading-pg-"))
        if account:
            os.chown(self.home, account["user"], account["group"])
        self._extra: dict[str, Any] = {**account, "extra_groups": []} if account else {}
        data = self.home / "data"
        self._run(binaries / "initdb", "-D", data, "-U", "lading", "-A", "trust", "-E", "UTF8", "--no-sync")
        self._control = [binaries / "pg_ctl", "-D", data, "-l", self.home / "log", "-w"]
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses='' -k {self.home} -c fsync=off -c max_connections=200"
        self._run(*self._control, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: `fast` ends sessions in order, `immediate` is a crash."""
        self._run(*self._control, "-m", mode, "stop")

    def remove(self) -> None:
        shutil.rmtree(self.home)

    def url(self, name: str) -> str:
        return f"postgresql://lading@/{name}?host={self.home}"

    def create(self, name: str) -> None:
        with psycopg.connect(host=str(self.home), user="lading", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")

    def _run(self, *command: object) -> None:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        subprocess.run(
            [str(part) for part in command], check=True, capture_output=True, env=environment, cwd=self.home,
            **self._extra,
        )  # fmt: skip


def _own() -> PostgresServer:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server binaries; scripts/install_test_tools.sh installs them")
    return PostgresServer(binaries)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """The directory of the server's socket."""
    server = _own()
    yield server.home
    server.stop()
    server.remove()


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A server that a module may stop and start as it likes."""
    server = _own()
    yield server
    server.stop()
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: Path) -> Iterator[str]:
    """An empty database of its own for one test."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(host=str(postgres_server), user="lading", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"postgresql://lading@/{name}?host={postgres_server}"
    with psycopg.connect(host=str(postgres_server), user="lading", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
