"""An ordinary Docker client against both endpoints: log in, push, be refused, be approved, pull, run by digest."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.registry.states import ImageStates, State

pytestmark = pytest.mark.docker
CLIENT = next((path for path in ("/usr/bin/docker",) if Path(path).exists()), shutil.which("docker") or "docker")


class Docker:
    """The docker command with a configuration of its own."""

    def __init__(self, address: str, home: Path) -> None:
        self._environment = {**os.environ, "DOCKER_HOST": address, "DOCKER_CONFIG": str(home), "DOCKER_BUILDKIT": "0"}

    def __call__(self, *words: str, fails: bool = False, stdin: str = "") -> str:
        done = subprocess.run(
            [CLIENT, *words], env=self._environment, capture_output=True, text=True, input=stdin, timeout=120
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr


def test_a_docker_client_pushes_and_pulls_only_what_was_approved(
    docker_engine: str, registry: Any, tmp_path: Path
) -> None:
    docker = Docker(docker_engine, tmp_path / "docker")
    source = tmp_path / "source"
    source.mkdir()
    (source / "big").write_bytes(os.urandom(20_000_000))
    (source / "Dockerfile").write_text(
        'FROM scratch\nLABEL org.opencontainers.image.revision=abc123\nCOPY big /big\nCMD ["/big"]\n'
    )
    push, pull = f"127.0.0.1:{registry.push_port}", f"127.0.0.1:{registry.pull_port}"
    docker("build", "-t", f"{push}/shop/web:1.0", str(source))
    assert "no basic auth credentials" in docker("push", f"{push}/shop/web:1.0", fails=True)
    assert "unauthorized" in docker("login", "-u", "shop", "--password-stdin", push, stdin="wrong", fails=True).lower()
    for address in (push, pull):
        assert "Login Succeeded" in docker("login", "-u", "shop", "--password-stdin", address, stdin="lad_shop")
    pushed = docker("push", f"{push}/shop/web:1.0")
    digest = Digest.parse(pushed.partition("digest: ")[2].split()[0])
    assert "Layer already exists" in docker("push", f"{push}/shop/web:1.0")
    assert "denied" in docker("push", _tagged(docker, push, "mail"), fails=True).lower()

    refused = docker("pull", f"{pull}/shop/web:1.0", fails=True)
    assert "quarantined: pushed, not judged yet" in refused
    database, ledger = Database(f"sqlite:///{registry.directory / 'state.db'}"), Ledger()
    states = ImageStates(database, ledger)
    with database.write() as tx:
        states.move(tx, digest, State.APPROVED, who="person:ada", why="good")
    docker("rmi", f"{push}/shop/web:1.0", f"{push}/mail/web:1.0")
    assert str(digest) in docker("pull", f"{pull}/shop/web:1.0")
    assert str(digest) in docker("inspect", f"{pull}/shop/web@{digest}")
    with database.write() as tx:
        states.move(tx, digest, State.REVOKED, who="person:ada", why="malware", replaced_by="shop/web:2")
    docker("rmi", f"{pull}/shop/web:1.0")
    refused = docker("pull", f"{pull}/shop/web@{digest}", fails=True)
    assert "malware" in refused
    assert "shop/web:2" in refused
    database.close()


def _tagged(docker: Docker, push: str, team: str) -> str:
    """The image under a name that belongs to another team."""
    other = f"{push}/{team}/web:1.0"
    docker("login", "-u", team, "--password-stdin", push, stdin=f"lad_{team}")
    docker("tag", f"{push}/shop/web:1.0", other)
    docker("push", other)
    docker("login", "-u", "shop", "--password-stdin", push, stdin="lad_shop")
    return other
